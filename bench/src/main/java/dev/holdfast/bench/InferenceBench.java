package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Speed, start and memory of the engine on models of true shapes, beside its peers. It takes half an hour, so each part
 * leaves what it measured in a file: {@code ./dev bench inference} measures everything, {@code ./dev bench inference PART...}
 * the parts whose names begin so, and the rest of the page is what those measured before, or is said not to be measured.
 */
public final class InferenceBench {
    private static final int MAX_PART_BYTES = 1 << 20;

    private InferenceBench() {}

    /** Writes the section {@code inference} and its plot, after each part. */
    public static void main(String[] arguments) throws Exception {
        List<InferencePart> parts = InferencePart.all();
        for (String argument : arguments) {
            if (parts.stream().noneMatch(part -> part.name().startsWith(argument))) {
                String names = parts.stream().map(InferencePart::name).collect(Collectors.joining(", "));
                System.err.println("No part begins with " + argument + ". There are: " + names);
                System.exit(2);
            }
        }
        Files.createDirectories(InferencePart.FOLDER);
        for (InferencePart part : parts) {
            if (arguments.length == 0 || Arrays.stream(arguments).anyMatch(part.name()::startsWith)) {
                InferencePart.Measured measured = part.measure();
                System.out.println(measured.rows());
                keep(part, measured);
                write(parts);
            }
        }
    }

    private static Path kept(InferencePart part) {
        return InferencePart.FOLDER.resolve(part.name() + ".json");
    }

    private static void keep(InferencePart part, InferencePart.Measured measured) throws IOException {
        ObjectNode node = Json.object()
                .put("at", Instant.now().truncatedTo(ChronoUnit.MINUTES).toString())
                .put("rows", measured.rows());
        ArrayNode bars = node.putArray("bars");
        for (InferencePart.Bar bar : measured.bars()) {
            bars.addObject().put("name", bar.name()).put("ours", bar.ours()).put("peer", bar.peer());
        }
        Files.writeString(kept(part), node.toString());
    }

    private static JsonNode read(InferencePart part) throws IOException {
        if (!Files.exists(kept(part))) {
            return Json.object();
        }
        try {
            return Json.readObject(Files.readString(kept(part)).getBytes(StandardCharsets.UTF_8), MAX_PART_BYTES)
                    .orThrow();
        } catch (RejectedException e) {
            throw new IOException(kept(part) + " is damaged: " + e.getMessage(), e);
        }
    }

    private static void write(List<InferencePart> parts) throws IOException {
        BarChart chart = new BarChart("Decoded tokens a second: ours (blue), llama.cpp (grey)", "%.1f");
        StringBuilder times = new StringBuilder();
        StringBuilder tables = new StringBuilder();
        String head = "";
        for (InferencePart part : parts) {
            JsonNode measured = read(part);
            if (!part.head().equals(head)) {
                head = part.head();
                tables.append(head);
            }
            tables.append(measured.path("rows").asText("| not measured: " + part.name() + " |\n"));
            times.append(times.isEmpty() ? "" : ", ")
                    .append('`')
                    .append(part.name())
                    .append("` ")
                    .append(measured.path("at").asText("never"));
            for (JsonNode bar : measured.path("bars")) {
                chart.add(
                        bar.path("name").asText(),
                        bar.path("ours").asDouble(),
                        bar.path("peer").asDouble());
            }
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
