package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.ScalarKernels;
import dev.holdfast.engine.kernels.Weights;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.gguf.RowDecoder;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Finds tensors by name and checks their type and shape before anything reads them. */
public final class TensorTable {
    private final GgufFile file;
    private final MemorySegment bytes;
    private final Map<String, GgufTensor> tensors = new HashMap<>();

    public TensorTable(GgufFile file, MemorySegment bytes) {
        this.file = file;
        this.bytes = bytes;
        file.tensors().forEach(tensor -> tensors.put(tensor.name(), tensor));
    }

    GgufFile file() {
        return file;
    }

    MemorySegment bytes() {
        return bytes;
    }

    boolean has(String name) {
        return tensors.containsKey(name);
    }

    /** A matrix of {@code rows} rows of {@code columns}. */
    Weights matrix(String name, int columns, int rows) throws RejectedException {
        GgufTensor tensor = find(name, List.of((long) columns, (long) rows));
        return weights(tensor, rows, columns);
    }

    /** A vector, copied to the heap as floats. */
    float[] vector(String name, int length) throws RejectedException {
        GgufTensor tensor = find(name, List.of((long) length));
        float[] values = new float[length];
        new ScalarKernels().row(weights(tensor, 1, length), 0, values, 0);
        return values;
    }

    private Weights weights(GgufTensor tensor, int rows, int columns) throws RejectedException {
        if (!supported(tensor.type())) {
            throw new RejectedException(
                    Code.GGUF_UNSUPPORTED, tensor.name() + " is of type " + tensor.type(), tensor.offset());
        }
        return new Weights(tensor.type(), bytes, tensor.offset(), rows, columns, tensor.rowBytes());
    }

    static boolean supported(GgmlType type) {
        return RowDecoder.of(type).isPresent();
    }

    private GgufTensor find(String name, List<Long> dims) throws RejectedException {
        GgufTensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new RejectedException(Code.GGUF_TENSOR, "the tensor " + name + " is missing");
        }
        if (!tensor.dims().equals(dims)) {
            throw new RejectedException(
                    Code.GGUF_TENSOR, name + " has the shape " + tensor.dims() + ", not " + dims, tensor.offset());
        }
        return tensor;
    }
}
