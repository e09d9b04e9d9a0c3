package dev.holdfast.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * The service as programs see it, over its socket; the load comes from this process, the service is another one. Each part leaves what it
 * measured in a file: {@code ./dev bench serve} measures everything in some fifteen minutes, {@code ./dev bench serve PART...} the parts
 * whose names begin so, and the page has the others as they were. With {@code --smoke} a small model shows that the parts work, and the
 * page stays as it is.
 */
public final class ServeBench {
    private static final Path FOLDER = Path.of("bench", "target", "serve");
    private static final String SMOKE = "--smoke";

    private ServeBench() {}

    /** Writes the section {@code serve} and its plots, after each part. */
    public static void main(String[] arguments) throws Exception {
        boolean smoke = Arrays.asList(arguments).contains(SMOKE);
        String[] asked = Arrays.stream(arguments)
                .filter(argument -> !argument.equals(SMOKE))
                .toArray(String[]::new);
        ServePart.Scale scale = smoke ? ServePart.Scale.SMOKE : ServePart.Scale.FULL;
        List<ServePart> parts = ServePart.all();
        KeptParts.requireNamed(asked, parts.stream().map(ServePart::name).toList());
        KeptParts kept = new KeptParts(FOLDER);
        for (ServePart part : parts) {
            if (KeptParts.isAsked(asked, part.name())) {
                InferencePart.Measured measured = part.measure(scale);
                System.out.print(measured.rows());
                if (!smoke) {
                    kept.keep(part.name(), measured);
                    write(parts, kept, scale);
                }
            }
        }
    }

    private static void write(List<ServePart> parts, KeptParts kept, ServePart.Scale scale) throws IOException {
        BarChart speeds = new BarChart(
                "Tokens a second of all streams: ours (blue), llama-server with " + ServePart.STREAMS + " slots (grey)",
                "%.1f");
        BarChart waits = new BarChart("Milliseconds: beside a load (blue), without it (grey)", "%.1f");
        StringBuilder rows = new StringBuilder();
        StringBuilder times = new StringBuilder();
        for (ServePart part : parts) {
            KeptParts.Kept measured = kept.read(part.name());
            rows.append(measured.measured().rows());
            times.append(times.isEmpty() ? "" : ", ")
                    .append('`')
                    .append(part.name())
                    .append("` ")
                    .append(measured.at());
            BarChart chart = part.isSpeed() ? speeds : waits;
            measured.measured().bars().forEach(bar -> chart.add(bar.name(), bar.ours(), bar.peer()));
        }
        PerformancePage.replace(
                "serve", """
                `./dev bench serve [PART...]`, on %s. Load from another process over the socket, in one run. `one`, `streams` and `first` with %s of
                random weights and two threads, medians of %d; `swaps` and `crowd` with the demo model. Parts and when they were measured: %s.

                | what | figure | goal |
                |---|---|---|
                %s
                ![Tokens a second of streams](performance-serve.svg)
                ![Waits under load](performance-serve-waits.svg)
                """.formatted(Machine.describe(), scale.modelName(), scale.runs(), times, rows));
        Files.writeString(Path.of("docs", "performance-serve.svg"), speeds.svg());
        Files.writeString(Path.of("docs", "performance-serve-waits.svg"), waits.svg());
    }
}
