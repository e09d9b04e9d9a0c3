package dev.holdfast.engine.gate;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a model must do before it may serve: the {@code gate} object of a target's signed block.
 *
 * @param canaries prompts with the publisher's answers
 * @param minPassRatio the share of canaries that must be answered exactly, 0 to 1
 * @param maxAnswerTokens a canary's answer is cut after so many tokens
 * @param maxLoad from opening the file to ready
 * @param reference the publisher's own expectations, where they were signed
 */
public record GateRules(
        List<Canary> canaries,
        double minPassRatio,
        int maxAnswerTokens,
        Duration maxLoad,
        Optional<GateReference> reference) {
    private static final int MAX_CANARIES = 256;
    private static final int MAX_TEXT_CHARS = 8192;
    private static final int MAX_ANSWER_TOKENS = 4096;
    private static final long MAX_LOAD_MILLIS = Duration.ofHours(1).toMillis();

    /** A prompt of the user and the answer of a healthy model. */
    public record Canary(String prompt, String expect) {}

    public GateRules {
        canaries = List.copyOf(canaries);
    }

    /** Reads the signed object. */
    public static Verdict<GateRules> read(JsonNode node) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(node);
            fields.only(Set.of("canaries", "minPassRatio", "maxAnswerTokens", "maxLoadMillis", "reference"));
            JsonNode listed = node.path("canaries");
            if (!listed.isArray() || listed.size() > MAX_CANARIES) {
                throw new RejectedException(
                        Code.WIRE_FIELD, "gate.canaries is not an array of at most " + MAX_CANARIES);
            }
            List<Canary> canaries = new ArrayList<>();
            for (JsonNode canary : listed) {
                Fields one = Fields.of(canary);
                one.only(Set.of("prompt", "expect"));
                canaries.add(new Canary(
                        one.textOrEmpty("prompt", MAX_TEXT_CHARS), one.textOrEmpty("expect", MAX_TEXT_CHARS)));
            }
            return new GateRules(
                    canaries,
                    fields.numberOr("minPassRatio", 0, 1, 1),
                    (int) fields.integerOr("maxAnswerTokens", 1, MAX_ANSWER_TOKENS, 96L),
                    Duration.ofMillis(fields.integerOr("maxLoadMillis", 1, MAX_LOAD_MILLIS, 20_000L)),
                    fields.has("reference")
                            ? Optional.of(GateReference.read(
                                            fields.object("reference").node())
                                    .orThrow())
                            : Optional.empty());
        });
    }
}
