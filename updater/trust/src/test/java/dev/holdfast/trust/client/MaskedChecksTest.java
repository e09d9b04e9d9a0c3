package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.storage.CrashDisk;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.DirectorOrder;
import dev.holdfast.trust.release.Order;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.Hashes;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.SoftwareVerifier;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.trust.schema.TufKey;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SignedMetadata;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.spec.ECGenParameterSpec;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks of which one often does another's work: here each is the only one that can refuse. */
class MaskedChecksTest {
    private static final Instant NOW = RepositorySimulator.NOW;
    private static final Instant LATER = RepositorySimulator.LATER;

    @TempDir
    Path dir;

    private final RepositorySimulator repo = new RepositorySimulator();
    private final FakeTee tee = new FakeTee();

    @BeforeEach
    void provision() throws Exception {
        Files.write(dir.resolve("factory.json"), repo.file("1.root.json"));
        tee.provision(dir.resolve("state"), dir.resolve("factory.json"));
    }

    private Verdict<TrustClient> start() throws IOException {
        return TrustClient.start(
                dir.resolve("state"),
                dir.resolve("factory.json"),
                tee.anchors(),
                repo,
                Clock.fixed(NOW, ZoneOffset.UTC));
    }

    private Verdict<TrustedTargets> refresh() throws Exception {
        return start().orThrow().refresh();
    }

    private static void assertRefused(Verdict<?> verdict, Code code, String detail) {
        assertThat(verdict).isInstanceOfSatisfying(Verdict.Rejected.class, refused -> {
            assertThat(refused.reason().code()).as(refused.reason().toString()).isEqualTo(code);
            assertThat(refused.reason().detail()).startsWith(detail);
        });
    }

    /** What a record cannot say: the stored files, which whoever writes to the disk may remove. */
    private void wipeMetadata() throws IOException {
        for (Path file : CrashDisk.files(dir.resolve("state").resolve(RootChain.METADATA))) {
            Files.delete(file);
        }
    }

    /** Targets, snapshot and timestamp of one version, each with an end of its own. */
    private void publish(long version, Map<String, Instant> ends) {
        byte[] list = SignedMetadata.sign(
                TargetsRole.signedPart(version, ends.getOrDefault("targets", LATER), repo.targets.values()),
                repo.roles.targets().keys());
        snapshot(version, version, list, ends);
        repo.files.put(version + ".targets.json", list);
    }

    private void snapshot(long version, long targetsVersion, byte[] targets, Map<String, Instant> ends) {
        byte[] snapshot = SignedMetadata.sign(
                Meta.snapshot(version, ends.getOrDefault("snapshot", LATER), Meta.of(targetsVersion, targets)),
                repo.roles.snapshot().keys());
        repo.files.put(version + ".snapshot.json", snapshot);
        timestamp(version, version, snapshot, ends.getOrDefault("timestamp", LATER));
    }

    private void timestamp(long version, long snapshotVersion, byte[] snapshot, Instant end) {
        repo.replace(
                "timestamp.json",
                Meta.timestamp(version, end, Meta.of(snapshotVersion, snapshot)),
                repo.roles.timestamp().keys());
    }

    @ParameterizedTest
    @ValueSource(strings = {"timestamp", "snapshot", "targets"})
    void oneExpiredRoleEndsTheRefresh(String role) throws Exception {
        publish(2, Map.of(role, NOW.minusSeconds(1)));
        assertRefused(refresh(), Code.UPD_EXPIRED, role);
        publish(3, Map.of(role, NOW));
        assertRefused(refresh(), Code.UPD_EXPIRED, role);
        publish(4, Map.of(role, NOW.plusSeconds(1)));
        assertThat(refresh().isAccepted()).isTrue();
    }

    @Test
    void anExpiredRootAloneEndsTheRefresh() throws Exception {
        repo.replace(
                "2.root.json",
                RootDocument.signedPart(2, NOW.minusSeconds(1), repo.roles.roles()),
                RepositorySimulator.OFFLINE.keys());
        assertRefused(refresh(), Code.UPD_EXPIRED, "root");
        repo.replace(
                "3.root.json",
                RootDocument.signedPart(3, NOW.plusSeconds(1), repo.roles.roles()),
                RepositorySimulator.OFFLINE.keys());
        assertThat(refresh().isAccepted()).as("only the last one must be fresh").isTrue();
    }

    /** With the timestamp's key, and what was stored removed, only the record knows. */
    @Test
    void anOlderTimestampIsRefusedByTheRecordAlone() throws Exception {
        publish(2, Map.of());
        publish(3, Map.of());
        assertThat(refresh().isAccepted()).isTrue();
        wipeMetadata();
        timestamp(2, 3, repo.file("3.snapshot.json"), LATER);
        assertRefused(refresh(), Code.UPD_ROLLBACK, "timestamp 2 after 3");
    }

    /** With the keys of timestamp and snapshot, and what was stored removed. */
    @Test
    void anOlderSnapshotIsRefusedByTheRecordAlone() throws Exception {
        publish(2, Map.of());
        publish(3, Map.of());
        assertThat(refresh().isAccepted()).isTrue();
        wipeMetadata();
        byte[] snapshot = SignedMetadata.sign(
                Meta.snapshot(2, LATER, Meta.of(3, repo.file("3.targets.json"))),
                repo.roles.snapshot().keys());
        repo.files.put("2.snapshot.json", snapshot);
        timestamp(4, 2, snapshot, LATER);
        assertRefused(refresh(), Code.UPD_ROLLBACK, "snapshot 2 after 3");
    }

    @Test
    void olderTargetsAreRefusedByTheRecordAlone() throws Exception {
        publish(2, Map.of());
        publish(3, Map.of());
        assertThat(refresh().isAccepted()).isTrue();
        wipeMetadata();
        snapshot(4, 2, repo.file("2.targets.json"), Map.of());
        assertRefused(refresh(), Code.UPD_ROLLBACK, "targets 2 after 3");
    }

    @Test
    void anotherTimestampOfAVersionThatIsStoredIsNoNews() throws Exception {
        publish(2, Map.of());
        assertThat(refresh().orThrow().version()).isEqualTo(2);
        byte[] second = repo.file("timestamp.json");
        publish(3, Map.of());
        timestamp(2, 3, repo.file("3.snapshot.json"), LATER);
        assertThat(repo.file("timestamp.json")).isNotEqualTo(second);
        assertThat(refresh().orThrow().version()).isEqualTo(2);
    }

    /** A client without a record, whose stored files are all that it knows. */
    private TufClient clientWithoutRecord() throws Exception {
        Path folder = Files.createDirectories(dir.resolve("plain"));
        Path root = folder.resolve("root.json");
        if (!Files.exists(root)) {
            Files.write(root, repo.file("1.root.json"));
        }
        SoftwareVerifier verifier = new SoftwareVerifier();
        return new TufClient(
                folder, Disk.LOCAL, RootFile.load(root, Disk.LOCAL, verifier), SeenVersions.NONE, verifier);
    }

    private Verdict<TrustedTargets> refreshWithoutRecord() {
        return Verdict.of(() -> {
            try {
                TufClient client = clientWithoutRecord();
                client.refresh(NOW, repo);
                return client.targets();
            } catch (RejectedException e) {
                throw e;
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }

    @Test
    void withoutARecordTheStoredTimestampForbidsAnOlderOne() throws Exception {
        publish(2, Map.of());
        publish(3, Map.of());
        assertThat(refreshWithoutRecord().isAccepted()).isTrue();
        timestamp(2, 3, repo.file("3.snapshot.json"), LATER);
        assertRefused(refreshWithoutRecord(), Code.UPD_ROLLBACK, "timestamp 2 after 3");
    }

    @Test
    void withoutARecordTheStoredTimestampForbidsAnOlderSnapshot() throws Exception {
        publish(2, Map.of());
        publish(3, Map.of());
        assertThat(refreshWithoutRecord().isAccepted()).isTrue();
        byte[] snapshot = SignedMetadata.sign(
                Meta.snapshot(2, LATER, Meta.of(3, repo.file("3.targets.json"))),
                repo.roles.snapshot().keys());
        repo.files.put("2.snapshot.json", snapshot);
        timestamp(4, 2, snapshot, LATER);
        assertRefused(refreshWithoutRecord(), Code.UPD_ROLLBACK, "snapshot 2 after 3");
    }

    // --- what a parent says of its file ---

    private static Meta versionAlone(long version) {
        return new Meta(version, Optional.empty(), Optional.empty());
    }

    /** Length and hash are optional (TUF 1.0.34 section 4.4): then the version alone names the file. */
    @Test
    void aFileOfAnotherVersionThanItsParentNamesIsRefused() throws Exception {
        publish(2, Map.of());
        repo.replace(
                "timestamp.json",
                Meta.timestamp(2, LATER, versionAlone(2)),
                repo.roles.timestamp().keys());
        repo.files.put("2.snapshot.json", repo.file("1.snapshot.json"));
        assertRefused(refresh(), Code.UPD_MISMATCH, "snapshot is version 1, not 2");
        byte[] snapshot = SignedMetadata.sign(
                Meta.snapshot(3, LATER, versionAlone(2)), repo.roles.snapshot().keys());
        repo.files.put("3.snapshot.json", snapshot);
        timestamp(3, 3, snapshot, LATER);
        repo.files.put("2.targets.json", repo.file("1.targets.json"));
        assertRefused(refresh(), Code.UPD_MISMATCH, "targets is version 1, not 2");
    }

    @Test
    void anotherFileOfTheSameVersionAndLengthIsRefused() throws Exception {
        publish(2, Map.of());
        byte[] named = repo.file("2.snapshot.json");
        byte[] other = SignedMetadata.sign(
                Meta.snapshot(2, LATER.plusSeconds(1), Meta.of(2, repo.file("2.targets.json"))),
                repo.roles.snapshot().keys());
        repo.files.put("2.snapshot.json", other);
        assertThat(other).hasSameSizeAs(named);
        assertRefused(refresh(), Code.UPD_MISMATCH, "snapshot is not the file");
    }

    @Test
    void whereTwoHashesAreNamedBothMustBeRight() throws Exception {
        byte[] file = {1, 2, 3};
        Binary right = Binary.copyOf(MessageDigest.getInstance("SHA-512").digest(file));
        Optional<Sha256> sha256 = Optional.of(Sha256.of(file));
        assertThat(matches(new Hashes(sha256, Optional.of(right)), file)).isTrue();
        assertThat(matches(new Hashes(Optional.empty(), Optional.of(right)), file))
                .isTrue();
        assertThat(matches(new Hashes(sha256, Optional.of(Binary.copyOf(new byte[64]))), file))
                .isFalse();
        assertThat(matches(new Hashes(Optional.of(Sha256.of(new byte[1])), Optional.of(right)), file))
                .isFalse();
    }

    private static boolean matches(Hashes hashes, byte[] file) {
        Hashes.Running running = new Hashes.Running();
        running.update(file, file.length);
        return running.match(hashes);
    }

    // --- the record ---

    private void changeRecords(Consumer<ObjectNode> change, boolean signed) throws Exception {
        for (String name : List.of("state.0.json", "state.1.json")) {
            Path path = dir.resolve("state").resolve(name);
            ObjectNode file =
                    (ObjectNode) Json.read(Files.readAllBytes(path), 1 << 17).orThrow();
            ObjectNode state = (ObjectNode) file.get("state");
            change.accept(state);
            if (signed) {
                // By the TEE's own key, as what it signs for something else would be.
                byte[] signature = tee.signer().sign(Sha256.of(CanonicalJson.bytes(state)));
                file.put("sig", Binary.copyOf(signature).hex());
            }
            Files.write(path, Json.write(file));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"timestampVersion", "snapshotVersion", "targetsVersion", "trustedTime"})
    void aRecordWithOneNumberLoweredIsNoneOfTheTees(String number) throws Exception {
        publish(2, Map.of());
        assertThat(start().orThrow().order("device-1").isAccepted()).isTrue();
        changeRecords(state -> state.put(number, state.get(number).asLong() - 1), false);
        assertRefused(start(), Code.TEE_STATE, "no state record verifies");
    }

    @Test
    void whatTheSameKeySignsForAnythingElseIsNoRecord() throws Exception {
        changeRecords(state -> {}, true);
        assertRefused(start(), Code.TEE_STATE, "no state record verifies");
    }

    private Map<Path, byte[]> copyOfState() throws IOException {
        Map<Path, byte[]> copy = new HashMap<>();
        for (Path file : CrashDisk.files(dir.resolve("state"))) {
            copy.put(file, Files.readAllBytes(file));
        }
        return copy;
    }

    @Test
    void aDiskThatIsOneOrderBehindIsNoticed() throws Exception {
        repo.directorVersion = 5;
        assertThat(start().orThrow().order("device-1").isAccepted()).isTrue();
        Map<Path, byte[]> old = copyOfState();
        long counted = tee.generation;
        repo.directorVersion = 6;
        assertThat(start().orThrow().order("device-1").isAccepted()).isTrue();
        assertThat(tee.generation).isEqualTo(counted + 1);
        for (Map.Entry<Path, byte[]> file : old.entrySet()) {
            Files.write(file.getKey(), file.getValue());
        }
        assertRefused(start(), Code.TEE_ROLLBACK, "the record is of generation " + counted);
    }

    /** Two generations ahead of the counter was never written: one at a time is counted. */
    @Test
    void aRecordThatIsTwoGenerationsAheadIsRefused() throws Exception {
        publish(2, Map.of());
        assertThat(refresh().isAccepted()).isTrue();
        publish(3, Map.of());
        assertThat(refresh().isAccepted()).isTrue();
        tee.generation -= 2;
        assertRefused(start(), Code.TEE_STATE, "the record is of generation");
    }

    @Test
    void eachKindOfNewsAloneMovesTheCounter() throws Exception {
        publish(2, Map.of());
        assertThat(refresh().isAccepted()).isTrue();
        long counted = tee.generation;
        snapshot(3, 2, repo.file("2.targets.json"), Map.of());
        assertThat(refresh().isAccepted()).isTrue();
        assertThat(tee.generation).as("a snapshot of the same targets").isGreaterThan(counted);
        counted = tee.generation;
        repo.root(RepositorySimulator.OFFLINE.keys());
        assertThat(refresh().isAccepted()).isTrue();
        assertThat(tee.generation).as("a root").isEqualTo(counted + 1);
        wipeMetadata();
        counted = tee.generation;
        byte[] list = SignedMetadata.sign(
                TargetsRole.signedPart(3, LATER, repo.targets.values()),
                repo.roles.targets().keys());
        repo.files.put("3.targets.json", list);
        snapshot(3, 3, list, Map.of());
        assertThat(refresh().orThrow().version()).isEqualTo(3);
        assertThat(tee.generation)
                .as("targets under a snapshot of the same version")
                .isGreaterThan(counted);
    }

    @Test
    void aSaveThatWasCutOffIsCountedAtTheNextStart() throws Exception {
        publish(2, Map.of());
        assertThat(refresh().isAccepted()).isTrue();
        Map<Path, byte[]> old = copyOfState();
        long counted = tee.generation;
        publish(3, Map.of());
        tee.generationStuck = true;
        assertThat(refresh().isAccepted()).isFalse();
        tee.generationStuck = false;
        assertThat(start().isAccepted()).isTrue();
        assertThat(tee.generation).isEqualTo(counted + 1);
        for (Map.Entry<Path, byte[]> file : old.entrySet()) {
            Files.write(file.getKey(), file.getValue());
        }
        assertRefused(start(), Code.TEE_ROLLBACK, "the record is of generation " + counted);
    }

    /** What is not counted is in one of the two files alone, in turns: the newer one counts, whichever that is. */
    @Test
    void theNewerOfTwoRecordsCounts() throws Exception {
        publish(2, Map.of());
        assertThat(refresh().isAccepted()).isTrue();
        for (long version = 3; version < 5; version++) {
            timestamp(version, 2, repo.file("2.snapshot.json"), LATER);
            assertThat(refresh().isAccepted()).isTrue();
            wipeMetadata();
            timestamp(version - 1, 2, repo.file("2.snapshot.json"), LATER);
            assertRefused(refresh(), Code.UPD_ROLLBACK, "timestamp " + (version - 1) + " after " + version);
        }
    }

    @Test
    void aFloorInARecordNeverFalls() {
        TrustState state = TrustState.first(1, Sha256.of()).floor("intent", 5);
        assertThat(state.floor("intent", 3)).isEqualTo(state);
        assertThat(state.floor("intent", 6).floor("intent")).isEqualTo(6);
    }

    // --- signatures ---

    private Envelope targets(List<SigningKey> signers) throws RejectedException {
        return Envelope.parse(
                SignedMetadata.sign(TargetsRole.signedPart(2, LATER, List.of()), signers), "targets", 1 << 20);
    }

    @Test
    void asManyKeysOfAFamilySignAsThePolicySays() throws Exception {
        List<SigningKey> keys = RepositorySimulator.OFFLINE.keys();
        RootDocument.Role role = new RoleSigner(keys, 2).role();
        FamilyPolicy two = new FamilyPolicy(2, 1);
        targets(keys).requireThreshold(role, two, tee.anchors().verifier());
        List<SigningKey> one = List.of(keys.get(0), keys.get(1));
        assertRefused(
                Verdict.of(() -> {
                    targets(one).requireThreshold(role, two, tee.anchors().verifier());
                    return true;
                }),
                Code.UPD_SIGNATURE,
                "targets has 1 valid signatures of the family");
    }

    /** A TEE that does not answer is never replaced by the daemon's own arithmetic, nor by nothing. */
    @Test
    void aSignatureThatTheTeeDoesNotCheckCountsForNothing() throws Exception {
        List<SigningKey> keys = RepositorySimulator.OFFLINE.keys();
        assertRefused(
                Verdict.of(() -> {
                    targets(keys)
                            .requireThreshold(
                                    RepositorySimulator.OFFLINE.role(), FamilyPolicy.NONE, (key, digest, signature) -> {
                                        throw new TeeException(Code.TEE_UNAVAILABLE, "away");
                                    });
                    return true;
                }),
                Code.TEE_UNAVAILABLE,
                "signature check of targets");
    }

    // --- roots ---

    @Test
    void anotherRootOfTheVersionThatWasSeenIsRefused() throws Exception {
        repo.root(RepositorySimulator.OFFLINE.keys());
        assertThat(refresh().isAccepted()).isTrue();
        repo.replace(
                "2.root.json",
                RootDocument.signedPart(2, LATER.plusSeconds(1), repo.roles.roles()),
                RepositorySimulator.OFFLINE.keys());
        Files.write(dir.resolve("state/2.root.json"), repo.file("2.root.json"));
        assertRefused(start(), Code.TEE_STATE, "another root of version 2 was seen");
    }

    /** A factory root that pins one key of each family, and a root after it that says nothing of families and asks for less. */
    private void pinFamiliesAndDropThem() throws Exception {
        repo.families = Optional.of(new FamilyPolicy(1, 1));
        repo.rootVersion = 0;
        repo.root(RepositorySimulator.OFFLINE.keys());
        Files.write(dir.resolve("factory.json"), repo.file("1.root.json"));
        for (Path file : CrashDisk.files(dir.resolve("state"))) {
            Files.delete(file);
        }
        tee.provision(dir.resolve("state"), dir.resolve("factory.json"));
        repo.families = Optional.empty();
        repo.roles = new RoleSigners(
                new RoleSigner(RepositorySimulator.OFFLINE.keys(), 2),
                new RoleSigner(RepositorySimulator.OFFLINE.keys(), 2),
                RepositorySimulator.SNAPSHOT,
                new RoleSigner(RepositorySimulator.TIMESTAMP.keys(), 1),
                RepositorySimulator.DIRECTOR);
        repo.root(RepositorySimulator.OFFLINE.keys());
    }

    private static List<SigningKey> classical(RoleSigner role) {
        return role.keys().stream()
                .filter(key -> key.publicKey().kind() == KeyKind.ED25519
                        || key.publicKey().kind() == KeyKind.ECDSA_P256)
                .toList();
    }

    @Test
    void theFamiliesOfTheFactoryRootBindTheRootAfterNext() throws Exception {
        pinFamiliesAndDropThem();
        repo.root(classical(RepositorySimulator.OFFLINE));
        assertRefused(refresh(), Code.UPD_SIGNATURE, "root has 0 valid signatures of the family");
        assertThat(dir.resolve("state/2.root.json")).exists();
        assertThat(dir.resolve("state/3.root.json")).doesNotExist();
    }

    @Test
    void theFamiliesOfTheFactoryRootBindTheRolesOfALaterRoot() throws Exception {
        pinFamiliesAndDropThem();
        byte[] snapshot = repo.file("1.snapshot.json");
        repo.replace(
                "timestamp.json",
                Meta.timestamp(2, LATER, Meta.of(1, snapshot)),
                classical(RepositorySimulator.TIMESTAMP));
        assertRefused(refresh(), Code.UPD_SIGNATURE, "timestamp has 0 valid signatures of the family");
    }

    // --- orders ---

    /** Without a nonce it answers nobody, and so it must say that it is for a device that cannot ask. */
    @Test
    void anOrderThatIsNeitherAnAnswerNorForOfflineUseIsNone() throws Exception {
        ObjectNode signed = DirectorOrder.offline("device-1", 1, NOW, LATER, List.of(), Collections.emptySortedMap())
                .signedPart();
        assertThat(read(signed).isAccepted()).isTrue();
        signed.remove("offline");
        assertRefused(read(signed), Code.UPD_DIRECTOR_NONCE, "no nonce");
        assertRefused(read(signed.put("offline", false)), Code.UPD_DIRECTOR_NONCE, "no nonce");
    }

    private static Verdict<DirectorOrder> read(ObjectNode signed) {
        byte[] order = SignedMetadata.sign(signed, RepositorySimulator.DIRECTOR.keys());
        return Verdict.of(() -> DirectorOrder.read(Envelope.parse(order, RootDocument.DIRECTOR, 1 << 20)));
    }

    /** Who stole the Director's key says that it is a day on which all else has expired: nothing could be believed any more. */
    @Test
    void theDirectorSetsNoTimeAtWhichAllHasExpired() throws Exception {
        repo.issued = LATER.plusSeconds(7 * 86_400);
        repo.orderLie = order -> order.put("expires", "2030-01-01T00:00:00Z");
        TrustClient client = start().orThrow();
        assertThat(client.order("device-1").isAccepted()).isTrue();
        assertThat(client.now()).isBefore(LATER).isAfter(NOW);
        assertThat(refresh().isAccepted()).isTrue();
    }

    @Test
    void theTimeIsNeverBeforeWhatWasSaid() throws Exception {
        assertThat(start().orThrow().order("device-1").isAccepted()).isTrue();
        TrustClient client = TrustClient.start(
                        dir.resolve("state"),
                        dir.resolve("factory.json"),
                        tee.anchors(),
                        repo,
                        Clock.fixed(Instant.EPOCH, ZoneOffset.UTC))
                .orThrow();
        assertThat(client.now()).isEqualTo(NOW);
        publish(2, Map.of("timestamp", NOW.minusSeconds(1)));
        assertRefused(client.refresh(), Code.UPD_EXPIRED, "timestamp");
    }

    private TargetFile patch(String name, Sha256 result, long resultLength) {
        Sha256 digest = Sha256.of(name.getBytes(StandardCharsets.UTF_8));
        TargetFile file = new TargetFile("models/intent/1.0.0/" + name + ".hfd", 1000, digest, Json.object());
        return new DeltaTarget(
                        file, new BlockTree(32768, digest), "intent", "1.0.0", "hfd2", digest, result, resultLength)
                .listed();
    }

    private List<String> patchesOf(Verdict<Order> order) throws Exception {
        return order.orThrow().models().getFirst().deltas().stream()
                .map(delta -> delta.file().path())
                .toList();
    }

    @Test
    void onlyPatchesThatMakeTheModelAreOfIt() throws Exception {
        TargetFile model = repo.targets.values().iterator().next();
        repo.ordered = Optional.of(List.of(model));
        for (TargetFile patch : List.of(
                patch("right", model.sha256(), model.length()),
                patch("another", Sha256.of(new byte[1]), model.length()),
                patch("longer", model.sha256(), model.length() + 1))) {
            repo.targets.put(patch.path(), patch);
        }
        repo.publish();
        assertThat(patchesOf(start().orThrow().order("device-1"))).containsExactly("models/intent/1.0.0/right.hfd");
    }

    /** A team with keys of its own publishes a release and the patch to it. */
    @Test
    void patchesOfADelegatedRoleAreUsedWhereTheOrderNamesThem() throws Exception {
        RoleSigner team = RepositorySimulator.OTHER;
        TargetFile model = repo.target("models/intent/2.0.0/model.gguf", 1);
        repo.targets.remove(model.path());
        TargetFile patch = patch("team", model.sha256(), model.length());
        byte[] list = delegating("team", team, "models/*/2.0.0/*", "models/*/1.0.0/team.hfd");
        byte[] teams = SignedMetadata.sign(TargetsRole.signedPart(1, LATER, List.of(model, patch)), team.keys());
        repo.files.put("2.targets.json", list);
        repo.files.put("1.team.json", teams);
        ObjectNode snapshot = Meta.snapshot(2, LATER, Meta.of(2, list));
        ObjectNode meta = (ObjectNode) snapshot.get("meta");
        meta.putObject("team.json").put("version", 1).put("length", teams.length);
        byte[] signed = SignedMetadata.sign(snapshot, repo.roles.snapshot().keys());
        repo.files.put("2.snapshot.json", signed);
        timestamp(2, 2, signed, LATER);
        repo.ordered = Optional.of(List.of(model, patch));
        assertThat(patchesOf(start().orThrow().order("device-1"))).containsExactly(patch.path());
        TargetFile unlisted = patch("forged", model.sha256(), model.length());
        repo.ordered = Optional.of(List.of(model, unlisted));
        assertRefused(start().orThrow().order("device-1"), Code.UPD_TARGET_UNKNOWN, unlisted.path());
        repo.ordered = Optional.of(List.of(model));
        assertThat(patchesOf(start().orThrow().order("device-1"))).isEmpty();
    }

    /** Targets of version 2 that list what they did and delegate {@code patterns} to a role. */
    private byte[] delegating(String name, RoleSigner role, String... patterns) {
        ObjectNode signed = TargetsRole.signedPart(2, LATER, repo.targets.values());
        ObjectNode delegations = signed.putObject("delegations");
        ObjectNode keys = delegations.putObject("keys");
        ObjectNode entry =
                delegations.putArray("roles").addObject().put("name", name).put("threshold", 2);
        role.keys().forEach(key -> {
            keys.set(key.keyId(), key.publicKey().toJson());
            entry.withArrayProperty("keyids").add(key.keyId());
        });
        List.of(patterns).forEach(pattern -> entry.withArrayProperty("paths").add(pattern));
        return SignedMetadata.sign(signed, repo.roles.targets().keys());
    }

    @Test
    void anEcdsaKeyIsOnP256() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp384r1"));
        TufKey key = new TufKey(KeyKind.ECDSA_P256, generator.generateKeyPair().getPublic());
        assertRefused(Verdict.of(() -> TufKey.fromJson(key.toJson())), Code.UPD_FORMAT, "an ecdsa key");
    }
}
