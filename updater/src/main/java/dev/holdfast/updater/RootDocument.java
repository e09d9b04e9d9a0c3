package dev.holdfast.updater;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A root: who may sign what.
 *
 * @param envelope the file
 * @param roles by name; the Director's keys stand under {@code director}
 */
record RootDocument(Envelope envelope, Map<String, Role> roles) {
    /** Three ML-DSA-65 keys with signatures take about 28 KB, so this holds generations of a large quorum. */
    static final int MAX_BYTES = 512 * 1024;

    static final String DIRECTOR = "director";
    private static final int MAX_KEYS = 128;

    /**
     * A role's keys.
     *
     * @param keyIds as listed
     * @param keys those of the listed that this client can use
     * @param threshold how many distinct keys must sign
     */
    record Role(List<String> keyIds, Map<String, TufKey> keys, long threshold) {}

    static RootDocument parse(byte[] bytes) throws RejectedException {
        Envelope envelope = Envelope.parse(bytes, "root", MAX_BYTES);
        JsonNode keyNode = envelope.signed().object("keys").node();
        if (keyNode.size() > MAX_KEYS) {
            throw new RejectedException(Code.UPD_FORMAT, "more than " + MAX_KEYS + " keys");
        }
        Map<String, TufKey> keys = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : keyNode.properties()) {
            // Key ids are opaque (TUF 1.0.34 section 4.2.1): never recomputed.
            TufKey.fromJson(entry.getValue()).ifPresent(key -> keys.put(entry.getKey(), key));
        }
        Fields roleNode = envelope.signed().object("roles");
        Map<String, Role> roles = new HashMap<>();
        for (String name : List.of("root", "targets", "snapshot", "timestamp")) {
            roles.put(name, role(roleNode.object(name), keys));
        }
        if (envelope.signed().has(RoleDocuments.DIRECTOR_FIELD)) {
            roles.put(DIRECTOR, role(envelope.signed().object(RoleDocuments.DIRECTOR_FIELD), keys));
        }
        return new RootDocument(envelope, Map.copyOf(roles));
    }

    private static Role role(Fields fields, Map<String, TufKey> keys) throws RejectedException {
        LinkedHashSet<String> ids = new LinkedHashSet<>();
        for (JsonNode id : fields.array("keyids", MAX_KEYS)) {
            if (!id.isTextual() || !ids.add(id.textValue())) {
                throw new RejectedException(Code.UPD_FORMAT, "key ids of a role must be distinct texts");
            }
        }
        Map<String, TufKey> own = new HashMap<>(keys);
        own.keySet().retainAll(ids);
        return new Role(new ArrayList<>(ids), Map.copyOf(own), fields.integer("threshold", 1));
    }

    long version() throws RejectedException {
        return envelope.version();
    }

    Sha256 hash() {
        return Sha256.of(envelope.bytes());
    }

    Role role(String name) throws RejectedException {
        Role role = roles.get(name);
        if (role == null) {
            throw new RejectedException(Code.UPD_FORMAT, "the root names no keys for " + name);
        }
        return role;
    }

    /** Whether keys or threshold of a role differ from those of {@code other}. */
    boolean rotates(String name, RootDocument other) {
        return !Optional.ofNullable(roles.get(name)).equals(Optional.ofNullable(other.roles.get(name)));
    }
}
