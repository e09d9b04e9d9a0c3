package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.signing.Passphrase;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
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
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.stream.Stream;

/**
 * The Image repository: what is published, and how it is signed. Reading trusts the operator's own disk. The timestamp is
 * written last, so that devices never see a half-written release. Whoever
 * changes anything waits for whoever does so already, in this process or in another; readers wait for nobody.
 */
public final class FleetRepository {
    /** Of every role, for good: what the factory root says binds a device until it is provisioned again. */
    private static final FamilyPolicy FAMILIES = new FamilyPolicy(1, 1);

    private final FleetDirectory directory;
    private final KeyFolders keys;
    private final Clock clock;
    private final ImageMetadata metadata;

    /** With the keys alone that are in the fleet's own directory. */
    public FleetRepository(FleetDirectory directory, Clock clock) {
        this(directory, List.of(), clock);
    }

    /** @param offlineKeys folders where keys are looked for that are not in the fleet's own directory */
    public FleetRepository(FleetDirectory directory, List<Path> offlineKeys, Clock clock) {
        this(directory, offlineKeys, Passphrase.NONE, clock);
    }

    /** @param passphrase of the keys that are encrypted; asked when one of them has to sign */
    public FleetRepository(FleetDirectory directory, List<Path> offlineKeys, Passphrase passphrase, Clock clock) {
        this.directory = directory;
        this.keys = KeyFolders.of(directory.keys()).and(offlineKeys, passphrase);
        this.clock = clock;
        this.metadata = new ImageMetadata(directory, keys, clock);
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
        return init(config, directory.keys(), Optional.empty());
    }

    /**
     * The same with the keys of root, targets and revocations in a folder apart from those of the service.
     *
     * @param offline one of those that this repository looks into, or the directory's own
     * @param passphrase of those keys, which is this repository's too; empty where they are not encrypted
     */
    public Path init(FleetDirectory.Config config, Path offline, Optional<char[]> passphrase)
            throws IOException, RejectedException {
        Files.createDirectories(directory.root());
        return directory.exclusively(() -> {
            directory.create(config);
            if (!offline.equals(directory.keys())) {
                Disk.LOCAL.createDirectories(offline);
            }
            RoleSigners signers = FleetKeys.generateAll(directory.keys(), offline, passphrase);
            RoleSigner withdrawing = FleetKeys.REVOCATIONS.generate(offline, passphrase);
            VerifierKey.make(directory);
            Path root = directory.metadata("1.root.json");
            ObjectNode factory = RootDocument.signedPart(
                            1, clock.instant().plus(SignedRole.ROOT.life()), signers.roles())
                    .put(RootDocument.FLEET_FIELD, config.name());
            RootDocument.nameRevocations(factory, withdrawing.role());
            RootDocument.name(factory, Set.of(deviceAuthority(config.name())));
            FleetDirectory.replace(root, signers.root().sign(FAMILIES.into(factory)));
            metadata.begin();
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
            metadata.publish(all);
            return all;
        });
    }

    /**
     * Signs what is published once more, with the keys and for the time of today: also what was withdrawn, where devices were told who
     * may say so.
     */
    public void signAgain() throws IOException, RejectedException {
        directory.exclusively(() -> {
            metadata.publish(targets());
            metadata.settleRevocations();
            return directory;
        });
    }

    /**
     * Signs again what would not be good for long, as far as the keys at hand allow, and the timestamp in any case.
     *
     * @param roles of targets and snapshot those to sign again, due or not
     * @return roles that were signed again; {@code FLT-KEYS} where keys of one of them are missing, and then nothing is signed
     */
    public Set<SignedRole> renew(Set<SignedRole> roles) throws IOException, RejectedException {
        return directory.exclusively(() -> {
            Set<SignedRole> signed = EnumSet.of(SignedRole.TIMESTAMP);
            if (roles.contains(SignedRole.TARGETS)) {
                metadata.publish(targets());
                signed.addAll(Set.of(SignedRole.TARGETS, SignedRole.SNAPSHOT));
            } else if (roles.contains(SignedRole.SNAPSHOT)) {
                metadata.snapshot();
                signed.add(SignedRole.SNAPSHOT);
            } else {
                metadata.timestamp(SignedRole.TIMESTAMP.life());
            }
            return signed;
        });
    }

    /** Names of the files of a role's keys that are in none of the folders; empty where it can sign. */
    public List<String> missingKeys(SignedRole role) {
        return role.keys().missing(keys);
    }

    /** Where keys are looked for. */
    public KeyFolders keyFolders() {
        return keys;
    }

    /** Lets the timestamp, and what would expire before it, live on for {@code life}. */
    void renew(Duration life) throws IOException, RejectedException {
        directory.exclusively(() -> {
            Instant until = clock.instant().plus(life);
            Map<SignedRole, Instant> expiries = metadata.expiries();
            if (Objects.requireNonNull(expiries.get(SignedRole.TARGETS)).isBefore(until)) {
                metadata.publish(targets());
            } else if (Objects.requireNonNull(expiries.get(SignedRole.SNAPSHOT)).isBefore(until)) {
                metadata.snapshot();
            }
            metadata.timestamp(life);
            return until;
        });
    }

    /** Names of all files that a device needs from the factory root on. */
    List<String> metadataFiles() throws IOException, RejectedException {
        return metadata.files();
    }

    /** When each role of today expires. */
    public Map<SignedRole, Instant> expiries() throws IOException, RejectedException {
        return metadata.expiries();
    }

    /** Everything that is published, in the order of publication. */
    public List<TargetFile> targets() throws IOException, RejectedException {
        return metadata.targets();
    }

    /** What was withdrawn. */
    public Revocations revocations() throws IOException, RejectedException {
        return metadata.revocations();
    }

    /**
     * Withdraws a release for good: devices trust it no more, whoever orders it. One that was withdrawn before stays so.
     *
     * @return the target's path
     * @throws RejectedException {@code UPD-TARGET-UNKNOWN} where it is not published, {@code FLT-KEYS}, {@code FLT-ABSENT} where no root
     *     names who may withdraw
     */
    public String withdraw(String model, String version, String reason) throws IOException, RejectedException {
        return directory.exclusively(() -> {
            if (metadata.withdrawing().isEmpty()) {
                throw new RejectedException(
                        Code.FLT_ABSENT,
                        "no root names who may withdraw: fleet root draft --rotate revocations, then sign and publish it");
            }
            String path = published(model, version).file().path();
            Revocations known = metadata.revocations();
            if (known.withdrawn().size() >= Revocations.MAX_ENTRIES
                    && !known.withdrawn().containsKey(path)) {
                throw new RejectedException(
                        Code.FLT_EXISTS, Revocations.MAX_ENTRIES + " releases are withdrawn, which is the most");
            }
            if (!known.withdrawn().containsKey(path)) {
                metadata.withdraw(known.with(
                        path, new Revocations.Withdrawal(clock.instant().getEpochSecond(), reason)));
            }
            return path;
        });
    }

    private ModelTarget published(String model, String version) throws IOException, RejectedException {
        return models(targets()).stream()
                .filter(one -> one.model().equals(model) && one.version().equals(version))
                .findFirst()
                .orElseThrow(() ->
                        new RejectedException(Code.UPD_TARGET_UNKNOWN, model + " " + version + " is not published"));
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

    /** {@code UPD-TARGET-UNKNOWN} where it is not published, {@code UPD-WITHDRAWN} where it was withdrawn. */
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
        SortedMap<String, Revocations.Withdrawal> withdrawn = revocations().withdrawn();
        List<Release> releases = new ArrayList<>();
        for (Map.Entry<String, String> wanted : versions.entrySet()) {
            String model = wanted.getKey();
            String version = wanted.getValue();
            ModelTarget found = models.stream()
                    .filter(one -> one.model().equals(model) && one.version().equals(version))
                    .findFirst()
                    .orElseThrow(() -> new RejectedException(
                            Code.UPD_TARGET_UNKNOWN, model + " " + version + " is not published"));
            if (withdrawn.containsKey(found.file().path())) {
                throw new RejectedException(
                        Code.UPD_WITHDRAWN, model + " " + version + " was withdrawn: choose another release");
            }
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

    /** What a verifier takes as reference values. */
    public ReferenceModels references() throws IOException, RejectedException {
        return PublishedReferences.of(models(targets()), revocations(), metadata.roots());
    }

    /** Copies a file to its place by digest. */
    Sha256 keep(Path file) throws IOException {
        try (StagedFile staged = StagedFile.copy(directory, file, Progress.SILENT)) {
            staged.keep();
            return staged.digest();
        }
    }
}
