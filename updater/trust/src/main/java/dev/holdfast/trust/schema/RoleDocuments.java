package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.signing.RoleKeys;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Builds the {@code signed} part of each role (TUF 1.0.34 section 4). Files are published under consistent names:
 * {@code N.root.json}, {@code N.targets.json}, {@code N.snapshot.json}, {@code timestamp.json}.
 */
public final class RoleDocuments {
    /** The version of TUF that this code follows. */
    public static final String SPEC_VERSION = "1.0.34";
    /** Where a root document names the Director's keys; TUF clients ignore fields that they do not know. */
    public static final String DIRECTOR_FIELD = "x-holdfast-director";

    /** When an order was made, in seconds since 1970: what raises a device's trusted time. */
    public static final String ISSUED_FIELD = "issued";

    /** Stands in an order in place of a nonce. */
    public static final String OFFLINE_FIELD = "offline";

    private RoleDocuments() {}

    /** Keys and thresholds of all roles. */
    public record Roles(RoleKeys root, RoleKeys targets, RoleKeys snapshot, RoleKeys timestamp, RoleKeys director) {}

    public static ObjectNode root(long version, Instant expires, Roles roles) {
        ObjectNode signed = head("root", version, expires).put("consistent_snapshot", true);
        Map<String, RoleKeys> named = new LinkedHashMap<>();
        named.put("root", roles.root());
        named.put("targets", roles.targets());
        named.put("snapshot", roles.snapshot());
        named.put("timestamp", roles.timestamp());
        ObjectNode keys = signed.putObject("keys");
        ObjectNode entries = signed.putObject("roles");
        named.forEach((name, role) -> role(keys, entries.putObject(name), role));
        role(keys, signed.putObject(DIRECTOR_FIELD), roles.director());
        return signed;
    }

    public static ObjectNode targets(long version, Instant expires, Collection<TargetFile> files) {
        ObjectNode signed = head("targets", version, expires);
        put(signed.putObject("targets"), files);
        return signed;
    }

    /** Names the version, length and hash of the targets file. */
    public static ObjectNode snapshot(long version, Instant expires, long targetsVersion, byte[] targetsFile) {
        ObjectNode signed = head("snapshot", version, expires);
        meta(signed.putObject("meta").putObject("targets.json"), targetsVersion, targetsFile);
        return signed;
    }

    /** Names the version, length and hash of the snapshot file. */
    public static ObjectNode timestamp(long version, Instant expires, long snapshotVersion, byte[] snapshotFile) {
        ObjectNode signed = head("timestamp", version, expires);
        meta(signed.putObject("meta").putObject("snapshot.json"), snapshotVersion, snapshotFile);
        return signed;
    }

    /** A Director's answer to one device's nonce. */
    public static ObjectNode director(
            long version, Instant issued, Instant expires, String device, byte[] nonce, Collection<TargetFile> files) {
        ObjectNode signed = order(version, issued, expires, device)
                .put("nonce", Binary.copyOf(nonce).hex());
        put(signed.putObject("targets"), files);
        return signed;
    }

    /** A Director's order for a device that cannot ask: good until it expires, as often as it is brought. */
    public static ObjectNode offlineOrder(
            long version, Instant issued, Instant expires, String device, Collection<TargetFile> files) {
        ObjectNode signed = order(version, issued, expires, device).put(OFFLINE_FIELD, true);
        put(signed.putObject("targets"), files);
        return signed;
    }

    private static ObjectNode order(long version, Instant issued, Instant expires, String device) {
        return head("director", version, expires).put("device", device).put(ISSUED_FIELD, issued.getEpochSecond());
    }

    private static ObjectNode head(String type, long version, Instant expires) {
        return Json.object()
                .put("_type", type)
                .put("spec_version", SPEC_VERSION)
                .put("version", version)
                .put("expires", Expiry.format(expires));
    }

    public static void role(ObjectNode keys, ObjectNode entry, RoleKeys role) {
        List<String> ids = new ArrayList<>();
        for (SigningKey key : role.keys()) {
            keys.set(key.keyId(), key.publicJson());
            ids.add(key.keyId());
        }
        ids.forEach(entry.putArray("keyids")::add);
        entry.put("threshold", role.threshold());
    }

    private static void put(ObjectNode targets, Collection<TargetFile> files) {
        for (TargetFile file : files) {
            ObjectNode entry = targets.putObject(file.path()).put("length", file.length());
            entry.putObject("hashes").put("sha256", file.sha256().hex());
            entry.set("custom", file.custom().deepCopy());
        }
    }

    private static void meta(ObjectNode entry, long version, byte[] file) {
        entry.put("version", version).put("length", file.length);
        entry.putObject("hashes").put("sha256", Sha256.of(file).hex());
    }
}
