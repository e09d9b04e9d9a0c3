package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.time.Instant;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * What a timestamp says of the snapshot, or a snapshot of the targets (TUF 1.0.34 section 4.4). Length and hash are
 * optional there.
 */
public record Meta(long version, Optional<Long> length, Optional<Hashes> hashes) {
    public static Meta of(Envelope parent, String name) throws RejectedException {
        Fields meta = parent.signed().object("meta").object(name);
        return new Meta(
                meta.integer("version", 1),
                meta.has("length") ? Optional.of(meta.integer("length", 1)) : Optional.empty(),
                meta.has("hashes") ? Optional.of(Hashes.read(meta.object("hashes"))) : Optional.empty());
    }

    /** What is said of a file of our own: everything. */
    public static Meta of(long version, byte[] file) {
        return new Meta(version, Optional.of((long) file.length), Optional.of(Hashes.of(Sha256.of(file))));
    }

    /** Everything that a snapshot or a timestamp says, by file name. */
    public static Map<String, Meta> all(Envelope parent) throws RejectedException {
        Map<String, Meta> all = new LinkedHashMap<>();
        for (Iterator<String> names = parent.signed().object("meta").node().fieldNames(); names.hasNext(); ) {
            String name = names.next();
            all.put(name, of(parent, name));
        }
        return all;
    }

    /** The signed part of a snapshot that lists one targets role. */
    public static ObjectNode snapshot(long version, Instant expires, Meta targets) {
        return snapshot(version, expires, Map.of("targets.json", targets));
    }

    /** The signed part of a snapshot that lists these files by name. */
    public static ObjectNode snapshot(long version, Instant expires, Map<String, Meta> files) {
        ObjectNode signed = Envelope.head("snapshot", version, expires);
        ObjectNode listed = signed.putObject("meta");
        files.forEach((name, meta) -> listed.set(name, meta.toJson()));
        return signed;
    }

    /** The signed part of a timestamp. */
    public static ObjectNode timestamp(long version, Instant expires, Meta snapshot) {
        ObjectNode signed = Envelope.head("timestamp", version, expires);
        signed.putObject("meta").set("snapshot.json", snapshot.toJson());
        return signed;
    }

    /** The object, as {@link #of(Envelope, String)} reads it. */
    private ObjectNode toJson() {
        ObjectNode json = Json.object().put("version", version);
        length.ifPresent(bytes -> json.put("length", bytes));
        hashes.ifPresent(all -> json.set("hashes", all.toJson()));
        return json;
    }

    public int maxBytes(int limit) {
        return (int) Math.min(limit, length.orElse((long) limit));
    }

    public void requireBytes(byte[] bytes, String role, int limit) throws RejectedException {
        boolean wrongLength = length.isPresent() && length.get() != bytes.length;
        boolean wrongHash = hashes.isPresent() && !hashes.get().match(bytes);
        if (bytes.length > limit || wrongLength || wrongHash) {
            throw new RejectedException(
                    Code.UPD_MISMATCH, role + " is not the file of " + bytes.length + " bytes that its parent names");
        }
    }

    /** Whether a stored file is the one that is meant. */
    public boolean names(Envelope stored) throws RejectedException {
        return stored.version() == version
                && length.map(bytes -> bytes == stored.bytes().length).orElse(true)
                && hashes.map(all -> all.match(stored.bytes())).orElse(true);
    }

    public void requireVersion(Envelope child) throws RejectedException {
        if (child.version() != version) {
            throw new RejectedException(
                    Code.UPD_MISMATCH, child.type() + " is version " + child.version() + ", not " + version);
        }
    }
}
