package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.function.Consumer;

/** A signer by OpenSSF Model Signing with a fresh P-256 key, who can be told to sign nonsense. */
public final class OmsSigner {
    private static final String TYPE = "application/vnd.in-toto+json";
    private final KeyPair pair;
    private final SignerKey key;

    public OmsSigner() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            pair = generator.generateKeyPair();
            key = SignerKey.fromPem(new SignerKey(pair.getPublic(), "").toPem()).orThrow();
        } catch (GeneralSecurityException | RejectedException e) {
            throw new AssertionError(e);
        }
    }

    public SignerKey key() {
        return key;
    }

    public ObjectNode statement(Sha256 model) {
        ObjectNode statement = Json.object().put("_type", "https://in-toto.io/Statement/v1");
        statement
                .putArray("subject")
                .addObject()
                .put("name", "model.gguf")
                .putObject("digest")
                .put("sha256", Sha256.of(model.toArray()).hex());
        statement.put("predicateType", "https://model_signing/signature/v1.0");
        ObjectNode predicate = statement.putObject("predicate");
        predicate
                .putArray("resources")
                .addObject()
                .put("name", "model.gguf")
                .put("algorithm", "sha256")
                .put("digest", model.hex());
        predicate
                .putObject("serialization")
                .put("method", "files")
                .put("hash_type", "sha256")
                .put("allow_symlinks", false);
        return statement;
    }

    /** Signs, then changes what is outside of the signature. */
    public byte[] bundle(ObjectNode statement, Consumer<ObjectNode> change) {
        return bundle(Json.write(statement), change);
    }

    public byte[] bundle(byte[] payload, Consumer<ObjectNode> change) {
        ObjectNode bundle = Json.object().put("mediaType", "application/vnd.dev.sigstore.bundle.v0.3+json");
        ObjectNode material = bundle.putObject("verificationMaterial");
        material.putObject("publicKey").put("hint", key.hint());
        material.putArray("tlogEntries");
        ObjectNode envelope = bundle.putObject("dsseEnvelope")
                .put("payload", Base64.getEncoder().encodeToString(payload))
                .put("payloadType", TYPE);
        envelope.putArray("signatures")
                .addObject()
                .put("sig", Base64.getEncoder().encodeToString(sign(payload)))
                .put("keyid", "");
        change.accept(bundle);
        return Json.write(bundle);
    }

    private byte[] sign(byte[] payload) {
        try {
            Signature signature = Signature.getInstance("SHA256withECDSA");
            signature.initSign(pair.getPrivate());
            signature.update(("DSSEv1 " + TYPE.length() + " " + TYPE + " " + payload.length + " ")
                    .getBytes(StandardCharsets.US_ASCII));
            signature.update(payload);
            return signature.sign();
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }
}
