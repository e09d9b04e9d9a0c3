package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.Signature;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * A signature by OpenSSF Model Signing v1.0 (OMS) with a key: a Sigstore bundle with a DSSE envelope over an in-toto
 * statement. It says who made a model, which TUF does not; how fresh it is and for whom, TUF says. Certificates and
 * Sigstore's own identities are refused: their verification needs roots and logs that a device does not have.
 *
 * @param subject what the signer called the model; for people
 */
public record ModelSignature(String subject) {
    /** One file has one resource; a bundle of some kilobytes. */
    public static final int MAX_BYTES = 256 * 1024;

    private static final Pattern MEDIA_TYPE =
            Pattern.compile("application/vnd\\.dev\\.sigstore\\.bundle(\\.v0\\.3\\+json|\\+json;version=0\\.[123])");
    private static final String PAYLOAD_TYPE = "application/vnd.in-toto+json";
    private static final String STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
    private static final String PREDICATE_TYPE = "https://model_signing/signature/v1.0";

    /**
     * OMS v1.0 section 8 for a model of one file.
     *
     * @param bundle the signature file
     * @param key the key that the signed metadata pins; no other one counts
     * @param model SHA-256 of the model file
     */
    public static Verdict<ModelSignature> verify(byte[] bundle, SignerKey key, Sha256 model) {
        return Verdict.of(() -> {
            // 8.1
            Fields file = fields(bundle, "bundle");
            requireOnly(file, Set.of("mediaType", "verificationMaterial", "dsseEnvelope"));
            if (!MEDIA_TYPE.matcher(text(file, "mediaType")).matches()) {
                throw wrong("the media type is none of a Sigstore bundle");
            }
            requirePinned(object(file, "verificationMaterial"), key);
            byte[] payload = verified(object(file, "dsseEnvelope"), key); // 8.2
            return statement(payload, model); // 8.3 and 8.4
        });
    }

    /** Section 4.1: the hint names the key by its PEM form; bundles before v1.1.0 carry the key itself. */
    private static void requirePinned(Fields material, SignerKey key) throws RejectedException {
        requireOnly(material, Set.of("publicKey", "tlogEntries", "timestampVerificationData"));
        Fields named = object(material, "publicKey");
        boolean pinned =
                named.has("hint") ? text(named, "hint").equals(key.hint()) : key.isPem(base64(named, "rawBytes"));
        if (!pinned) {
            throw new RejectedException(Code.OMS_KEY, "the bundle names another key than the metadata");
        }
    }

    /** DSSE v1: the signature is over type and payload as they were before Base64. */
    private static byte[] verified(Fields envelope, SignerKey key) throws RejectedException {
        requireOnly(envelope, Set.of("payload", "payloadType", "signatures"));
        if (!text(envelope, "payloadType").equals(PAYLOAD_TYPE)) {
            throw wrong("the payload is no in-toto statement");
        }
        byte[] payload = base64(envelope, "payload");
        List<JsonNode> signatures = array(envelope, "signatures", 1);
        Fields signature = object(signatures.getFirst());
        requireOnly(signature, Set.of("sig", "keyid"));
        byte[] sig = base64(signature, "sig");
        try {
            Signature check = Signature.getInstance(key.algorithm());
            check.initVerify(key.key());
            check.update(("DSSEv1 " + PAYLOAD_TYPE.length() + " " + PAYLOAD_TYPE + " " + payload.length + " ")
                    .getBytes(StandardCharsets.US_ASCII));
            check.update(payload);
            if (check.verify(sig)) {
                return payload;
            }
        } catch (GeneralSecurityException e) {
            throw new RejectedException(Code.OMS_SIGNATURE, String.valueOf(e.getMessage()));
        }
        throw new RejectedException(Code.OMS_SIGNATURE, "the signature does not verify under the pinned key");
    }

    private static ModelSignature statement(byte[] payload, Sha256 model) throws RejectedException {
        Fields statement = fields(payload, "statement");
        requireOnly(statement, Set.of("_type", "subject", "predicateType", "predicate"));
        if (!text(statement, "_type").equals(STATEMENT_TYPE)
                || !text(statement, "predicateType").equals(PREDICATE_TYPE)) {
            throw wrong("the statement is none about a signed model");
        }
        Fields subject = object(array(statement, "subject", 1).getFirst());
        Fields predicate = object(statement, "predicate");
        requireOnly(predicate, Set.of("resources", "serialization"));
        Fields serialization = object(predicate, "serialization");
        requireOnly(serialization, Set.of("method", "hash_type", "shard_size", "allow_symlinks", "ignore_paths"));
        if (!text(serialization, "method").equals("files")
                || !text(serialization, "hash_type").equals("sha256")
                || serialization.has("shard_size")) {
            throw wrong("only whole files under SHA-256 are supported");
        }
        Fields resource = object(array(predicate, "resources", 1).getFirst());
        // 6.5.1: the subject's digest is that over the digests of all resources.
        boolean same = text(resource, "algorithm").equals("sha256")
                && text(resource, "digest").equals(model.hex())
                && text(object(subject, "digest"), "sha256")
                        .equals(Sha256.of(model.toArray()).hex());
        if (!same) {
            throw new RejectedException(Code.OMS_SUBJECT, "the statement is about another file");
        }
        return new ModelSignature(text(subject, "name"));
    }

    private static Fields fields(byte[] json, String what) throws RejectedException {
        if (Json.readObject(json, MAX_BYTES) instanceof Verdict.Accepted<JsonNode>(JsonNode node)) {
            return new Fields(node, Code.UPD_FORMAT);
        }
        throw wrong("the " + what + " is not a JSON object of at most " + MAX_BYTES + " bytes");
    }

    private static void requireOnly(Fields fields, Set<String> names) throws RejectedException {
        for (var field : fields.node().properties()) {
            if (!names.contains(field.getKey())) {
                throw wrong("unexpected " + field.getKey());
            }
        }
    }

    private static byte[] base64(Fields fields, String key) throws RejectedException {
        try {
            return Base64.getDecoder().decode(text(fields, key));
        } catch (IllegalArgumentException e) {
            throw wrong(key + " is not Base64");
        }
    }

    private static String text(Fields fields, String key) throws RejectedException {
        JsonNode value = fields.node().path(key);
        if (!value.isTextual() || value.textValue().isEmpty()) {
            throw wrong(key + " must be text");
        }
        return value.textValue();
    }

    private static List<JsonNode> array(Fields fields, String key, int items) throws RejectedException {
        JsonNode value = fields.node().path(key);
        if (!value.isArray() || value.size() != items) {
            throw wrong(key + " must have one item");
        }
        return List.of(value.get(0));
    }

    private static Fields object(Fields fields, String key) throws RejectedException {
        return object(fields.node().path(key));
    }

    private static Fields object(JsonNode value) throws RejectedException {
        if (!value.isObject()) {
            throw wrong("an object is expected");
        }
        return new Fields(value, Code.UPD_FORMAT);
    }

    private static RejectedException wrong(String detail) {
        return new RejectedException(Code.OMS_FORMAT, detail);
    }
}
