package dev.holdfast.bench;

import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Several answers decoded together by our engine, by the clock. */
record StreamSpeeds() implements InferencePart {
    private static final ShapedModel MODEL = ShapedModel.SMOLLM2_135M;
    private static final GgmlType TYPE = GgmlType.Q8_0;
    private static final int TOKENS = 64;
    private static final int THREADS = 2;

    @Override
    public String name() {
        return "streams";
    }

    @Override
    public String head() {
        return String.format(Locale.ROOT, """

                Several answers at once, %s %s, tokens a second of all together by the clock, medians of five runs
                (`holdfast model bench FILE --streams N -n %d -t %d`):

                | streams | tokens a second | times one stream |
                |---|---|---|
                """, MODEL, TYPE, TOKENS, THREADS);
    }

    @Override
    public Measured measure() throws IOException, InterruptedException {
        Path file = InferencePart.file(MODEL, TYPE);
        StringBuilder rows = new StringBuilder();
        double one = 0;
        for (int streams : new int[] {1, 2, 4, 8}) {
            double speed = PeerEngine.OURS
                    .bench(file, List.of("--streams", "" + streams, "-p", "0", "-n", "" + TOKENS, "-t", "" + THREADS))
                    .path("tg_tokens_per_second")
                    .doubleValue();
            one = streams == 1 ? speed : one;
            rows.append(String.format(Locale.ROOT, "| %d | %.1f | %.2f |%n", streams, speed, speed / one));
        }
        return new Measured(rows.toString(), List.of());
    }
}
