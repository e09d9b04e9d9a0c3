package dev.holdfast.image;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** An in-toto statement in a DSSE envelope (v1). The signature is over type and statement as they were before Base64. */
final class Envelope {
    /** A statement names each Debian package and some files; ours have 10 kilobytes. */
    static final int MAX_BYTES = 1 << 20;

    private static final int MAX_SIGNATURES = 8;
    private static final int MAX_SIGNATURE_CHARS = 256;

    private Envelope() {}

    static byte[] seal(byte[] statement, ReleaseSigner signer) {
        ObjectNode json = Json.object()
                .put("payloadType", MediaTypes.STATEMENT)
                .put("payload", Base64.getEncoder().encodeToString(statement));
        json.putArray("signatures")
                .addObject()
                .put("sig", Base64.getEncoder().encodeToString(signer.sign(signed(statement))));
        return Json.write(json);
    }

    /** The statement, if one of the signatures is by {@code key}; {@code IMG-PROVENANCE} otherwise. */
    static byte[] open(byte[] envelope, ReleaseKey key) throws RejectedException {
        Fields fields = document(envelope);
        if (!fields.text("payloadType", 255).equals(MediaTypes.STATEMENT)) {
            throw fields.wrong("payloadType", MediaTypes.STATEMENT);
        }
        byte[] statement = base64(fields, "payload", MAX_BYTES);
        byte[] signed = signed(statement);
        for (JsonNode each : fields.array("signatures", MAX_SIGNATURES)) {
            Fields signature = Fields.of(each, Code.IMG_PROVENANCE);
            if (key.verifies(signed, base64(signature, "sig", MAX_SIGNATURE_CHARS))) {
                return statement;
            }
        }
        throw new RejectedException(Code.IMG_PROVENANCE, "no signature of the provenance verifies under this key");
    }

    static Fields document(byte[] bytes) throws RejectedException {
        return switch (Json.readObject(bytes, MAX_BYTES)) {
            case Verdict.Accepted<JsonNode>(JsonNode node) -> new Fields(node, Code.IMG_PROVENANCE);
            case Verdict.Rejected<JsonNode>(Rejection why) ->
                throw new RejectedException(Code.IMG_PROVENANCE, why.detail(), why.offset());
        };
    }

    static byte[] base64(Fields fields, String name, int maxChars) throws RejectedException {
        try {
            return Base64.getDecoder().decode(fields.text(name, maxChars));
        } catch (IllegalArgumentException e) {
            throw fields.wrong(name, "Base64");
        }
    }

    /** DSSE's pre-authentication encoding. */
    private static byte[] signed(byte[] statement) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(
                ("DSSEv1 " + MediaTypes.STATEMENT.length() + " " + MediaTypes.STATEMENT + " " + statement.length + " ")
                        .getBytes(StandardCharsets.US_ASCII));
        out.writeBytes(statement);
        return out.toByteArray();
    }
}
