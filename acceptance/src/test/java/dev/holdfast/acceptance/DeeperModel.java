package dev.holdfast.acceptance;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufReader;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowDecoder;
import dev.holdfast.gguf.RowSource;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;

/**
 * The demo's model with more layers, which add next to nothing to what goes through them: a file of many blocks that gives the same
 * answers.
 */
final class DeeperModel {
    private static final String FIRST = "blk.0.";
    /** What a layer adds to its input is the product with one of these. */
    private static final List<String> LAST_STEPS = List.of("attn_output.weight", "ffn_down.weight");

    private static final float NEXT_TO_NOTHING = 1e-6f;

    private DeeperModel() {}

    /** Writes {@code from} with {@code more} layers to {@code to}, all in F32. */
    static void write(Path from, Path to, int more) throws IOException {
        try (FileChannel channel = FileChannel.open(from);
                Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            GgufFile file = ((Verdict.Accepted<GgufFile>) GgufReader.read(bytes)).value();
            long layers = file.tensors().stream()
                    .filter(tensor -> tensor.name().endsWith(".attn_norm.weight"))
                    .count();
            GgufWriter writer = new GgufWriter();
            file.metadata().forEach((key, value) -> {
                if (!key.equals("general.alignment") && !key.endsWith(".block_count")) {
                    writer.put(key, value);
                }
            });
            writer.put("llama.block_count", Math.toIntExact(layers + more));
            for (GgufTensor tensor : file.tensors()) {
                put(writer, tensor.name(), tensor, rows(tensor, bytes, 1));
            }
            for (GgufTensor tensor : file.tensors()) {
                for (long layer = layers; tensor.name().startsWith(FIRST) && layer < layers + more; layer++) {
                    String part = tensor.name().substring(FIRST.length());
                    float scale = LAST_STEPS.contains(part) ? NEXT_TO_NOTHING : 1;
                    put(writer, "blk." + layer + "." + part, tensor, rows(tensor, bytes, scale));
                }
            }
            writer.write(to);
        }
    }

    private static void put(GgufWriter writer, String name, GgufTensor like, RowSource rows) {
        writer.tensor(
                name,
                GgmlType.F32,
                rows,
                like.dims().stream().mapToLong(Long::longValue).toArray());
    }

    private static RowSource rows(GgufTensor tensor, MemorySegment bytes, float scale) {
        RowDecoder decoder = RowDecoder.of(tensor.type()).orElseThrow();
        return (index, into) -> {
            decoder.decode(bytes, tensor.offset() + index * tensor.rowBytes(), into, 0, into.length);
            for (int i = 0; i < into.length; i++) {
                into[i] *= scale;
            }
        };
    }
}
