package dev.holdfast.gguf;

import java.util.List;

/**
 * One row of the tensor table.
 *
 * @param name the tensor's name, unique in the file
 * @param type how its elements are stored
 * @param dims one to four lengths, the fastest-running one (the row) first
 * @param offset where its bytes begin, counted from the start of the file
 * @param byteLength how many bytes it has
 */
public record GgufTensor(String name, GgmlType type, List<Long> dims, long offset, long byteLength) {
    public GgufTensor {
        dims = List.copyOf(dims);
    }

    /** Elements of one row. */
    public long columns() {
        return dims.getFirst();
    }

    /** Number of rows: the product of all lengths but the first. */
    public long rows() {
        return elements() / columns();
    }

    public long elements() {
        return dims.stream().reduce(1L, Math::multiplyExact);
    }

    /** Bytes of one row. */
    public long rowBytes() {
        return type.bytesFor(columns());
    }
}
