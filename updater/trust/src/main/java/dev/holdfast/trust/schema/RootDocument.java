package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * A root: who may sign what.
 *
 * @param envelope the file
 * @param roles by name; the Director's keys are under {@code director}
 */
public record RootDocument(Envelope envelope, Map<String, Role> roles) {
    /** Three ML-DSA-65 keys with signatures take about 28 KB, so this holds generations of a large quorum. */
    public static final int MAX_BYTES = 512 * 1024;

    public static final String DIRECTOR = "director";
    /** Where a root names the Director's keys; TUF clients ignore fields that they do not know. */
    private static final String DIRECTOR_FIELD = "x-holdfast-director";

    /** Who may withdraw releases; where a root does not name the role, nobody may. */
    public static final String REVOCATIONS = "revocations";

    private static final String REVOCATIONS_FIELD = "x-holdfast-revocations";
    /** Roles of Holdfast, which are not among {@code roles}: their fields. */
    private static final Map<String, String> OWN_ROLES =
            Map.of(DIRECTOR, DIRECTOR_FIELD, REVOCATIONS, REVOCATIONS_FIELD);

    /** The fleet that the root is of; set where it is made, for the person who anchors it. */
    public static final String FLEET_FIELD = "x-holdfast-fleet";

    /** Where a root names who issues certificates to devices: SHA-256 of each SubjectPublicKeyInfo. */
    private static final String AUTHORITIES_FIELD = "x-holdfast-device-authorities";
    /** The one of today, and those that it takes the place of. */
    private static final int MAX_AUTHORITIES = 4;

    private static final String CONSISTENT_FIELD = "consistent_snapshot";
    private static final String KEY_IDS_FIELD = "keyids";
    private static final String THRESHOLD_FIELD = "threshold";
    private static final int MAX_KEYS = 128;
    private static final List<String> TOP_LEVEL = List.of("root", "targets", "snapshot", "timestamp");

    /**
     * A role's keys.
     *
     * @param keyIds as listed
     * @param keys those of the listed that this client can use
     * @param threshold how many distinct keys must sign
     */
    public record Role(List<String> keyIds, Map<String, TufKey> keys, long threshold) {
        /** A role of our own, with the ids that we give to keys. */
        public static Role of(List<TufKey> keys, int threshold) {
            Map<String, TufKey> named = new LinkedHashMap<>();
            keys.forEach(key -> named.put(key.keyId(), key));
            if (threshold < 1 || threshold > named.size()) {
                throw new IllegalArgumentException("threshold " + threshold + " of " + named.size());
            }
            return new Role(List.copyOf(named.keySet()), Map.copyOf(named), threshold);
        }

        /** Writes the role's entry, and its keys beside those of other roles. */
        void put(ObjectNode allKeys, ObjectNode entry) {
            keyIds.forEach(
                    id -> allKeys.set(id, Objects.requireNonNull(keys.get(id)).toJson()));
            keyIds.forEach(entry.putArray(KEY_IDS_FIELD)::add);
            entry.put(THRESHOLD_FIELD, threshold);
        }
    }

    /** Keys and thresholds of all roles. */
    public record Roles(Role root, Role targets, Role snapshot, Role timestamp, Role director) {}

    /** The signed part of a root, under consistent names: {@code N.targets.json}, {@code N.snapshot.json}. */
    public static ObjectNode signedPart(long version, Instant expires, Roles roles) {
        ObjectNode signed = Envelope.head("root", version, expires).put(CONSISTENT_FIELD, true);
        ObjectNode keys = signed.putObject("keys");
        ObjectNode entries = signed.putObject("roles");
        roles.root.put(keys, entries.putObject("root"));
        roles.targets.put(keys, entries.putObject("targets"));
        roles.snapshot.put(keys, entries.putObject("snapshot"));
        roles.timestamp.put(keys, entries.putObject("timestamp"));
        roles.director.put(keys, signed.putObject(DIRECTOR_FIELD));
        return signed;
    }

    /** Names who may withdraw releases, before that root is signed. */
    public static ObjectNode nameRevocations(ObjectNode signed, Role role) {
        role.put(signed.withObjectProperty("keys"), signed.putObject(REVOCATIONS_FIELD));
        return signed;
    }

    /** Names who issues certificates to devices, before that root is signed. */
    public static ObjectNode name(ObjectNode signed, Set<Sha256> deviceAuthorities) {
        ArrayNode list = signed.putArray(AUTHORITIES_FIELD);
        deviceAuthorities.stream().map(Sha256::hex).sorted().forEach(list::add);
        return signed;
    }

    /** Who issues certificates to devices, by SHA-256 of the SubjectPublicKeyInfo; empty where this root names nobody. */
    public Set<Sha256> deviceAuthorities() throws RejectedException {
        Set<Sha256> named = new HashSet<>();
        if (envelope.signed().has(AUTHORITIES_FIELD)) {
            for (JsonNode hex : envelope.signed().array(AUTHORITIES_FIELD, MAX_AUTHORITIES)) {
                if (!(Sha256.fromHex(hex.asText()) instanceof Verdict.Accepted<Sha256>(Sha256 digest))) {
                    throw new RejectedException(Code.UPD_FORMAT, AUTHORITIES_FIELD + " must be SHA-256 digests");
                }
                named.add(digest);
            }
        }
        return named;
    }

    /**
     * The signed part of the root after this one: what it says stays, but for the roles that get fresh keys. Keys that no role
     * names any more disappear: they are revoked.
     *
     * @param fresh roles by name
     */
    public ObjectNode successor(Instant expires, Map<String, Role> fresh) throws RejectedException {
        ObjectNode signed = envelope.signed().node().deepCopy();
        signed.put("version", version() + 1).put(Expiry.FIELD, Expiry.format(expires));
        ObjectNode keys = signed.withObjectProperty("keys");
        ObjectNode entries = signed.withObjectProperty("roles");
        fresh.forEach((name, role) -> role.put(
                keys,
                OWN_ROLES.containsKey(name)
                        ? signed.withObjectProperty(OWN_ROLES.get(name))
                        : entries.withObjectProperty(name)));
        Set<String> named = new HashSet<>();
        entries.forEach(one -> one.path(KEY_IDS_FIELD).forEach(id -> named.add(id.asText())));
        OWN_ROLES
                .values()
                .forEach(field -> signed.path(field).path(KEY_IDS_FIELD).forEach(id -> named.add(id.asText())));
        keys.retain(named);
        return signed;
    }

    public static RootDocument parse(byte[] bytes) throws RejectedException {
        Envelope envelope = Envelope.parse(bytes, "root", MAX_BYTES);
        Map<String, TufKey> keys = keys(envelope.signed().object("keys").node());
        Fields roleNode = envelope.signed().object("roles");
        Map<String, Role> roles = new HashMap<>();
        for (String name : TOP_LEVEL) {
            roles.put(name, role(roleNode.object(name), keys));
        }
        for (Map.Entry<String, String> own : OWN_ROLES.entrySet()) {
            if (envelope.signed().has(own.getValue())) {
                roles.put(own.getKey(), role(envelope.signed().object(own.getValue()), keys));
            }
        }
        RootDocument document = new RootDocument(envelope, Map.copyOf(roles));
        document.deviceAuthorities();
        return document;
    }

    /** Keys by id; those of kinds that this client does not know are left out. */
    static Map<String, TufKey> keys(JsonNode keyNode) throws RejectedException {
        if (keyNode.size() > MAX_KEYS) {
            throw new RejectedException(Code.UPD_FORMAT, "more than " + MAX_KEYS + " keys");
        }
        Map<String, TufKey> keys = new HashMap<>();
        for (Map.Entry<String, JsonNode> entry : keyNode.properties()) {
            // Key ids are opaque (TUF 1.0.34 section 4.2.1): never recomputed.
            TufKey.fromJson(entry.getValue()).ifPresent(key -> keys.put(entry.getKey(), key));
        }
        return keys;
    }

    /** The root after this one, TUF 1.0.34 section 5.3.4 and 5.3.5: signed by both, and of the next version. */
    public RootDocument next(byte[] bytes, FamilyPolicy families, AnchorVerifier verifier) throws RejectedException {
        RootDocument next = parse(bytes);
        next.envelope.requireThreshold(role("root"), families, verifier);
        next.envelope.requireThreshold(next.role("root"), families, verifier);
        if (next.version() != version() + 1) {
            throw new RejectedException(
                    next.version() <= version() ? Code.UPD_ROLLBACK : Code.UPD_MISMATCH,
                    "root " + next.version() + " after " + version());
        }
        return next;
    }

    /** Whether files carry their version in their name (TUF 1.0.34 section 6.2). */
    public boolean consistentSnapshot() {
        return envelope.signed().node().path(CONSISTENT_FIELD).asBoolean(false);
    }

    static Role role(Fields fields, Map<String, TufKey> keys) throws RejectedException {
        LinkedHashSet<String> ids = new LinkedHashSet<>();
        for (JsonNode id : fields.array(KEY_IDS_FIELD, MAX_KEYS)) {
            if (!id.isTextual() || !ids.add(id.textValue())) {
                throw new RejectedException(Code.UPD_FORMAT, "key ids of a role must be distinct texts");
            }
        }
        Map<String, TufKey> own = new HashMap<>(keys);
        own.keySet().retainAll(ids);
        return new Role(new ArrayList<>(ids), Map.copyOf(own), fields.integer(THRESHOLD_FIELD, 1));
    }

    public long version() throws RejectedException {
        return envelope.version();
    }

    /** The name of the fleet; empty in roots of before 0.2. */
    public Optional<String> fleet() throws RejectedException {
        Fields signed = envelope.signed();
        return signed.has(FLEET_FIELD)
                ? Optional.of(signed.text(FLEET_FIELD, Envelope.MAX_NAME_CHARS))
                : Optional.empty();
    }

    public Sha256 hash() {
        return Sha256.of(envelope.bytes());
    }

    public Role role(String name) throws RejectedException {
        Role role = roles.get(name);
        if (role == null) {
            throw new RejectedException(Code.UPD_FORMAT, "the root names no keys for " + name);
        }
        return role;
    }

    static boolean isTopLevel(String role) {
        return TOP_LEVEL.contains(role);
    }

    /** Whether keys or threshold of a role differ from those of {@code other}. */
    public boolean rotates(String name, RootDocument other) {
        return !Optional.ofNullable(roles.get(name)).equals(Optional.ofNullable(other.roles.get(name)));
    }
}
