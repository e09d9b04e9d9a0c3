package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;

/**
 * A target as signed metadata lists it.
 *
 * @param path the target path, such as {@code models/intent/1.0.0/model.gguf}
 * @param length bytes of the file
 * @param hashes of the whole file
 * @param custom the signed {@code custom} block; an empty object where the target has none
 */
public record TargetFile(String path, long length, Hashes hashes, JsonNode custom) {
    public TargetFile {
        if (length < 0) {
            throw new IllegalArgumentException("negative length");
        }
        custom = custom.deepCopy();
    }

    public TargetFile(String path, long length, Sha256 sha256, JsonNode custom) {
        this(path, length, Hashes.of(sha256), custom);
    }

    /** Reads an entry of {@code targets} (TUF 1.0.34 section 4.5); {@code UPD-FORMAT}. */
    static TargetFile read(String path, JsonNode entry) throws RejectedException {
        Fields target = Fields.of(entry, Code.UPD_FORMAT);
        JsonNode custom = target.has("custom") ? target.object("custom").node() : Json.object();
        return new TargetFile(path, target.integer("length", 0), Hashes.read(target.object("hashes")), custom);
    }

    /** The entry, as {@link #read} reads it. */
    ObjectNode toJson() {
        ObjectNode entry = Json.object().put("length", length);
        entry.set("hashes", hashes.toJson());
        entry.set("custom", custom.deepCopy());
        return entry;
    }

    /** The hash by which devices name files; what a device installs has one. */
    public Sha256 sha256() {
        return hashes.sha256().orElseThrow();
    }

    /** Whether it can be installed on a device. */
    public boolean isNamed() {
        return hashes.sha256().isPresent();
    }
}
