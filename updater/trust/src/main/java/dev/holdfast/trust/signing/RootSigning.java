package dev.holdfast.trust.signing;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.client.RepositoryClient;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.RoleDocuments;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A root on its way through the hands of those who sign it. */
public final class RootSigning {
    private RootSigning() {}

    /** The same document with one signature of each key more; a signature that a key made before is replaced. */
    public static byte[] add(byte[] root, List<SigningKey> keys) throws RejectedException {
        Envelope envelope = Envelope.parse(root, "root", RootDocument.MAX_BYTES);
        Map<String, byte[]> signatures = new LinkedHashMap<>(envelope.signatures());
        for (SigningKey key : keys) {
            signatures.put(key.keyId(), key.sign(envelope.canonical()));
        }
        ObjectNode file = Json.object();
        ArrayNode list = file.putArray("signatures");
        signatures.forEach((id, signature) -> list.addObject()
                .put("keyid", id)
                .put("sig", Binary.copyOf(signature).hex()));
        file.set("signed", envelope.signed().node());
        return Json.write(file);
    }

    /**
     * What every device will ask: whether {@code next} may follow {@code previous} (TUF 1.0.34 section 5.3.4 and 5.3.5), under the
     * families that {@code factory} pins. Accepted is its version.
     */
    public static Verdict<Long> follows(byte[] factory, byte[] previous, byte[] next) {
        return Verdict.of(() -> {
            FamilyPolicy families = FamilyPolicy.of(RootDocument.parse(factory));
            return RootDocument.parse(previous)
                    .next(next, families, RepositoryClient.SOFTWARE)
                    .version();
        });
    }

    /** Puts fresh keys in the place of a role's; keys that no role names any more disappear: they are revoked. */
    public static void rotate(ObjectNode root, String role, RoleKeys fresh) {
        ObjectNode entries = (ObjectNode) root.get("roles");
        ObjectNode entry = role.equals(RootDocument.DIRECTOR)
                ? (ObjectNode) root.get(RoleDocuments.DIRECTOR_FIELD)
                : (ObjectNode) entries.get(role);
        ObjectNode keys = (ObjectNode) root.get("keys");
        RoleDocuments.role(keys, entry, fresh);
        Set<String> named = new HashSet<>();
        entries.forEach(one -> one.get("keyids").forEach(id -> named.add(id.asText())));
        root.path(RoleDocuments.DIRECTOR_FIELD).path("keyids").forEach(id -> named.add(id.asText()));
        keys.retain(named);
    }
}
