package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;

/** The nonces that local programs left with the inference process and want evidence for. */
public record Challenges(List<Binary> nonces) {
    /** Programs on one device seldom ask; more at once is a flood. */
    public static final int MAX_NONCES = 16;
    /** Of these, as many as the agent works on at a time. */
    public static final int MAX_HANDED_OVER = 4;

    public static final int MIN_NONCE_BYTES = 8;
    public static final int MAX_NONCE_BYTES = 64;

    public Challenges {
        nonces = List.copyOf(nonces);
    }

    /** A nonce in hexadecimal; refused where it is shorter or longer than evidence may carry. */
    public static Verdict<Binary> nonce(String hex) {
        return Verdict.of(() -> {
            Binary nonce =
                    hex.length() <= 2 * MAX_NONCE_BYTES ? Binary.fromHex(hex).orThrow() : Binary.empty();
            if (nonce.length() < MIN_NONCE_BYTES) {
                throw new RejectedException(
                        Code.WIRE_FIELD,
                        "a nonce has " + MIN_NONCE_BYTES + " to " + MAX_NONCE_BYTES + " bytes in hexadecimal");
            }
            return nonce;
        });
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        ArrayNode listed = json.putArray("nonces");
        nonces.forEach(nonce -> listed.add(nonce.hex()));
        return json;
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<Challenges> read(JsonNode json) {
        return Verdict.of(() -> {
            List<Binary> nonces = new ArrayList<>();
            for (JsonNode nonce : Fields.of(json).array("nonces", MAX_NONCES)) {
                // One that is not a nonce takes nothing from the others.
                if (nonce(nonce.asText("")) instanceof Verdict.Accepted<Binary>(Binary good)) {
                    nonces.add(good);
                }
            }
            return new Challenges(nonces);
        });
    }
}
