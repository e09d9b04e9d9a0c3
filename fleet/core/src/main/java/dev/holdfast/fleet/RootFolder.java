package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RootSigning;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The chain of roots in a fleet's directory, and the fresh keys of the next one, {@code keys/root-<version>/}, which take the place of the
 * old ones when that root is published.
 */
public record RootFolder(FleetDirectory directory) {
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

    /**
     * The next root, unsigned. It names the authority for devices' certificates that the fleet has now. Fresh keys of the roles are made, or taken where a draft before
     * this one made them.
     */
    public byte[] draft(List<FleetKeys> rotate, Instant now) throws IOException, RejectedException {
        directory.config();
        // Two drafts of one version share their fresh keys.
        return directory.exclusively(() -> {
            long version = newest();
            Path folder = freshKeys(version + 1);
            Map<String, RootDocument.Role> fresh = new LinkedHashMap<>();
            for (FleetKeys role : rotate) {
                Disk.LOCAL.createDirectories(folder);
                boolean made = !role.loadPresent(folder).isEmpty();
                RoleSigner signer = made ? role.load(folder) : role.generate(folder);
                fresh.put(name(role), signer.role());
            }
            RootDocument last = RootDocument.parse(Files.readAllBytes(file(version)));
            ObjectNode next = last.successor(now.plus(SignedRole.ROOT.life()), fresh);
            Clock then = Clock.fixed(now, ZoneOffset.UTC);
            RootDocument.name(
                    next,
                    Set.of(DeviceCertificates.open(directory, directory.config().name(), then)
                            .authorityKey()));
            return Envelope.write(next, Map.of());
        });
    }

    /**
     * Publishes a root that every device will accept, and signs again what is published, since keys may be others now. One that was
     * published before, when the power went, is finished.
     *
     * @return its version
     */
    public long publish(byte[] next, FleetRepository repository) throws IOException, RejectedException {
        directory.config();
        return directory.exclusively(() -> {
            long version = newest();
            if (!Arrays.equals(Files.readAllBytes(file(version)), next)) {
                version = RootSigning.follows(Files.readAllBytes(file(1)), Files.readAllBytes(file(version)), next)
                        .orThrow();
                // The root first: a second attempt finds the fresh keys where they were.
                FleetDirectory.replace(file(version), next);
            }
            takeKeys(freshKeys(version), RootDocument.parse(next));
            repository.signAgain();
            return version;
        });
    }

    /** Takes a root that was published elsewhere as the newest; one that is here already is passed over. */
    void follow(byte[] next) throws IOException, RejectedException {
        long version = RootDocument.parse(next).version();
        if (version <= newest() && Arrays.equals(Files.readAllBytes(file(version)), next)) {
            return;
        }
        version = RootSigning.follows(Files.readAllBytes(file(1)), Files.readAllBytes(file(newest())), next)
                .orThrow();
        FleetDirectory.replace(file(version), next);
    }

    /** Forgets fresh keys of a root that was not published. */
    void forgetDraft() throws IOException {
        Path folder = freshKeys(newest() + 1);
        for (FleetKeys role : FleetKeys.values()) {
            for (KeyKind kind : KeyKind.values()) {
                Files.deleteIfExists(role.file(folder, kind));
            }
        }
    }

    /** Publishes {@code next}, as {@link #publish} does; empty where signatures are missing. */
    Optional<Long> publishIfSigned(byte[] next, FleetRepository repository) throws IOException, RejectedException {
        Verdict<Long> follows =
                RootSigning.follows(Files.readAllBytes(file(1)), Files.readAllBytes(file(newest())), next);
        if (follows instanceof Verdict.Rejected<Long>(Rejection why) && why.code() == Code.UPD_SIGNATURE) {
            return Optional.empty();
        }
        return Optional.of(publish(next, repository));
    }

    /** Fresh keys that the root names; those of a draft that was thrown away stay where they are. */
    private void takeKeys(Path fresh, RootDocument root) throws IOException, RejectedException {
        for (FleetKeys role : FleetKeys.values()) {
            for (SigningKey key : role.loadPresent(fresh)) {
                if (root.role(name(role)).keyIds().contains(key.keyId())) {
                    FleetDirectory.move(role.file(fresh, key.kind()), role.file(directory.keys(), key.kind()));
                }
            }
        }
    }

    private static String name(FleetKeys role) {
        return role.name().toLowerCase(Locale.ROOT);
    }
}
