package dev.holdfast.trust.client;

import dev.holdfast.trust.schema.TargetFile;
import java.util.Map;
import java.util.Optional;

/**
 * What the Image repository lists, verified up to its root.
 *
 * @param version version of the targets role
 * @param files by target path
 */
public record TrustedTargets(long version, Map<String, TargetFile> files) {
    public TrustedTargets {
        files = Map.copyOf(files);
    }

    public Optional<TargetFile> find(String path) {
        return Optional.ofNullable(files.get(path));
    }
}
