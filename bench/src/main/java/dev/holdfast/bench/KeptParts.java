package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.bench.InferencePart.Bar;
import dev.holdfast.bench.InferencePart.Measured;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What the parts of a benchmark measured, each in a file of its own, so that one part can be measured again without the others. Not
 * thread-safe.
 */
record KeptParts(Path folder) {
    private static final int MAX_PART_BYTES = 1 << 20;

    /**
     * What was measured, and when.
     *
     * @param at a moment, or {@code never}
     */
    record Kept(String at, Measured measured) {}

    /** Whether the arguments ask for this part: without any each is asked for, else those whose names begin so. */
    static boolean isAsked(String[] arguments, String name) {
        return arguments.length == 0 || Arrays.stream(arguments).anyMatch(name::startsWith);
    }

    /** Ends the process where an argument names no part. */
    static void requireNamed(String[] arguments, List<String> names) {
        for (String argument : arguments) {
            if (names.stream().noneMatch(name -> name.startsWith(argument))) {
                System.err.println("No part begins with " + argument + ". There are: " + String.join(", ", names));
                System.exit(2);
            }
        }
    }

    private Path file(String part) {
        return folder.resolve(part + ".json");
    }

    void keep(String part, Measured measured) throws IOException {
        ObjectNode node = Json.object()
                .put("at", Instant.now().truncatedTo(ChronoUnit.MINUTES).toString())
                .put("rows", measured.rows());
        ArrayNode bars = node.putArray("bars");
        for (Bar bar : measured.bars()) {
            bars.addObject().put("name", bar.name()).put("ours", bar.ours()).put("peer", bar.peer());
        }
        Files.createDirectories(folder);
        Files.writeString(file(part), node.toString());
    }

    Kept read(String part) throws IOException {
        if (!Files.exists(file(part))) {
            return new Kept("never", new Measured("| not measured: " + part + " |\n", List.of()));
        }
        try {
            JsonNode node = Json.readObject(
                            Files.readString(file(part)).getBytes(StandardCharsets.UTF_8), MAX_PART_BYTES)
                    .orThrow();
            List<Bar> bars = new ArrayList<>();
            for (JsonNode bar : node.path("bars")) {
                bars.add(new Bar(
                        bar.path("name").asText(),
                        bar.path("ours").asDouble(),
                        bar.path("peer").asDouble()));
            }
            return new Kept(
                    node.path("at").asText(), new Measured(node.path("rows").asText(), bars));
        } catch (RejectedException e) {
            throw new IOException(file(part) + " is damaged: " + e.getMessage(), e);
        }
    }
}
