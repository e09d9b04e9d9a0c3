package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Json;
import java.util.List;

/** Puts signatures around a role's document. */
public final class SignedMetadata {
    private SignedMetadata() {}

    /** The file to publish: {@code signed} with one signature per key. */
    public static byte[] sign(JsonNode signed, List<SigningKey> keys) {
        byte[] canonical = CanonicalJson.bytes(signed);
        ObjectNode file = Json.object();
        ArrayNode signatures = file.putArray("signatures");
        for (SigningKey key : keys) {
            signatures
                    .addObject()
                    .put("keyid", key.keyId())
                    .put("sig", Binary.copyOf(key.sign(canonical)).hex());
        }
        file.set("signed", signed.deepCopy());
        return Json.write(file);
    }
}
