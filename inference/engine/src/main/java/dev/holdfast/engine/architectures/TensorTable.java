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
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Finds tensors by name and checks their type and shape before anything reads them. It remembers which were asked for, so that
 * {@link #allRead} can refuse a file with a tensor that nobody computes with. Belongs to one load.
 */
public final class TensorTable {
    private static final String SCALE = ".scale";

    private final ArchitectureKeys keys;
    private final MemorySegment bytes;
    private final Map<String, GgufTensor> tensors = new HashMap<>();
    private final Set<String> read = new HashSet<>();

    public TensorTable(GgufFile file, MemorySegment bytes) throws RejectedException {
        this.keys = ArchitectureKeys.of(file);
        this.bytes = bytes;
        file.tensors().forEach(tensor -> tensors.put(tensor.name(), tensor));
    }

    /** What the file says of its architecture. */
    ArchitectureKeys keys() {
        return keys;
    }

    GgufFile file() {
        return keys.file();
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

    /**
     * {@code NAME.weight} of {@code rows} rows of {@code columns}, with {@code NAME.bias} and {@code NAME.scale} where the file has
     * them. Both together are refused: other engines disagree on which comes first.
     */
    Linear linear(String name, int columns, int rows) throws RejectedException {
        Weights weights = matrix(name + ".weight", columns, rows);
        float[] bias = bias(name, rows);
        float scale = has(name + SCALE) ? vector(name + SCALE, 1)[0] : 1;
        if (scale != 1 && bias.length > 0) {
            throw new RejectedException(Code.GGUF_UNSUPPORTED, name + SCALE + " beside " + name + ".bias");
        }
        return new Linear(weights, scale, bias);
    }

    /** What makes query, key and value of a layer's vector. */
    record Projections(Linear query, Linear key, Linear value) {}

    /** The projections of the layer whose names begin with {@code at}: three matrices, or one that holds their rows in this order. */
    Projections projections(String at, int columns, int queryRows, int keyRows) throws RejectedException {
        if (has(at + "attn_qkv.weight")) {
            Linear fused = linear(at + "attn_qkv", columns, queryRows + 2 * keyRows);
            return new Projections(
                    fused.rows(0, queryRows), fused.rows(queryRows, keyRows), fused.rows(queryRows + keyRows, keyRows));
        }
        return new Projections(
                linear(at + "attn_q", columns, queryRows),
                linear(at + "attn_k", columns, keyRows),
                linear(at + "attn_v", columns, keyRows));
    }

    /** {@code NAME.bias}, or an empty one. */
    float[] bias(String name, int rows) throws RejectedException {
        return has(name + ".bias") ? vector(name + ".bias", rows) : new float[0];
    }

    /** Refuses the file, by the name of the tensor, if it has one that nobody asked for. */
    void allRead() throws RejectedException {
        for (GgufTensor tensor : file().tensors()) {
            if (!read.contains(tensor.name())) {
                throw new RejectedException(
                        Code.GGUF_UNSUPPORTED,
                        "the tensor " + tensor.name() + " is not used by the architecture "
                                + file().text("general.architecture", null).orThrow(),
                        tensor.offset());
            }
        }
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
            throw new RejectedException(
                    Code.GGUF_TENSOR,
                    tensors.isEmpty()
                            ? "the file has a vocabulary only, and no tensors"
                            : "the tensor " + name + " is missing");
        }
        read.add(name);
        if (!tensor.dims().equals(dims)) {
            throw new RejectedException(
                    Code.GGUF_TENSOR, name + " has the shape " + tensor.dims() + ", not " + dims, tensor.offset());
        }
        return tensor;
    }
}
