package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;

/**
 * The evidence for a nonce, or why there is none.
 *
 * @param nonce what was asked with
 * @param evidence what the device answers
 */
public record ChallengeReply(Binary nonce, Verdict<Binary> evidence) {
    /** Of the message, evidence in hexadecimal. */
    public static final int MAX_BYTES = 4 << 20;

    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("nonce", nonce.hex());
        return switch (evidence) {
            case Verdict.Accepted<Binary>(Binary bytes) -> json.put("evidence", bytes.hex());
            case Verdict.Rejected<Binary> rejected -> Refusal.put(json, rejected.reason());
        };
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<ChallengeReply> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json);
            Binary nonce = Challenges.nonce(fields.text("nonce", 2 * Challenges.MAX_NONCE_BYTES))
                    .orThrow();
            return new ChallengeReply(
                    nonce,
                    fields.has("evidence")
                            ? Verdict.accepted(Binary.fromHex(fields.text("evidence", MAX_BYTES))
                                    .orThrow())
                            : new Verdict.Rejected<>(Refusal.read(json, Code.TEE_UNAVAILABLE)));
        });
    }
}
