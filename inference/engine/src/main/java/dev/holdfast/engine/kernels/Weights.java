package dev.holdfast.engine.kernels;

import dev.holdfast.gguf.GgmlType;
import java.lang.foreign.MemorySegment;

/**
 * A matrix of weights as it is in the mapped file: {@code rows} rows of {@code columns} elements, each row a whole
 * number of blocks, {@code rowBytes} apart.
 *
 * @param file the whole mapped file
 * @param offset where the first row begins
 */
public record Weights(GgmlType type, MemorySegment file, long offset, int rows, int columns, long rowBytes) {

    long row(int index) {
        return offset + index * rowBytes;
    }

    /** {@code count} whole rows from {@code first} on. */
    public Weights rows(int first, int count) {
        return new Weights(type, file, row(first), count, columns, rowBytes);
    }

    /** Of each row {@code count} elements from {@code first} on, both whole blocks. */
    Weights slice(int first, int count) {
        return new Weights(type, file, offset + type.bytesFor(first), rows, count, rowBytes);
    }
}
