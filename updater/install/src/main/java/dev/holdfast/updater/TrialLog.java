package dev.holdfast.updater;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.GateReport;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * What was learnt about a model that did not stay: kept in the journal line that ends its install, so that it outlives the
 * rollback, and carried in the device's report. At most about 6 KiB, printable ASCII; of too many lines the last ones stay.
 *
 * @param checks what the health gate found, in order
 * @param restarts how often the inference process was seen to start anew meanwhile
 * @param lines the last lines that the inference process wrote for a person, oldest first
 */
public record TrialLog(List<GateReport.Check> checks, int restarts, List<String> lines) {
    static final int MAX_CHECKS = 16;
    static final int MAX_LINES = 40;
    static final int MAX_LINE_CHARS = 200;
    private static final int MAX_LOG_CHARS = 4096;

    public TrialLog {
        checks = checks.stream()
                .limit(MAX_CHECKS)
                .map(c -> new GateReport.Check(printable(c.name()), c.passed(), printable(c.detail())))
                .toList();
        lines = newest(lines);
    }

    private static List<String> newest(List<String> lines) {
        Deque<String> kept = new ArrayDeque<>();
        int chars = 0;
        for (String line : lines.reversed()) {
            String shown = printable(line);
            chars += shown.length();
            if (kept.size() == MAX_LINES || chars > MAX_LOG_CHARS) {
                break;
            }
            kept.addFirst(shown);
        }
        return List.copyOf(kept);
    }

    /** The lines come from another process: nothing in them may steer a terminal or a log. */
    private static String printable(String text) {
        return text.substring(0, Math.min(text.length(), MAX_LINE_CHARS)).replaceAll("[^\\x20-\\x7e]", "?");
    }

    boolean isEmpty() {
        return checks.isEmpty() && restarts == 0 && lines.isEmpty();
    }

    /** The {@code trial} object of the journal, of {@code holdfast history} and of the device's report. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        ArrayNode gate = json.putArray("checks");
        for (GateReport.Check check : checks) {
            gate.addObject()
                    .put("name", check.name())
                    .put("passed", check.passed())
                    .put("detail", check.detail());
        }
        json.put("restarts", restarts);
        ArrayNode log = json.putArray("lines");
        lines.forEach(log::add);
        return json;
    }

    static TrialLog fromJson(Fields fields) throws RejectedException {
        List<GateReport.Check> checks = new ArrayList<>();
        for (JsonNode check : fields.array("checks", MAX_CHECKS)) {
            checks.add(new GateReport.Check(
                    check.path("name").asText(),
                    check.path("passed").asBoolean(),
                    check.path("detail").asText()));
        }
        List<String> lines = new ArrayList<>();
        for (JsonNode line : fields.array("lines", MAX_LINES)) {
            lines.add(line.asText());
        }
        return new TrialLog(checks, (int) Math.min(fields.integer("restarts", 0), Integer.MAX_VALUE), lines);
    }
}
