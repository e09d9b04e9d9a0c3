package dev.holdfast.trust.schema;

import com.fasterxml.jackson.databind.JsonNode;
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

    /** The hash by which devices name files; what a device installs has one. */
    public Sha256 sha256() {
        return hashes.sha256().orElseThrow();
    }

    /** Whether it can be installed on a device. */
    public boolean isNamed() {
        return hashes.sha256().isPresent();
    }
}
