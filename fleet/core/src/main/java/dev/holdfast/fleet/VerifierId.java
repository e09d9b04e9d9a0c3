package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.P256;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TufKey;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.security.interfaces.ECPublicKey;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/**
 * A verifier's public keys: one ECDSA key on P-256 and one ML-DSA-65 key, in this order. Their {@linkplain #id id} is what an auditor
 * has to have from the verifier itself, by another way than the archive.
 */
public record VerifierId(List<TufKey> keys) {
    private static final List<KeyKind> KINDS = List.of(KeyKind.ECDSA_P256, KeyKind.ML_DSA_65);

    public VerifierId {
        keys = List.copyOf(keys);
        if (!keys.stream().map(TufKey::kind).toList().equals(KINDS)) {
            throw new IllegalArgumentException("a verifier has keys of the kinds " + KINDS);
        }
    }

    /** {@code ATT-ARCHIVE} where these are not a verifier's keys. */
    public static VerifierId read(List<JsonNode> items) throws RejectedException {
        List<TufKey> keys = new ArrayList<>();
        for (JsonNode item : items) {
            TufKey.fromJson(item).ifPresent(keys::add);
        }
        if (!keys.stream().map(TufKey::kind).toList().equals(KINDS)) {
            throw new RejectedException(
                    Code.ATT_ARCHIVE, "a verifier has one key of each of the kinds " + KINDS + ", in this order");
        }
        return new VerifierId(keys);
    }

    public ArrayNode toJson() {
        ArrayNode list = Json.object().putArray("keys");
        keys.forEach(key -> list.add(key.toJson()));
        return list;
    }

    /** SHA-256 of the canonical form of the keys. */
    public Sha256 id() {
        return CanonicalJson.digest(toJson());
    }

    /** Both must sign. */
    public RootDocument.Role role() {
        return RootDocument.Role.of(keys, keys.size());
    }

    private ECPublicKey ecdsa() {
        return (ECPublicKey) keys.get(0).key();
    }

    /** The key of attestation results as a JWK (RFC 7517). */
    public ObjectNode jwk() {
        Base64.Encoder url = Base64.getUrlEncoder().withoutPadding();
        return Json.object()
                .put("kty", "EC")
                .put("crv", "P-256")
                .put("x", url.encodeToString(P256.field(ecdsa().getW().getAffineX())))
                .put("y", url.encodeToString(P256.field(ecdsa().getW().getAffineY())))
                .put("alg", "ES256")
                .put("use", "sig")
                .put("kid", P256.thumbprint(ecdsa()).hex());
    }

    /** The same key as PEM. */
    public String pem() {
        return P256.toPem(ecdsa());
    }
}
