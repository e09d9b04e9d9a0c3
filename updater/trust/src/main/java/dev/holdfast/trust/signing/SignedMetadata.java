package dev.holdfast.trust.signing;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.wire.CanonicalJson;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Puts signatures around a role's document. */
public final class SignedMetadata {
    private SignedMetadata() {}

    /** The file to publish: {@code signed} with one signature per key. */
    public static byte[] sign(JsonNode signed, List<SigningKey> keys) {
        byte[] canonical = CanonicalJson.bytes(signed);
        Map<String, byte[]> signatures = new LinkedHashMap<>();
        keys.forEach(key -> signatures.put(key.keyId(), key.sign(canonical)));
        return Envelope.write(signed, signatures);
    }
}
