package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.signing.RootSigning;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The chain of roots in a fleet's directory, and the fresh keys of the next one, {@code keys/root-<version>/}, which take the place of the
 * old ones when that root is published.
 */
public record RootFolder(FleetDirectory directory) {
    private static final int MAX_ROOT_BYTES = 512 * 1024;

    private long newest() {
        long version = 1;
        while (Files.exists(file(version + 1))) {
            version++;
        }
        return version;
    }

    private Path file(long version) {
        return directory.metadata(version + ".root.json");
    }

    private Path freshKeys(long version) {
        return directory.keys().resolve("root-" + version);
    }

    /** The next root, unsigned. Fresh keys of the roles are made, or taken where a draft before this one made them. */
    public byte[] draft(List<FleetKeys> rotate, Instant now) throws IOException, RejectedException {
        directory.config();
        long version = newest() + 1;
        ObjectNode signed = (ObjectNode) Json.readObject(Files.readAllBytes(file(version - 1)), MAX_ROOT_BYTES)
                .orThrow()
                .get("signed");
        Instant expires = now.plus(FleetRepository.ROOT_LIFE).truncatedTo(ChronoUnit.SECONDS);
        signed.put("version", version).put("expires", expires.toString());
        Path fresh = freshKeys(version);
        for (FleetKeys role : rotate) {
            Disk.LOCAL.createDirectories(fresh);
            boolean made = !role.loadPresent(fresh).isEmpty();
            RootSigning.rotate(
                    signed, role.name().toLowerCase(Locale.ROOT), made ? role.load(fresh) : role.generate(fresh));
        }
        ObjectNode draft = Json.object();
        draft.putArray("signatures");
        draft.set("signed", signed);
        return Json.write(draft);
    }

    /**
     * Publishes a root that every device will accept. One that was published before, when the power went, is finished.
     *
     * @return its version
     */
    public long publish(byte[] next) throws IOException, RejectedException {
        directory.config();
        long version = newest();
        if (!Arrays.equals(Files.readAllBytes(file(version)), next)) {
            version = RootSigning.follows(Files.readAllBytes(file(1)), Files.readAllBytes(file(version)), next)
                    .orThrow();
            // The root first: a second attempt finds the fresh keys where they were.
            FleetDirectory.replace(file(version), next);
        }
        takeKeys(freshKeys(version), next);
        return version;
    }

    /** Fresh keys that the root names; those of a draft that was thrown away stay where they are. */
    private void takeKeys(Path fresh, byte[] root) throws IOException, RejectedException {
        JsonNode named = Json.readObject(root, MAX_ROOT_BYTES).orThrow().at("/signed/keys");
        for (FleetKeys role : FleetKeys.values()) {
            for (SigningKey key : role.loadPresent(fresh)) {
                if (named.has(key.keyId())) {
                    FleetDirectory.move(role.file(fresh, key.kind()), role.file(directory.keys(), key.kind()));
                }
            }
        }
    }
}
