package dev.holdfast.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Speed, start and memory of the engine on models of true shapes, beside its peers. It takes half an hour, so each part
 * leaves what it measured in a file: {@code ./dev bench inference} measures everything, {@code ./dev bench inference PART...}
 * the parts whose names begin so, and the rest of the page is what those measured before, or is said not to be measured.
 */
public final class InferenceBench {
    private InferenceBench() {}

    /** Writes the section {@code inference} and its plot, after each part. */
    public static void main(String[] arguments) throws Exception {
        List<InferencePart> parts = InferencePart.all();
        KeptParts.requireNamed(
                arguments, parts.stream().map(InferencePart::name).toList());
        KeptParts kept = new KeptParts(InferencePart.FOLDER);
        for (InferencePart part : parts) {
            if (KeptParts.isAsked(arguments, part.name())) {
                InferencePart.Measured measured = part.measure();
                System.out.println(measured.rows());
                kept.keep(part.name(), measured);
                write(parts, kept);
            }
        }
    }

    private static void write(List<InferencePart> parts, KeptParts kept) throws IOException {
        BarChart chart = new BarChart("Decoded tokens a second: ours (blue), llama.cpp (grey)", "%.1f");
        StringBuilder times = new StringBuilder();
        StringBuilder tables = new StringBuilder();
        String head = "";
        for (InferencePart part : parts) {
            KeptParts.Kept measured = kept.read(part.name());
            if (!part.head().equals(head)) {
                head = part.head();
                tables.append(head);
            }
            tables.append(measured.measured().rows());
            times.append(times.isEmpty() ? "" : ", ")
                    .append('`')
                    .append(part.name())
                    .append("` ")
                    .append(measured.at());
            measured.measured().bars().forEach(bar -> chart.add(bar.name(), bar.ours(), bar.peer()));
        }
        PerformancePage.replace("inference", """
                `./dev bench inference [PART...]`, on %s. Tokens a second; random weights in the shapes of published models, embedding Q8_0; each
                engine in a process of its own, the same file and number of threads. Parts and when they were measured: %s.

                %s
                ![Tokens a second beside llama.cpp](performance-inference.svg)
                """.formatted(Machine.describe(), times, tables));
        Files.writeString(Path.of("docs", "performance-inference.svg"), chart.svg());
    }
}
