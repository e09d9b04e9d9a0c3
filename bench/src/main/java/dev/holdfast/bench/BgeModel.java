package dev.holdfast.bench;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Two consecutive published releases of one 33 M parameter encoder, as GGUF of any type. */
final class BgeModel {
    static final String VERSION = "0.36.2";

    private BgeModel() {}

    /** The weights of {@code bge-small-en} or {@code bge-small-en-v1.5}, out of the local Maven repository. */
    static List<OnnxWeights.Tensor> weights(boolean newer) throws IOException {
        return OnnxWeights.read(jar(newer), newer ? "bge-small-en-v1.5.onnx" : "bge-small-en.onnx");
    }

    static Path jar(boolean newer) throws IOException {
        String artifact = "langchain4j-embeddings-bge-small-en" + (newer ? "-v15" : "");
        Path jar = Path.of(System.getProperty("user.home"), ".m2/repository/dev/langchain4j")
                .resolve(artifact)
                .resolve(VERSION)
                .resolve(artifact + "-" + VERSION + ".jar");
        if (!Files.exists(jar)) {
            throw new IOException("not in the local Maven repository: dev.langchain4j:" + artifact + ":" + VERSION
                    + " (mvn dependency:get -Dartifact=dev.langchain4j:" + artifact + ":" + VERSION + ")");
        }
        return jar;
    }

    /**
     * Writes matrices as {@code type} and vectors as F32. Matrices whose rows are no multiple of 256 take {@code fallback}
     * where {@code type} has blocks of 256.
     */
    static void write(List<OnnxWeights.Tensor> tensors, GgmlType type, GgmlType fallback, Path file)
            throws IOException {
        GgufWriter writer = new GgufWriter()
                .put("general.architecture", "bert")
                .put("general.name", "bge-small-en")
                .put("bert.block_count", 12)
                .put("bert.embedding_length", 384);
        for (OnnxWeights.Tensor tensor : tensors) {
            long[] dims = tensor.dims();
            boolean matrix = dims.length == 2 && dims[0] > 1;
            long columns = dims.length == 0 ? 1 : dims[dims.length - 1];
            GgmlType chosen =
                    !matrix || columns % 32 != 0 ? GgmlType.F32 : columns % type.blockElements() == 0 ? type : fallback;
            long rows = tensor.values().length / columns;
            if (rows == 1) {
                writer.tensor(tensor.name(), chosen, RowSource.of(tensor.values()), columns);
            } else {
                writer.tensor(tensor.name(), chosen, RowSource.of(tensor.values()), columns, rows);
            }
        }
        writer.write(file);
    }
}
