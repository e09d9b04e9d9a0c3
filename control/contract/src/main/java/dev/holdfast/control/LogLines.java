package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;

/** The last lines that the inference process and the one before it wrote for a person, oldest first. */
public record LogLines(List<String> lines) {
    private static final int MAX_LINES = 256;
    private static final int MAX_CHARS = 16 * 1024;

    public LogLines {
        lines = List.copyOf(lines);
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        ArrayNode listed = json.putArray("lines");
        lines.stream().limit(MAX_LINES).forEach(line -> listed.add(Refusal.clipped(line, MAX_CHARS)));
        return json;
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<LogLines> read(JsonNode json) {
        return Verdict.of(() -> {
            List<String> lines = new ArrayList<>();
            for (JsonNode line : Fields.of(json).array("lines", MAX_LINES)) {
                if (!line.isTextual() || line.textValue().length() > MAX_CHARS) {
                    throw new RejectedException(Code.WIRE_FIELD, "a line has at most " + MAX_CHARS + " characters");
                }
                lines.add(line.textValue());
            }
            return new LogLines(lines);
        });
    }
}
