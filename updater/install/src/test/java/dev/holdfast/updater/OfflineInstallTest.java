package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.bundle.MemoryBytes;
import dev.holdfast.trust.bundle.OfflineBundleWriter;
import dev.holdfast.trust.bundle.TarHeader;
import dev.holdfast.trust.client.FakeTee;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.DirectorOrder;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.signing.SignedMetadata;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device that no network reaches: its link is down in every test. */
class OfflineInstallTest {
    @TempDir
    Path dir;

    private final RepositorySimulator repo = new RepositorySimulator();
    private final FakeTee tee = new FakeTee();
    private InstallWorld world;
    private TrustClient trust;
    private Installer installer;
    private Instant now = RepositorySimulator.NOW;

    @BeforeEach
    void provision() throws Exception {
        world = new InstallWorld(dir);
        repo.targets.clear();
        publish(world.firstOrder);
        repo.down = true;
        byte[] factory = repo.file("1.root.json");
        Files.write(dir.resolve("factory.json"), factory);
        tee.provision(dir.resolve("state"), dir.resolve("factory.json"));
        trust = startTrust();
        installer = world.installer();
        world.blockLie = block -> {
            throw new AssertionError("the link was asked");
        };
    }

    private void restart() throws Exception {
        trust = startTrust();
        installer = world.installer();
    }

    private TrustClient startTrust() throws Exception {
        return TrustClient.start(
                        dir.resolve("state"),
                        dir.resolve("factory.json"),
                        tee.anchors(),
                        repo,
                        Clock.fixed(now, ZoneOffset.UTC))
                .orThrow();
    }

    private void publish(ModelOrder release) {
        TargetFile model = release.model().file();
        repo.targets.put(model.path(), model);
        release.deltas().forEach(delta -> repo.targets.put(delta.file().path(), delta.file()));
        repo.publish();
    }

    private byte[] order(long version, String device, ModelOrder release) {
        return sign(DirectorOrder.offline(device, version, now, repo.expires, only(release), all(release))
                .signedPart());
    }

    private static Collection<TargetFile> only(ModelOrder release) {
        return List.of(release.model().file());
    }

    private static SortedMap<String, ModelTerms> all(ModelOrder release) {
        return new TreeMap<>(Map.of(
                release.model().model(), new ModelTerms(release.model().file().path(), true, Optional.empty())));
    }

    private byte[] sign(ObjectNode order) {
        return SignedMetadata.sign(order, repo.roles.director().keys());
    }

    /** All metadata of today, one order, and the files of these digests. */
    private byte[] bundle(byte[] order, Sha256... files) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        OfflineBundleWriter writer = new OfflineBundleWriter(out);
        for (var file : repo.files.entrySet()) {
            writer.metadata(file.getKey(), file.getValue());
        }
        writer.order("device-1", order);
        for (Sha256 digest : files) {
            Path blob = Files.write(dir.resolve("blob"), Objects.requireNonNull(world.service.get(digest)));
            writer.target(digest, blob, InstallWorld.BLOCK);
        }
        writer.finish();
        return out.toByteArray();
    }

    private byte[] firstBundle() throws IOException {
        return bundle(order(1, "device-1", world.firstOrder), Sha256.of(world.first));
    }

    private Verdict<SortedMap<String, InstallOutcome>> run(byte[] bundle) throws IOException {
        return OfflineInstall.run(MemoryBytes.of(bundle), "device-1", trust, installer);
    }

    /** The outcome of the one model. */
    private Verdict<InstallOutcome> install(byte[] bundle) throws IOException {
        return run(bundle).then(outcomes -> Verdict.accepted(Objects.requireNonNull(outcomes.get("intent"))));
    }

    private void assertRefused(byte[] bundle, Code code) throws IOException {
        assertThat(install(bundle))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code())
                                .as(r.reason().toString())
                                .isEqualTo(code));
        assertThat(installer.history()).allMatch(record -> record.orderVersion() == 1);
    }

    private void assertInterrupted(byte[] bundle, Code code) throws Exception {
        assertThat(install(bundle).orThrow())
                .isInstanceOfSatisfying(
                        InstallOutcome.Interrupted.class,
                        i -> assertThat(i.reason().code()).isEqualTo(code));
    }

    private void assertCommitted(byte[] bundle, byte[] model) throws Exception {
        assertThat(install(bundle).orThrow()).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.serving()).contains(Sha256.of(model));
    }

    private byte[] patch() {
        return Objects.requireNonNull(
                world.service.get(world.secondOrder.deltas().getFirst().file().sha256()));
    }

    @Test
    void installsAWholeModelThenAPatchWithoutANetwork() throws Exception {
        assertCommitted(firstBundle(), world.first);
        publish(world.secondOrder);
        byte[] second = bundle(order(2, "device-1", world.secondOrder), Sha256.of(patch()));
        assertCommitted(second, world.second);
        assertThat(installer.history()).anyMatch(record -> record.state() == InstallState.RECONSTRUCTING);
        assertThat(world.requests).isZero();
        // The same stick again changes nothing.
        assertThat(install(second).orThrow()).isInstanceOf(InstallOutcome.Unchanged.class);
    }

    @Test
    void aBudgetOfTheLinkDoesNotBindAFile() throws Exception {
        world.config = world.config.with(new InstallerConfig.Budget(1000, true));
        restart();
        assertCommitted(firstBundle(), world.first);
    }

    @Test
    void goesOnWithAnotherCopyWhereADamagedOneEnded() throws Exception {
        byte[] whole = firstBundle();
        byte[] damaged = whole.clone();
        damaged[indexOf(whole, world.first) + world.first.length - 10] ^= 1;
        assertInterrupted(damaged, Code.BLK_HASH);
        assertThat(world.serving()).isEmpty();
        restart();
        assertCommitted(whole, world.first);
    }

    private static int indexOf(byte[] all, byte[] part) {
        for (int i = 0; ; i += TarHeader.BYTES) {
            if (Arrays.equals(all, i, i + part.length, part, 0, part.length)) {
                return i;
            }
        }
    }

    @Test
    void refusesABundleForAnotherDevice() throws Exception {
        assertRefused(bundle(order(1, "device-2", world.firstOrder), Sha256.of(world.first)), Code.UPD_DIRECTOR_DEVICE);
        assertThat(OfflineInstall.run(MemoryBytes.of(firstBundle()), "device-3", trust, installer))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.UPD_DIRECTOR_DEVICE));
    }

    @Test
    void refusesAnOldBundle() throws Exception {
        byte[] old = firstBundle();
        assertCommitted(old, world.first);
        publish(world.secondOrder);
        byte[] second = bundle(order(2, "device-1", world.secondOrder), Sha256.of(world.second));
        assertCommitted(second, world.second);
        assertRolledBack(old);
    }

    private void assertRolledBack(byte[] old) throws IOException {
        assertThat(install(old))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.UPD_ROLLBACK));
        assertThat(world.serving()).contains(Sha256.of(world.second));
    }

    @Test
    void refusesAnOldOrderBesideFreshMetadata() throws Exception {
        publish(world.secondOrder);
        assertCommitted(bundle(order(2, "device-1", world.secondOrder), Sha256.of(world.second)), world.second);
        assertRolledBack(bundle(order(1, "device-1", world.firstOrder), Sha256.of(world.first)));
    }

    @Test
    void refusesAnExpiredBundle() throws Exception {
        byte[] bundle = firstBundle();
        now = RepositorySimulator.LATER.plus(Duration.ofSeconds(1));
        restart();
        assertRefused(bundle, Code.UPD_EXPIRED);
    }

    @Test
    void refusesAnExpiredOrderBesideFreshMetadata() throws Exception {
        byte[] order = sign(DirectorOrder.offline(
                        "device-1", 1, now, now.minusSeconds(1), only(world.firstOrder), all(world.firstOrder))
                .signedPart());
        assertRefused(bundle(order, Sha256.of(world.first)), Code.UPD_EXPIRED);
    }

    @Test
    void refusesAnOrderThatWasSignedForTheNetwork() throws Exception {
        byte[] online = sign(DirectorOrder.answering(
                        Binary.copyOf(new byte[32]),
                        "device-1",
                        1,
                        now,
                        repo.expires,
                        only(world.firstOrder),
                        all(world.firstOrder))
                .signedPart());
        assertRefused(bundle(online, Sha256.of(world.first)), Code.UPD_DIRECTOR_NONCE);
    }

    /** Not in part, either: what it leaves out goes on. */
    @Test
    void refusesASetThatThisAgentCannotRunAsAWhole() throws Exception {
        assertCommitted(firstBundle(), world.first);
        publish(world.secondOrder);
        ObjectNode leased = DirectorOrder.offline("device-1", 2, now, repo.expires, List.of(), new TreeMap<>())
                .signedPart();
        byte[] without = bundle(sign(leased.deepCopy()));
        leased.putObject("lease").put("seconds", 60);
        assertThat(run(bundle(sign(leased))))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.UPD_INCOMPATIBLE));
        assertThat(world.serving()).contains(Sha256.of(world.first));
        restart();
        assertThat(run(without).orThrow()).isEmpty();
        assertThat(world.serving()).as("the same without a lease retires it").isEmpty();
    }

    @Test
    void anOfflineOrderIsNoAnswerOverTheNetwork() {
        repo.down = false;
        repo.orderLie = order -> {
            order.remove("nonce");
            return order.put("offline", true);
        };
        assertThat(trust.order("device-1"))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.UPD_DIRECTOR_NONCE));
    }

    @Test
    void refusesAnOrderByAnotherKeyAndATargetThatIsNotListed() throws Exception {
        byte[] forged = SignedMetadata.sign(
                DirectorOrder.offline("device-1", 1, now, repo.expires, only(world.firstOrder), all(world.firstOrder))
                        .signedPart(),
                RepositorySimulator.OTHER.keys());
        assertRefused(bundle(forged, Sha256.of(world.first)), Code.UPD_SIGNATURE);
        byte[] unlisted = order(1, "device-1", world.secondOrder);
        assertRefused(bundle(unlisted, Sha256.of(world.second)), Code.UPD_TARGET_UNKNOWN);
    }

    @Test
    void saysWhatItLacksAndStaysReadyForTheNextStick() throws Exception {
        assertInterrupted(bundle(order(1, "device-1", world.firstOrder)), Code.BDL_ABSENT);
        assertCommitted(firstBundle(), world.first);
        publish(world.secondOrder);
        // A patch that was made for another base does not help, and a bad one does not become a silent full download.
        List<Integer> asked = new ArrayList<>();
        world.blockLie = block -> {
            asked.add(block.length);
            return block;
        };
        assertInterrupted(bundle(order(2, "device-1", world.secondOrder)), Code.BDL_ABSENT);
        assertThat(asked).isEmpty();
        assertCommitted(bundle(order(2, "device-1", world.secondOrder), Sha256.of(world.second)), world.second);
    }

    @Test
    void everyTruncationIsRefusedOrInterrupted() throws Exception {
        byte[] whole = firstBundle();
        for (int length = 0; length < whole.length; length += 509) {
            assertRefused(Arrays.copyOf(whole, length), Code.BDL_TRUNCATED);
        }
        assertThat(world.serving()).isEmpty();
        assertCommitted(whole, world.first);
    }
}
