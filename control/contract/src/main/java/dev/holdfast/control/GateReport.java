package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the health gate found.
 *
 * @param failure why the model must not serve: the first check that failed; empty where it may
 * @param loadMillis from opening the file to ready
 * @param checks every check that was made, in order
 */
public record GateReport(Optional<Rejection> failure, long loadMillis, List<Check> checks) {
    private static final int MAX_CHECKS = 64;
    private static final int MAX_NAME_CHARS = 64;
    private static final int MAX_DETAIL_CHARS = 4096;

    /** One check with its outcome for a person. */
    public record Check(String name, boolean passed, String detail) {}

    public GateReport {
        checks = List.copyOf(checks);
    }

    public boolean passed() {
        return failure.isEmpty();
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("passed", passed());
        failure.ifPresent(why -> Refusal.put(json, why));
        json.put("loadMillis", loadMillis);
        ArrayNode listed = json.putArray("checks");
        for (Check check : checks) {
            listed.addObject()
                    .put("name", check.name)
                    .put("passed", check.passed)
                    .put("detail", Refusal.clipped(check.detail, MAX_DETAIL_CHARS));
        }
        return json;
    }

    /**
     * Reads what {@link #toJson} wrote. A failure without a code, or with one that this version does not know, is no judgement on the
     * model: it reads as {@code INS-CANDIDATE-LOST}, which is tried again.
     */
    public static Verdict<GateReport> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            List<Check> checks = new ArrayList<>();
            for (JsonNode item : fields.array("checks", MAX_CHECKS)) {
                Fields check = Fields.of(item);
                checks.add(new Check(
                        check.text("name", MAX_NAME_CHARS),
                        check.flag("passed"),
                        check.textOrEmpty("detail", MAX_DETAIL_CHARS)));
            }
            return new GateReport(
                    fields.flag("passed") ? Optional.empty() : Optional.of(Refusal.read(json, Code.INS_CANDIDATE_LOST)),
                    fields.integer("loadMillis", 0),
                    checks);
        });
    }
}
