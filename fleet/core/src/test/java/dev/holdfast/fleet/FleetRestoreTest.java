package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.link.Reply;
import dev.holdfast.link.Request;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.trust.client.DeviceRecord;
import dev.holdfast.trust.client.MetadataSource;
import dev.holdfast.trust.client.TrustAnchors;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.Order;
import dev.holdfast.trust.signing.RootSigning;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A fleet is backed up, goes on for a while, is lost and comes back from the backup, while its device is what it is: a real trust
 * client with its own record of what it has seen.
 */
class FleetRestoreTest {
    private static final String DEVICE = "device-1";
    private static final Binary ID = Binary.copyOf(new byte[Request.ID_BYTES]);

    @TempDir
    Path dir;

    private FleetRepository lost = new FleetRepository(new FleetDirectory(Path.of("")), Clock.systemUTC());
    private FleetRepository repository = lost;
    private Path backup = Path.of("");
    private Path factoryRoot = Path.of("");
    private Optional<SoftwareBridge> bridge = Optional.empty();

    /** Both versions are published, the first is ordered, and then the backup is made. */
    @BeforeEach
    void backUp() throws Exception {
        lost = fleet("lost");
        backup = dir.resolve("backup");
        factoryRoot = Files.copy(
                lost.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883")), dir.resolve("root.json"));
        publish(lost, "1.0.0");
        publish(lost, "2.0.0");
        desire(lost, "1.0.0");
        bridge = Optional.of(SoftwareBridge.open(dir.resolve("tee")));
        bridge.get().provisioner().orElseThrow().anchor(Sha256.ofFile(factoryRoot), AuthValue.EMPTY);
        DeviceRecord.begin(dir.resolve("state"), factoryRoot, anchors()).orThrow();
        copy(lost.directory().root(), backup);
        repository = lost;
    }

    private TrustAnchors anchors() {
        SoftwareBridge tee = bridge.orElseThrow();
        return new TrustAnchors(
                tee.anchorStore().orElseThrow(),
                tee.anchorVerifier().orElseThrow(),
                tee.signer().orElseThrow(),
                tee.stateCounter().orElseThrow());
    }

    @AfterEach
    void close() {
        bridge.ifPresent(SoftwareBridge::close);
    }

    private FleetRepository fleet(String name) {
        return new FleetRepository(new FleetDirectory(dir.resolve(name)), Clock.systemUTC());
    }

    private void publish(FleetRepository fleet, String version) throws Exception {
        publish(fleet, "chat", version);
    }

    private void publish(FleetRepository fleet, String model, String version) throws Exception {
        SampleRelease.sign(fleet, model, version, version.getBytes(StandardCharsets.UTF_8));
    }

    private static DesiredModels desire(FleetRepository fleet, String version) throws Exception {
        return DesiredModels.add(fleet, DEVICE, "chat", new DesiredModels.Wish(version, Optional.empty()), true);
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(from.relativize(file).toString()));
            }
        }
    }

    /** The second version is ordered, with all that happens in a while: orders, releases, a renewed timestamp. */
    private void goOn() throws Exception {
        for (int i = 0; i < 5; i++) {
            desire(lost, "2.0.0");
        }
        lost.signAgain();
        lost.renew(Duration.ofDays(7));
        assertThat(ordered()).isEqualTo("2.0.0");
    }

    private FleetRestore restore(FleetRepository into) {
        repository = into;
        return new FleetRestore(into, Clock.systemUTC());
    }

    // --- the device ---

    private final class ThroughResponder implements MetadataSource {
        private final FleetResponder responder;

        ThroughResponder() throws Exception {
            responder = new FleetResponder(
                    repository, FleetKeys.DIRECTOR.load(repository.directory().keys()), Clock.systemUTC());
        }

        @Override
        public Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
            return document(offset -> new Request.Metadata(fileName, offset));
        }

        @Override
        public Optional<byte[]> directorOrder(byte[] nonce) throws IOException {
            return document(offset -> new Request.Director(Binary.copyOf(nonce), offset));
        }

        private Optional<byte[]> document(LongFunction<Request.Body> question) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            while (true) {
                Request ask = new Request(ID, question.apply(bytes.size()));
                switch (responder
                        .answer(new Topics("test", DEVICE), ask)
                        .getFirst()
                        .body()) {
                    case Reply.Absent() -> {
                        return Optional.empty();
                    }
                    case Reply.Part(long total, long _, Binary data) -> {
                        bytes.write(data.toArray());
                        if (bytes.size() >= total) {
                            return Optional.of(bytes.toByteArray());
                        }
                    }
                    default -> throw new IOException("refused");
                }
            }
        }
    }

    private Verdict<Order> order() throws Exception {
        return TrustClient.start(
                        dir.resolve("state"), factoryRoot, anchors(), new ThroughResponder(), Clock.systemUTC())
                .orThrow()
                .order(DEVICE);
    }

    private String ordered() throws Exception {
        ModelOrder one = order().orThrow().models().getFirst();
        return one.model().version();
    }

    private void assertNoOrder(Code code) throws Exception {
        assertThat(order())
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code())
                                .as(r.reason().toString())
                                .isEqualTo(code));
    }

    private void reports(String version) throws Exception {
        Files.writeString(
                repository.directory().report(DEVICE),
                "{\"models\":[{\"model\":\"chat\",\"version\":\"%s\",\"default\":true}]}".formatted(version));
    }

    private List<String> acts() throws Exception {
        List<String> acts = new ArrayList<>();
        for (String line : Files.readAllLines(repository.directory().audit())) {
            acts.add(Json.read(line.getBytes(StandardCharsets.UTF_8), 4096)
                    .orThrow()
                    .path("act")
                    .asText());
        }
        return acts;
    }

    /** What the verb is for: without it the device refuses the restored fleet for ever, or is taken back. */
    @Test
    void aBackupThatIsServedAsItIsIsRefused() throws Exception {
        goOn();
        repository = fleet("backup");
        assertNoOrder(Code.UPD_ROLLBACK);
    }

    @Test
    void aDeviceStaysOnWhatItServesAndOrdersGoOn() throws Exception {
        goOn();
        Files.writeString(backup.resolve("reports/device-1.json"), "{\"models\":[]}");
        FleetRestore restore = restore(fleet("restored"));
        FleetRestore.Begun begun = restore.begin(backup, List.of(), List.of());
        assertThat(begun.held()).containsExactly(DEVICE);
        assertThat(begun.root()).hasValue(2L);

        assertNoOrder(Code.UPD_NO_ORDER);
        assertThat(restore.held())
                .singleElement()
                .satisfies(held -> assertThat(held.reported())
                        .as("what it said before the backup counts no more")
                        .isEmpty());
        assertThatThrownBy(() -> restore.keep(DEVICE))
                .hasMessageContaining("FLT-ABSENT")
                .hasMessageContaining("--restored");
        assertThatThrownBy(() -> desire(repository, "2.0.0"))
                .hasMessageContaining("FLT-HELD")
                .hasMessageContaining("fleet resume " + DEVICE);
        assertThatThrownBy(() -> new OfflinePack(List.of(DEVICE), OfflinePack.Content.ALL, Duration.ofDays(1))
                        .write(
                                repository,
                                FleetKeys.DIRECTOR.load(repository.directory().keys()),
                                Clock.systemUTC(),
                                dir.resolve("bundle")))
                .hasMessageContaining("FLT-HELD");

        reports("2.0.0");
        assertThat(restore.held().getFirst().agrees()).isFalse();
        DesiredModels kept = restore.keep(DEVICE);
        assertThat(kept.counter()).isEqualTo(FleetRestore.NUMBERS_APART);
        assertThat(restore.held()).isEmpty();
        assertThat(ordered()).isEqualTo("2.0.0");

        publish(repository, "3.0.0");
        assertThat(desire(repository, "3.0.0").counter()).isEqualTo(FleetRestore.NUMBERS_APART + 1);
        assertThat(ordered()).isEqualTo("3.0.0");
        assertThat(acts()).containsExactly("restore", "resume-keep");
    }

    @Test
    void anOlderVersionThatTheDeviceServesStaysAsLongAsItSays() throws Exception {
        goOn();
        FleetRestore restore = restore(fleet("restored"));
        restore.begin(backup, List.of(), List.of());
        Files.writeString(
                repository.directory().report(DEVICE),
                "{\"models\":[{\"model\":\"chat\",\"version\":\"2.0.0\",\"default\":true,"
                        + "\"grace\":[{\"version\":\"1.0.0\",\"until\":\"2096-10-02T07:06:40Z\"}]}]}");
        restore.keep(DEVICE);
        ModelOrder order = order().orThrow().models().getFirst();
        assertThat(order.model().version()).isEqualTo("2.0.0");
        assertThat(order.grace()).singleElement().satisfies(older -> {
            assertThat(older.model().version()).isEqualTo("1.0.0");
            assertThat(older.untilSeconds()).isEqualTo(4_000_000_000L);
        });
    }

    /** A draft that is no model of the device's is left out; nothing else is. */
    @Test
    void aModelGoesOnToGuessForTheOneThatItGuessesFor() throws Exception {
        FleetRestore restore = restore(fleet("restored"));
        restore.begin(backup, List.of(), List.of());
        publish(repository, "small", "1.0.0");
        Files.writeString(
                repository.directory().report(DEVICE),
                "{\"models\":[{\"model\":\"chat\",\"version\":\"2.0.0\",\"default\":true,\"draft\":\"small\"},"
                        + "{\"model\":\"small\",\"version\":\"1.0.0\",\"draft\":\"gone\"}]}");
        DesiredModels kept = restore.keep(DEVICE);
        assertThat(kept.models())
                .hasEntrySatisfying("chat", wish -> assertThat(wish.draft()).hasValue("small"))
                .hasEntrySatisfying("small", wish -> assertThat(wish.draft()).isEmpty());
    }

    @Test
    void whatTheBackupSaysHoldsWhereSomebodySaysSo() throws Exception {
        goOn();
        FleetRestore restore = restore(fleet("restored"));
        restore.begin(backup, List.of(), List.of());
        reports("2.0.0");
        DesiredModels wish = restore.restored(DEVICE);
        assertThat(wish.models().values())
                .singleElement()
                .satisfies(one -> assertThat(one.since()).isEqualTo(wish.counter()));
        assertThat(ordered()).isEqualTo("1.0.0");
        assertThat(acts()).containsExactly("restore", "resume-restored");
        assertThatThrownBy(() -> restore.restored(DEVICE)).hasMessageContaining("FLT-ABSENT");
    }

    @Test
    void whatTheRestoredFleetDoesNotKnowIsPublishedFirst() throws Exception {
        publish(lost, "2.1.0");
        desire(lost, "2.1.0");
        assertThat(ordered()).isEqualTo("2.1.0");
        FleetRestore restore = restore(fleet("restored"));
        restore.begin(backup, List.of(), List.of());
        reports("2.1.0");
        assertThatThrownBy(() -> restore.keep(DEVICE)).hasMessageContaining("UPD-TARGET-UNKNOWN");
        assertNoOrder(Code.UPD_NO_ORDER);
        publish(repository, "2.1.0");
        restore.keep(DEVICE);
        assertThat(ordered()).isEqualTo("2.1.0");
    }

    @Test
    void aBackupThatWasPutWhereTheFleetWasIsTakenInPlace() throws Exception {
        goOn();
        FleetRestore restore = restore(fleet("backup"));
        restore.begin(backup, List.of(), List.of());
        assertNoOrder(Code.UPD_NO_ORDER);
        // Cut off after everything: once more does no harm.
        assertThat(restore.begin(backup, List.of(), List.of()).root()).hasValue(3L);
        reports("2.0.0");
        restore.keep(DEVICE);
        assertThat(ordered()).isEqualTo("2.0.0");
        assertThatThrownBy(() -> restore(fleet("lost")).begin(backup, List.of(), List.of()))
                .hasMessageContaining("FLT-EXISTS");
    }

    /** As it should be: the root's keys are with people, not on the fleet's machine. */
    @Test
    void theRootIsSignedElsewhereWhereItsKeysAre() throws Exception {
        goOn();
        Path offline = Files.createDirectories(dir.resolve("offline"));
        try (Stream<Path> keys = Files.list(backup.resolve("keys"))) {
            for (Path key : keys.filter(
                            file -> String.valueOf(file.getFileName()).startsWith("root-"))
                    .toList()) {
                Files.move(key, offline.resolve(key.getFileName()));
            }
        }
        FleetRestore restore = restore(fleet("restored"));
        FleetRestore.Begun begun = restore.begin(backup, List.of(), List.of());
        assertThat(begun.root()).isEmpty();
        assertNoOrder(Code.UPD_ROLLBACK);
        List<SigningKey> keys = FleetKeys.ROOT.loadPresent(offline);
        byte[] signed = RootSigning.add(Files.readAllBytes(begun.draft()), keys);
        assertThat(new RootFolder(repository.directory()).publish(signed, repository))
                .isEqualTo(2);
        assertNoOrder(Code.UPD_NO_ORDER);
        reports("2.0.0");
        restore.keep(DEVICE);
        assertThat(ordered()).isEqualTo("2.0.0");
        // Or at once, where they are at hand.
        assertThat(restore(fleet("again"))
                        .begin(backup, List.of(), List.of(offline))
                        .root())
                .hasValue(2L);
    }

    @Test
    void aRootThatTheBackupDoesNotKnowIsBroughtAlong() throws Exception {
        RootFolder folder = new RootFolder(lost.directory());
        byte[] draft =
                folder.draft(List.of(FleetKeys.TIMESTAMP), Clock.systemUTC().instant());
        folder.publish(
                RootSigning.add(
                        draft, FleetKeys.ROOT.loadPresent(lost.directory().keys())),
                lost);
        goOn();
        FleetRestore without = restore(fleet("without"));
        without.begin(backup, List.of(), List.of());
        assertNoOrder(Code.UPD_SIGNATURE);
        FleetRestore with = restore(fleet("with"));
        assertThat(with.begin(backup, List.of(dir.resolve("state/2.root.json")), List.of())
                        .root())
                .as("the device itself has it")
                .hasValue(3L);
        reports("2.0.0");
        with.keep(DEVICE);
        assertThat(ordered()).isEqualTo("2.0.0");
    }

    /** Silence is not the wish that every model be retired, nor is what cannot be read. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"models\":[]}",
                "{\"models\":7}",
                "{\"models\":[{\"model\":\"chat\"}]}",
                "{\"models\":[{\"model\":\"chat\",\"version\":\"2.0.0\"},{\"model\":\"../x\",\"version\":\"1\"}]}",
                "{\"models\":[{\"model\":\"chat\",\"version\":\"2.0.0\"},7]}",
                "{\"models\":[{\"model\":\"chat\",\"version\":\"\\u001b[2J\"}]}"
            })
    void aReportThatNamesNoModelCountsAsNone(String report) throws Exception {
        FleetRestore restore = restore(fleet("restored"));
        restore.begin(backup, List.of(), List.of());
        Files.writeString(repository.directory().report(DEVICE), report);
        assertThat(restore.held().getFirst().reported()).isEmpty();
        assertThatThrownBy(() -> restore.keep(DEVICE)).hasMessageContaining("FLT-ABSENT");
        assertThat(restore.held()).hasSize(1);
    }

    /** Models that are being installed are listed beside those that serve, and before them by name. */
    @Test
    void everyModelOfALongReportIsKept() throws Exception {
        FleetRestore restore = restore(fleet("restored"));
        restore.begin(backup, List.of(), List.of());
        StringBuilder others = new StringBuilder();
        for (int i = 0; i < ModelName.MAX_MODELS; i++) {
            others.append("{\"model\":\"a").append(i).append("\",\"state\":\"installing\"},");
        }
        Files.writeString(
                repository.directory().report(DEVICE),
                "{\"models\":[" + others + "{\"model\":\"chat\",\"version\":\"2.0.0\",\"default\":true}]}");
        assertThat(restore.keep(DEVICE).models()).containsOnlyKeys("chat");
    }
}
