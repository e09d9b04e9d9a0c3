package dev.holdfast.fleet;

import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.SoftwareVerifier;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The signed files of the Image repository: which are those of today, and what follows them. Whatever changes something is to be called
 * exclusively. A child is written before what names it, so that devices never see a half-written release.
 */
record ImageMetadata(FleetDirectory directory, KeyFolders keys, Clock clock) {
    private static final int MAX_BYTES = 4 * 1024 * 1024;
    static final String REVOCATIONS = RootDocument.REVOCATIONS + ".json";
    private static final String TARGETS = "targets.json";

    /** The newest snapshot and timestamp, and what the snapshot lists. */
    private record Newest(long timestamp, long snapshot, Map<String, Meta> listed) {
        long targets() throws RejectedException {
            Meta targets = listed.get(TARGETS);
            if (targets == null) {
                throw new RejectedException(Code.UPD_FORMAT, "the snapshot does not list " + TARGETS);
            }
            return targets.version();
        }
    }

    private Newest newest() throws IOException, RejectedException {
        Envelope timestamp = envelope("timestamp.json", "timestamp");
        long snapshot = Meta.of(timestamp, "snapshot.json").version();
        return new Newest(timestamp.version(), snapshot, Meta.all(envelope(snapshot + ".snapshot.json", "snapshot")));
    }

    /** The first files of a fleet. */
    void begin() throws IOException, RejectedException {
        Map<String, Meta> listed = new TreeMap<>();
        listed.put(TARGETS, targets(1, List.of()));
        listed.put(REVOCATIONS, revocations(Revocations.NONE.version() + 1, Revocations.NONE));
        snapshot(new Newest(0, 0, Map.of()), listed);
    }

    /** Lists these files from now on. */
    void publish(Collection<TargetFile> files) throws IOException, RejectedException {
        Newest last = newest();
        Map<String, Meta> listed = new TreeMap<>(last.listed);
        listed.put(TARGETS, targets(last.targets() + 1, files));
        snapshot(last, listed);
    }

    /** Lists these withdrawals from now on; devices hold on to each for good. */
    void withdraw(Revocations next) throws IOException, RejectedException {
        Newest last = newest();
        Map<String, Meta> listed = new TreeMap<>(last.listed);
        Meta before = listed.get(REVOCATIONS);
        listed.put(REVOCATIONS, revocations(before == null ? 1 : before.version() + 1, next));
        snapshot(last, listed);
    }

    /** Signs a snapshot over the same files, and a timestamp. */
    void snapshot() throws IOException, RejectedException {
        Newest last = newest();
        snapshot(last, last.listed);
    }

    /** Signs a timestamp over the same snapshot, good for {@code life}. */
    void timestamp(Duration life) throws IOException, RejectedException {
        Newest last = newest();
        timestamp(
                last.timestamp + 1,
                life,
                Meta.of(last.snapshot, Files.readAllBytes(directory.metadata(last.snapshot + ".snapshot.json"))));
    }

    private Meta targets(long version, Collection<TargetFile> files) throws IOException, RejectedException {
        return write(
                version,
                TARGETS,
                FleetKeys.TARGETS
                        .load(keys)
                        .sign(TargetsRole.signedPart(version, clock.instant().plus(SignedRole.TARGETS.life()), files)));
    }

    private Meta revocations(long version, Revocations list) throws IOException, RejectedException {
        return write(
                version,
                REVOCATIONS,
                FleetKeys.REVOCATIONS
                        .load(keys)
                        .sign(list.signedPart(version, clock.instant().plus(Revocations.LIFE))));
    }

    private Meta write(long version, String name, byte[] file) throws IOException {
        FleetDirectory.replace(directory.metadata(version + "." + name), file);
        return Meta.of(version, file);
    }

    private void snapshot(Newest last, Map<String, Meta> listed) throws IOException, RejectedException {
        // Both at hand before either is written.
        FleetKeys.TIMESTAMP.load(keys);
        byte[] snapshot = FleetKeys.SNAPSHOT
                .load(keys)
                .sign(Meta.snapshot(last.snapshot + 1, clock.instant().plus(SignedRole.SNAPSHOT.life()), listed));
        FleetDirectory.replace(directory.metadata((last.snapshot + 1) + ".snapshot.json"), snapshot);
        timestamp(last.timestamp + 1, SignedRole.TIMESTAMP.life(), Meta.of(last.snapshot + 1, snapshot));
    }

    private void timestamp(long version, Duration life, Meta snapshot) throws IOException, RejectedException {
        byte[] timestamp = FleetKeys.TIMESTAMP
                .load(keys)
                .sign(Meta.timestamp(version, clock.instant().plus(life), snapshot));
        FleetDirectory.replace(directory.metadata("timestamp.json"), timestamp);
    }

    /** Everything that is published, in the order of publication. */
    List<TargetFile> targets() throws IOException, RejectedException {
        Envelope listed = envelope(newest().targets() + ".targets.json", "targets");
        return List.copyOf(TargetsRole.parse(listed).files().values());
    }

    /** What was withdrawn; {@link Revocations#NONE} in a fleet of before that role. */
    Revocations revocations() throws IOException, RejectedException {
        Meta listed = newest().listed.get(REVOCATIONS);
        return listed == null
                ? Revocations.NONE
                : Revocations.parse(envelope(listed.version() + "." + REVOCATIONS, RootDocument.REVOCATIONS));
    }

    /** Names of all files that a device needs from the factory root on. */
    List<String> files() throws IOException, RejectedException {
        List<String> names = new ArrayList<>();
        for (int version = 1; Files.exists(directory.metadata(version + ".root.json")); version++) {
            names.add(version + ".root.json");
        }
        Newest newest = newest();
        names.add("timestamp.json");
        names.add(newest.snapshot + ".snapshot.json");
        newest.listed.forEach((name, meta) -> names.add(meta.version() + "." + name));
        return names;
    }

    /** When each role of today expires. */
    Map<SignedRole, Instant> expiries() throws IOException, RejectedException {
        Newest newest = newest();
        Map<SignedRole, Instant> expiries = new EnumMap<>(SignedRole.class);
        expiries.put(SignedRole.ROOT, roots().getLast().envelope().expires());
        expiries.put(
                SignedRole.TARGETS,
                envelope(newest.targets() + ".targets.json", "targets").expires());
        expiries.put(
                SignedRole.SNAPSHOT,
                envelope(newest.snapshot + ".snapshot.json", "snapshot").expires());
        expiries.put(
                SignedRole.TIMESTAMP, envelope("timestamp.json", "timestamp").expires());
        return expiries;
    }

    /** All roots from the factory's on. */
    List<RootDocument> roots() throws IOException, RejectedException {
        List<RootDocument> roots = new ArrayList<>(List.of(RootDocument.parse(bytes("1.root.json"))));
        for (long version = 2; Files.exists(directory.metadata(version + ".root.json")); version++) {
            roots.add(RootDocument.parse(bytes(version + ".root.json")));
        }
        return roots;
    }

    /** Who may withdraw, as devices know it; empty where the newest root names nobody. */
    Optional<RootDocument.Role> withdrawing() throws IOException, RejectedException {
        return Optional.ofNullable(roots().getLast().roles().get(RootDocument.REVOCATIONS));
    }

    /** Signs the list of withdrawals again where devices would not take it as it is: the newest root gives the role other keys. */
    void settleRevocations() throws IOException, RejectedException {
        Optional<RootDocument.Role> role = withdrawing();
        if (role.isPresent() && !isSigned(role.get())) {
            withdraw(revocations());
        }
    }

    private boolean isSigned(RootDocument.Role role) throws IOException, RejectedException {
        Meta listed = newest().listed.get(REVOCATIONS);
        if (listed == null) {
            return false;
        }
        try {
            envelope(listed.version() + "." + REVOCATIONS, RootDocument.REVOCATIONS)
                    .requireThreshold(role, FamilyPolicy.NONE, new SoftwareVerifier());
            return true;
        } catch (RejectedException e) {
            return false;
        }
    }

    private Envelope envelope(String file, String role) throws IOException, RejectedException {
        return Envelope.parse(bytes(file), role, MAX_BYTES);
    }

    private byte[] bytes(String file) throws IOException, RejectedException {
        Path path = directory.metadata(file);
        if (!Files.isRegularFile(path)) {
            throw new RejectedException(Code.FLT_ABSENT, "no metadata file " + file);
        }
        return Files.readAllBytes(path);
    }
}
