package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.security.GeneralSecurityException;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.time.Instant;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A metadata file taken apart, its type and version known, its signatures not yet checked.
 *
 * @param bytes the file as received
 * @param type the role's {@code _type}
 * @param signed the signed part
 * @param canonical its canonical bytes
 * @param signatures signature by key id
 */
public record Envelope(byte[] bytes, String type, Fields signed, byte[] canonical, Map<String, byte[]> signatures) {
    /** Of a key id, a role or a device. */
    public static final int MAX_NAME_CHARS = 256;

    /** The version of TUF that this code follows. */
    private static final String SPEC_VERSION = "1.0.34";

    private static final int MAX_SIGNATURES = 64;
    private static final int MAX_SIGNATURE_CHARS = 16 * 1024;

    /** What the signed part of every role begins with. */
    public static ObjectNode head(String type, long version, Instant expires) {
        return Json.object()
                .put("_type", type)
                .put("spec_version", SPEC_VERSION)
                .put("version", version)
                .put(Expiry.FIELD, Expiry.format(expires));
    }

    /** The file, as {@link #parse} reads it: a signed part, and signatures over its canonical bytes by key id. */
    public static byte[] write(JsonNode signed, Map<String, byte[]> signatures) {
        ObjectNode file = Json.object();
        ArrayNode list = file.putArray("signatures");
        signatures.forEach((id, signature) -> list.addObject()
                .put("keyid", id)
                .put("sig", Binary.copyOf(signature).hex()));
        file.set("signed", signed.deepCopy());
        return Json.write(file);
    }

    public static Envelope parse(byte[] bytes, String type, int maxBytes) throws RejectedException {
        Fields file = Fields.read(bytes, maxBytes, Code.UPD_FORMAT);
        Map<String, byte[]> signatures = new LinkedHashMap<>();
        for (JsonNode item : file.array("signatures", MAX_SIGNATURES)) {
            Fields signature = Fields.of(item, Code.UPD_FORMAT);
            byte[] value =
                    signature.has("sig") && signature.node().get("sig").asText().isEmpty()
                            ? new byte[0]
                            : Binary.fromHex(signature.text("sig", MAX_SIGNATURE_CHARS))
                                    .orThrow()
                                    .toArray();
            // TUF 1.0.34 section 4.2.1: key ids in signatures are unique.
            if (signatures.put(signature.text("keyid", MAX_NAME_CHARS), value) != null) {
                throw new RejectedException(Code.UPD_FORMAT, "two signatures with one key id");
            }
        }
        Fields signed = file.object("signed");
        String found = signed.text("_type", 32);
        if (!found.equals(type)) {
            throw new RejectedException(Code.UPD_FORMAT, "type is " + found + ", not " + type);
        }
        if (!signed.text("spec_version", 32).startsWith("1.")) {
            throw new RejectedException(Code.UPD_FORMAT, "spec_version of another major number");
        }
        signed.integer("version", 1);
        Expiry.read(signed);
        try {
            return new Envelope(bytes, type, signed, CanonicalJson.bytes(signed.node()), signatures);
        } catch (IllegalArgumentException e) {
            throw new RejectedException(Code.UPD_FORMAT, String.valueOf(e.getMessage()));
        }
    }

    public long version() throws RejectedException {
        return signed.integer("version", 1);
    }

    public Instant expires() throws RejectedException {
        return Expiry.read(signed);
    }

    public void requireFresh(Instant now) throws RejectedException {
        Instant expires = expires();
        if (!expires.isAfter(now)) {
            throw new RejectedException(Code.UPD_EXPIRED, type + " expired at " + expires);
        }
    }

    /** Counts distinct keys with a valid signature; the same key under two ids counts once. */
    public void requireThreshold(RootDocument.Role role, FamilyPolicy families, AnchorVerifier verifier)
            throws RejectedException {
        Map<Binary, KeyKind> counted = new HashMap<>();
        for (String keyId : role.keyIds()) {
            byte[] signature = signatures.get(keyId);
            TufKey key = role.keys().get(keyId);
            if (signature != null && key != null && verifies(key, signature, verifier)) {
                counted.put(Binary.copyOf(key.key().getEncoded()), key.kind());
            }
        }
        if (counted.size() < role.threshold()) {
            throw new RejectedException(
                    Code.UPD_SIGNATURE,
                    type + " has " + counted.size() + " valid signatures, " + role.threshold() + " are needed");
        }
        families.require(type, counted.values());
    }

    private boolean verifies(TufKey key, byte[] signature, AnchorVerifier verifier) throws RejectedException {
        if (key.kind() == KeyKind.ECDSA_P256) {
            byte[] p1363 = DerSignature.toP1363(signature);
            try {
                return p1363.length != 0 && verifier.verify((ECPublicKey) key.key(), Sha256.of(canonical), p1363);
            } catch (TeeException e) {
                // Fail closed: a TEE that does not answer must never be replaced by the daemon's own arithmetic.
                throw new RejectedException(e.code(), "signature check of " + type + ": " + e.getMessage());
            }
        }
        try {
            Signature check = key.kind().signature();
            check.initVerify(key.key());
            check.update(TufKey.message(key.kind(), canonical));
            return check.verify(signature);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }
}
