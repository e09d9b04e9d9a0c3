package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A role that lists targets and names further ones that may (TUF 1.0.34 section 4.5).
 *
 * @param version of the metadata
 * @param files by target path
 * @param delegations in the order of their priority
 */
public record TargetsRole(long version, Map<String, TargetFile> files, List<Delegation> delegations) {
    private static final int MAX_TARGETS = 20_000;
    private static final int MAX_DELEGATIONS = 1_024;
    private static final int MAX_PATTERNS = 4_096;
    private static final int MAX_PATTERN_CHARS = 1_024;

    public TargetsRole {
        delegations = List.copyOf(delegations);
    }

    /**
     * A role that may speak for some paths.
     *
     * @param patterns of paths, or empty where prefixes are given
     * @param hashPrefixes hexadecimal beginnings of the SHA-256 of paths
     * @param terminating whether a path that matches is looked for nowhere after
     */
    public record Delegation(
            String name,
            RootDocument.Role role,
            List<String> patterns,
            List<String> hashPrefixes,
            boolean terminating) {

        public boolean covers(String path) {
            String hash = Sha256.of(path.getBytes(StandardCharsets.UTF_8)).hex();
            return hashPrefixes.stream().anyMatch(hash::startsWith)
                    || patterns.stream().anyMatch(pattern -> PathPattern.matches(pattern, path));
        }
    }

    public static TargetsRole parse(Envelope envelope) throws RejectedException {
        Fields signed = envelope.signed();
        return new TargetsRole(
                envelope.version(),
                files(signed),
                signed.has("delegations") ? delegations(signed.object("delegations")) : List.of());
    }

    /** The signed part of a role that lists these files and delegates nothing. */
    public static ObjectNode signedPart(long version, Instant expires, Collection<TargetFile> files) {
        ObjectNode signed = Envelope.head("targets", version, expires);
        put(signed, files);
        return signed;
    }

    /** Writes {@code targets} as {@link #files} reads it. */
    public static void put(ObjectNode signed, Collection<TargetFile> files) {
        ObjectNode targets = signed.putObject("targets");
        files.forEach(file -> targets.set(file.path(), file.toJson()));
    }

    /** Reads {@code targets} of a targets role or of an order. */
    public static Map<String, TargetFile> files(Fields signed) throws RejectedException {
        JsonNode node = signed.object("targets").node();
        if (node.size() > MAX_TARGETS) {
            throw new RejectedException(Code.UPD_FORMAT, "more than " + MAX_TARGETS + " targets");
        }
        Map<String, TargetFile> files = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            files.put(entry.getKey(), TargetFile.read(entry.getKey(), entry.getValue()));
        }
        return files;
    }

    private static List<Delegation> delegations(Fields fields) throws RejectedException {
        List<Delegation> found = new ArrayList<>();
        if (!fields.has("roles")) {
            return found;
        }
        Map<String, TufKey> keys = RootDocument.keys(fields.object("keys").node());
        for (JsonNode item : fields.array("roles", MAX_DELEGATIONS)) {
            Fields role = Fields.of(item, Code.UPD_FORMAT);
            String name = role.text("name", Envelope.MAX_NAME_CHARS);
            if (RootDocument.isTopLevel(name)) {
                throw new RejectedException(Code.UPD_FORMAT, "a delegated role is called " + name);
            }
            RoleName.requireFileName(name);
            found.add(new Delegation(
                    name,
                    RootDocument.role(role, keys),
                    texts(role, "paths"),
                    texts(role, "path_hash_prefixes"),
                    role.node().path("terminating").asBoolean(false)));
        }
        return found;
    }

    private static List<String> texts(Fields role, String key) throws RejectedException {
        List<String> texts = new ArrayList<>();
        if (role.has(key)) {
            for (JsonNode item : role.array(key, MAX_PATTERNS)) {
                if (!item.isTextual() || item.textValue().length() > MAX_PATTERN_CHARS) {
                    throw new RejectedException(Code.UPD_FORMAT, key + " must hold texts");
                }
                texts.add(item.textValue());
            }
        }
        return texts;
    }
}
