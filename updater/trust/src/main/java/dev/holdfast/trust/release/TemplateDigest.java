package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Sha256;

/** How a chat template is named in evidence: SHA-256 over the canonical form of the block that was signed. */
public final class TemplateDigest {
    private TemplateDigest() {}

    public static Sha256 of(JsonNode template) {
        return Sha256.of(CanonicalJson.bytes(template));
    }
}
