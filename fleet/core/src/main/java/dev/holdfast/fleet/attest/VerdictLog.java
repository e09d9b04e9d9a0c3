package dev.holdfast.fleet.attest;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * What each question to a device came to, a line each, {@code verdicts/<device>.jsonl}: the newest {@value #MAX_BYTES} bytes at least
 * by half. A line is worth no fsync; the archives beside it are the proof, and this says why there is none.
 */
public record VerdictLog(FleetDirectory directory) {
    /** Some 2,000 lines: of a device that is looked at once a day, those of years. */
    static final int MAX_BYTES = 256 * 1024;

    private static final int MAX_LINE_BYTES = 1024;
    private static final String SILENT = "silent";

    /**
     * A question.
     *
     * @param at when it was appraised, or given up
     * @param why who asked, such as {@code schedule}
     * @param status such as {@code affirming}; {@code silent} where nothing came
     * @param code why it did not affirm
     */
    public record Line(Instant at, String why, String status, Optional<String> code) {
        /** The device did not answer. */
        public static Line silent(Instant at, String why) {
            return new Line(at, why, SILENT, Optional.empty());
        }

        public boolean isSilent() {
            return status.equals(SILENT);
        }

        private ObjectNode toJson() {
            ObjectNode json =
                    Json.object().put("at", at.toString()).put("why", why).put("status", status);
            code.ifPresent(id -> json.put("code", id));
            return json;
        }
    }

    public void append(String device, Line line) throws IOException, RejectedException {
        Path file = directory.verdictLog(device);
        byte[] bytes =
                (new String(Json.write(line.toJson()), StandardCharsets.UTF_8) + "\n").getBytes(StandardCharsets.UTF_8);
        directory.exclusively(() -> {
            Files.createDirectories(file.getParent());
            if (Files.exists(file) && Files.size(file) + bytes.length > MAX_BYTES) {
                byte[] all = Files.readAllBytes(file);
                int from = all.length / 2;
                while (from < all.length && all[from - 1] != '\n') {
                    from++;
                }
                Path half = file.resolveSibling(file.getFileName() + ".tmp");
                Files.write(half, Arrays.copyOfRange(all, from, all.length));
                Files.move(half, file, StandardCopyOption.ATOMIC_MOVE);
            }
            return Files.write(file, bytes, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        });
    }

    /** Of a device, oldest first; a line that was cut off is passed over. */
    public List<Line> of(String device) throws IOException {
        Path file = directory.verdictLog(device);
        List<Line> lines = new ArrayList<>();
        if (!Files.exists(file)) {
            return lines;
        }
        for (String text : Files.readString(file, StandardCharsets.ISO_8859_1).split("\n")) {
            byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
            if (Json.readObject(bytes, MAX_LINE_BYTES) instanceof Verdict.Accepted<JsonNode>(JsonNode node)) {
                read(node).ifPresent(lines::add);
            }
        }
        return lines;
    }

    private static Optional<Line> read(JsonNode node) {
        try {
            return Optional.of(new Line(
                    Instant.parse(node.path("at").asText()),
                    node.path("why").asText(),
                    node.path("status").asText(),
                    Optional.ofNullable(node.path("code").textValue())));
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }
}
