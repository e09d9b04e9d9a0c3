package dev.holdfast.bench;

import dev.holdfast.bench.InferencePart.Bar;
import dev.holdfast.bench.InferencePart.Measured;
import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** What of the service's benchmark is measured by itself. */
sealed interface ServePart permits OneStream, EightStreams, FirstToken, Swaps, Crowded {
    int THREADS = 2;
    int STREAMS = 8;

    /**
     * How much is measured.
     *
     * @param smoke a small model and little of everything, to see that it works; its figures say nothing
     * @param runs of each figure whose median is told
     * @param tokens of an answer
     * @param swaps in a row
     * @param connections of the crowd
     */
    record Scale(boolean smoke, int runs, int tokens, int swaps, int connections) {
        static final Scale FULL = new Scale(false, 5, 128, 1_000, 10_000);
        static final Scale SMOKE = new Scale(true, 1, 32, 5, 300);

        /** The model whose speed is measured. */
        Path model() throws IOException {
            return smoke ? ServedModel.demo("1.0.0") : InferencePart.file(ShapedModel.SMOLLM2_135M, GgmlType.Q8_0);
        }

        String modelName() {
            return smoke ? "the demo model" : ShapedModel.SMOLLM2_135M + " Q8_0";
        }
    }

    /** In the order of the page. */
    static List<ServePart> all() {
        return List.of(new OneStream(), new EightStreams(), new FirstToken(), new Swaps(), new Crowded());
    }

    /** As on the command line. */
    String name();

    /** Whether its bars are tokens a second; else they are milliseconds. */
    boolean isSpeed();

    Measured measure(Scale scale) throws IOException, InterruptedException;

    /** One row of the table. */
    static String row(String what, String figures, String goal) {
        return "| " + what + " | " + figures + " | " + goal + " |\n";
    }

    static String goal(String goal, boolean met) {
        return goal + ": " + InferencePart.met(met);
    }

    static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }

    /** Where nothing was measured, 0 is drawn. */
    static Bar bar(String name, double ours, double peer) {
        return new Bar(name, Double.isNaN(ours) ? 0 : ours, Double.isNaN(peer) ? 0 : peer);
    }
}
