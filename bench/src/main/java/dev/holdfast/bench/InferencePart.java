package dev.holdfast.bench;

import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** What of the inference benchmark is measured by itself. */
sealed interface InferencePart permits EngineSpeeds, StreamSpeeds, DepthSpeeds, StartAndMemory {
    /** The folder of models and of what parts measured. */
    Path FOLDER = Path.of("bench", "target", "inference");

    /** In the order of the page. */
    static List<InferencePart> all() {
        return List.of(
                new EngineSpeeds(ShapedModel.SMOLLM2_135M, GgmlType.Q8_0),
                new EngineSpeeds(ShapedModel.SMOLLM2_135M, GgmlType.Q4_0),
                new EngineSpeeds(ShapedModel.QWEN2_5_0_5B, GgmlType.Q8_0),
                new EngineSpeeds(ShapedModel.QWEN2_5_0_5B, GgmlType.Q4_0),
                new DepthSpeeds(),
                new StreamSpeeds(),
                new StartAndMemory());
    }

    /** As on the command line. */
    String name();

    /** What comes before the first row of such parts. */
    String head();

    Measured measure() throws IOException, InterruptedException;

    /** Decode of ours beside the yardstick, for the plot. */
    record Bar(String name, double ours, double peer) {}

    /** @param rows of the table, in Markdown */
    record Measured(String rows, List<Bar> bars) {}

    /** The file of a model, written when it is not there. */
    static Path file(ShapedModel model, GgmlType type) throws IOException {
        Path file =
                Files.createDirectories(FOLDER).resolve(model.name().toLowerCase(Locale.ROOT) + "-" + type + ".gguf");
        if (!Files.exists(file)) {
            Path partial = FOLDER.resolve("partial.gguf");
            model.write(type, partial);
            Files.move(partial, file);
        }
        return file;
    }

    /** Two cells: how fast a peer is and how ours compares. */
    static String against(double ours, double peer, double goal) {
        double ratio = ours / peer;
        String verdict = goal == 0 ? "" : String.format(Locale.ROOT, ", goal %.1f: %s", goal, met(ratio >= goal));
        return String.format(Locale.ROOT, "%.1f | %.2f%s", peer, ratio, verdict);
    }

    static String met(boolean met) {
        return met ? "met" : "**missed**";
    }
}
