package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.trust.release.AuthorityId;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The Image repository: what is published, and how it is signed. Reading trusts the operator's own disk. The timestamp is
 * written last, so that devices never see a half-written release. Whoever
 * changes anything waits for whoever does so already, in this process or in another; readers wait for nobody.
 */
public final class FleetRepository {
    private static final int MAX_METADATA_BYTES = 4 * 1024 * 1024;
    static final Duration ROOT_LIFE = Duration.ofDays(365);
    private static final Duration TARGETS_LIFE = Duration.ofDays(90);
    private static final Duration SNAPSHOT_LIFE = Duration.ofDays(30);
    private static final Duration TIMESTAMP_LIFE = Duration.ofDays(7);

    /** Of every role, for good: what the factory root says binds a device until it is provisioned again. */
    private static final FamilyPolicy FAMILIES = new FamilyPolicy(1, 1);

    private final FleetDirectory directory;
    private final Clock clock;

    public FleetRepository(FleetDirectory directory, Clock clock) {
        this.directory = directory;
        this.clock = clock;
    }

    public FleetDirectory directory() {
        return directory;
    }

    /** The operator's time. */
    Instant now() {
        return clock.instant();
    }

    /** Makes keys, the factory root and empty metadata. @return the factory root's file */
    public Path init(FleetDirectory.Config config) throws IOException, RejectedException {
        Files.createDirectories(directory.root());
        return directory.exclusively(() -> {
            directory.create(config);
            RoleSigners signers = FleetKeys.generateAll(directory.keys());
            VerifierKey.make(directory);
            Path root = directory.metadata("1.root.json");
            ObjectNode factory = RootDocument.signedPart(1, clock.instant().plus(ROOT_LIFE), signers.roles())
                    .put(RootDocument.FLEET_FIELD, config.name());
            RootDocument.name(factory, Set.of(deviceAuthority(config.name())));
            FleetDirectory.replace(root, signers.root().sign(FAMILIES.into(factory)));
            sign(List.of(), new Versions(0, 0, 0), signers.targets(), signers.snapshot(), signers.timestamp());
            directory.write(config);
            return root;
        });
    }

    /** The authority for devices' certificates, which is made where the fleet has none. */
    private Sha256 deviceAuthority(String fleet) throws IOException, RejectedException {
        return DeviceCertificates.open(directory, fleet, clock).authorityKey();
    }

    /** {@code FLT-EXISTS} where a target of this path is published. */
    void requireNew(String path) throws IOException, RejectedException {
        if (targets().stream().anyMatch(target -> target.path().equals(path))) {
            throw new RejectedException(Code.FLT_EXISTS, path + " is published");
        }
    }

    /** Signs and publishes these targets beside all others. */
    void add(List<TargetFile> fresh) throws IOException, RejectedException {
        directory.exclusively(() -> {
            for (TargetFile file : fresh) {
                requireNew(file.path());
            }
            List<TargetFile> all = new ArrayList<>(targets());
            all.addAll(fresh);
            return publish(all);
        });
    }

    /** Signs what is published once more, with the keys and for the time of today. */
    public void signAgain() throws IOException, RejectedException {
        directory.exclusively(() -> publish(targets()));
    }

    /** To be called exclusively: versions are read, raised and written. */
    private Versions publish(Collection<TargetFile> files) throws IOException, RejectedException {
        Path keys = directory.keys();
        return sign(
                files,
                versions(),
                FleetKeys.TARGETS.load(keys),
                FleetKeys.SNAPSHOT.load(keys),
                FleetKeys.TIMESTAMP.load(keys));
    }

    /** Lets the timestamp, and what would expire before it, live on for {@code life}. */
    void renew(Duration life) throws IOException, RejectedException {
        directory.exclusively(() -> {
            Instant until = clock.instant().plus(life);
            Map<String, Instant> expiries = expiries();
            expiries.keySet().removeAll(List.of("root", "timestamp"));
            if (expiries.values().stream().anyMatch(expires -> expires.isBefore(until))) {
                publish(targets());
            }
            Versions last = versions();
            Meta snapshot =
                    Meta.of(last.snapshot, Files.readAllBytes(directory.metadata(last.snapshot + ".snapshot.json")));
            FleetDirectory.replace(
                    directory.metadata("timestamp.json"),
                    FleetKeys.TIMESTAMP
                            .load(directory.keys())
                            .sign(Meta.timestamp(last.timestamp + 1, until, snapshot)));
            return last;
        });
    }

    /** Names of all files that a device needs from the factory root on. */
    List<String> metadataFiles() throws IOException, RejectedException {
        List<String> names = new ArrayList<>();
        for (int version = 1; Files.exists(directory.metadata(version + ".root.json")); version++) {
            names.add(version + ".root.json");
        }
        String snapshot = versions().snapshot + ".snapshot.json";
        names.add("timestamp.json");
        names.add(snapshot);
        Meta.all(envelope(snapshot, "snapshot")).forEach((name, meta) -> names.add(meta.version() + "." + name));
        return names;
    }

    private record Versions(long targets, long snapshot, long timestamp) {}

    private Versions sign(
            Collection<TargetFile> files,
            Versions last,
            RoleSigner targetKeys,
            RoleSigner snapshotKeys,
            RoleSigner stampKeys)
            throws IOException {
        Instant now = clock.instant();
        Versions next = new Versions(last.targets + 1, last.snapshot + 1, last.timestamp + 1);
        byte[] targets = targetKeys.sign(TargetsRole.signedPart(next.targets, now.plus(TARGETS_LIFE), files));
        byte[] snapshot = snapshotKeys.sign(
                Meta.snapshot(next.snapshot, now.plus(SNAPSHOT_LIFE), Meta.of(next.targets, targets)));
        byte[] timestamp = stampKeys.sign(
                Meta.timestamp(next.timestamp, now.plus(TIMESTAMP_LIFE), Meta.of(next.snapshot, snapshot)));
        FleetDirectory.replace(directory.metadata(next.targets + ".targets.json"), targets);
        FleetDirectory.replace(directory.metadata(next.snapshot + ".snapshot.json"), snapshot);
        FleetDirectory.replace(directory.metadata("timestamp.json"), timestamp);
        return next;
    }

    private Versions versions() throws IOException, RejectedException {
        Envelope timestamp = envelope("timestamp.json", "timestamp");
        long snapshot = Meta.of(timestamp, "snapshot.json").version();
        Meta targets = Meta.of(envelope(snapshot + ".snapshot.json", "snapshot"), "targets.json");
        return new Versions(targets.version(), snapshot, timestamp.version());
    }

    private Envelope envelope(String file, String role) throws IOException, RejectedException {
        return Envelope.parse(bytes(file), role, MAX_METADATA_BYTES);
    }

    private byte[] bytes(String file) throws IOException, RejectedException {
        Path path = directory.metadata(file);
        if (!Files.isRegularFile(path)) {
            throw new RejectedException(Code.FLT_ABSENT, "no metadata file " + file);
        }
        return Files.readAllBytes(path);
    }

    /** When each role of today expires. */
    public Map<String, Instant> expiries() throws IOException, RejectedException {
        Versions versions = versions();
        Map<String, Instant> expiries = new LinkedHashMap<>();
        expiries.put("root", roots().getLast().envelope().expires());
        expiries.put(
                "targets",
                envelope(versions.targets + ".targets.json", "targets").expires());
        expiries.put(
                "snapshot",
                envelope(versions.snapshot + ".snapshot.json", "snapshot").expires());
        expiries.put("timestamp", envelope("timestamp.json", "timestamp").expires());
        return expiries;
    }

    /** All roots from the factory's on. */
    private List<RootDocument> roots() throws IOException, RejectedException {
        List<RootDocument> roots = new ArrayList<>(List.of(RootDocument.parse(bytes("1.root.json"))));
        for (long version = 2; Files.exists(directory.metadata(version + ".root.json")); version++) {
            roots.add(RootDocument.parse(bytes(version + ".root.json")));
        }
        return roots;
    }

    /** Everything that is published, in the order of publication. */
    public List<TargetFile> targets() throws IOException, RejectedException {
        Envelope listed = envelope(versions().targets + ".targets.json", "targets");
        return List.copyOf(TargetsRole.parse(listed).files().values());
    }

    /** A version of a model, with all patches that make it. */
    public record Release(ModelTarget model, List<DeltaTarget> deltas) {
        public Release {
            deltas = List.copyOf(deltas);
        }

        /** The model's target, then those of the patches, as they are published. */
        public List<TargetFile> files() {
            return Stream.concat(Stream.of(model.file()), deltas.stream().map(DeltaTarget::file))
                    .toList();
        }
    }

    /** {@code UPD-TARGET-UNKNOWN} where it is not published. */
    public Release release(String model, String version) throws IOException, RejectedException {
        return releases(Map.of(model, version)).getFirst();
    }

    /** The same for each of these models with its version, in the order of {@code versions}. */
    List<Release> releases(Map<String, String> versions) throws IOException, RejectedException {
        List<TargetFile> all = targets();
        List<DeltaTarget> patches = new ArrayList<>();
        for (TargetFile file : all) {
            if (DeltaTarget.is(file)) {
                patches.add(DeltaTarget.of(file).orThrow());
            }
        }
        List<ModelTarget> models = models(all);
        List<Release> releases = new ArrayList<>();
        for (Map.Entry<String, String> wanted : versions.entrySet()) {
            String model = wanted.getKey();
            String version = wanted.getValue();
            ModelTarget found = models.stream()
                    .filter(one -> one.model().equals(model) && one.version().equals(version))
                    .findFirst()
                    .orElseThrow(() -> new RejectedException(
                            Code.UPD_TARGET_UNKNOWN, model + " " + version + " is not published"));
            releases.add(new Release(
                    found,
                    patches.stream()
                            .filter(one ->
                                    one.model().equals(model) && one.version().equals(version))
                            .toList()));
        }
        return releases;
    }

    private static List<ModelTarget> models(List<TargetFile> files) throws RejectedException {
        List<ModelTarget> models = new ArrayList<>();
        for (TargetFile file : files) {
            if (ModelTarget.is(file)) {
                models.add(ModelTarget.of(file).orThrow());
            }
        }
        return models;
    }

    /** The newest release of a model. */
    Optional<ModelTarget> newest(String model) throws IOException, RejectedException {
        return models(targets()).stream()
                .filter(one -> one.model().equals(model))
                .max(Comparator.comparingLong(ModelTarget::release));
    }

    /**
     * What a verifier takes as reference values. A release whose bytes were published again, with a mended template or a raised
     * epoch, stays one of its own.
     */
    public ReferenceModels references() throws IOException, RejectedException {
        Set<Binary> authorities = authorities();
        Map<ReferenceModels.Key, ReferenceModels.Reference> models = new HashMap<>();
        for (ModelTarget model : models(targets())) {
            models.put(
                    new ReferenceModels.Key(model.file().path(), model.file().sha256()),
                    new ReferenceModels.Reference(
                            model.model(),
                            model.version(),
                            Optional.of(model.release()),
                            Optional.of(model.epoch()),
                            Optional.of(CanonicalJson.digest(model.template())),
                            Optional.of(CanonicalJson.digest(model.gate())),
                            authorities));
        }
        return ReferenceModels.of(models);
    }

    /** The keys that ever signed targets and that a TEE can check, as devices name them in their logs. */
    private Set<Binary> authorities() throws IOException, RejectedException {
        Set<Binary> ids = new HashSet<>();
        for (RootDocument root : roots()) {
            root.role("targets").keys().forEach((id, key) -> {
                if (key.kind() == KeyKind.ECDSA_P256) {
                    ids.add(AuthorityId.of(id));
                }
            });
        }
        return ids;
    }

    /** Copies a file to its place by digest. */
    Sha256 keep(Path file) throws IOException {
        try (StagedFile staged = StagedFile.copy(directory, file, Progress.SILENT)) {
            staged.keep();
            return staged.digest();
        }
    }
}
