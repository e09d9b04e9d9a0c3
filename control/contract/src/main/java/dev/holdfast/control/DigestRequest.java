package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;

/** Names a model by the digest of its file. */
public record DigestRequest(Sha256 digest) {
    public ObjectNode toJson() {
        return Json.object().put("digest", digest.hex());
    }

    /** Reads what {@link #toJson} wrote. */
    public static Verdict<DigestRequest> read(JsonNode json) {
        return Verdict.of(() -> new DigestRequest(Fields.of(json).sha256("digest")));
    }
}
