package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.DeviceName;
import dev.holdfast.attestation.verify.ReferenceModels;
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
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.Order;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FleetRepositoryTest {
    private static final Topics DEVICE = new Topics("test", "device-1");
    private static final Binary ID = Binary.copyOf(new byte[Request.ID_BYTES]);

    @TempDir
    Path dir;

    private FleetRepository repository;
    private FleetResponder responder;
    private Path factoryRoot;
    private Sha256 second;

    @BeforeEach
    void publishTwoVersions() throws Exception {
        FleetDirectory directory = new FleetDirectory(dir.resolve("fleet"));
        repository = new FleetRepository(directory, Clock.systemUTC());
        factoryRoot = repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        Files.writeString(directory.root().resolve("enrolment.json"), "{\"format\":1, \"software\":true}");
        responder = new FleetResponder(repository, FleetKeys.DIRECTOR.load(directory.keys()), Clock.systemUTC());
        byte[] model = new byte[100_000];
        new Random(1).nextBytes(model);
        publish("1.0.0", model);
        model[50_000]++;
        second = publish("2.0.0", model).digest();
    }

    private Publication.Published publish(String version, byte[] bytes) throws IOException, RejectedException {
        return publish("tiny", version, bytes, Json.object());
    }

    private Publication.Published publish(String model, String version, byte[] bytes, JsonNode template)
            throws IOException, RejectedException {
        return SampleRelease.sign(repository, model, version, bytes, template, Optional.empty());
    }

    private Reply.Body ask(Request.Body body) {
        return responder.answer(DEVICE, new Request(ID, body)).getFirst().body();
    }

    /** Asks the responder part by part, as a device does. */
    private final class ThroughResponder implements MetadataSource {
        @Override
        public Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
            return document(offset -> new Request.Metadata(fileName, offset));
        }

        @Override
        public Optional<byte[]> directorOrder(byte[] nonce) throws IOException {
            return document(offset -> new Request.Director(Binary.copyOf(nonce), offset));
        }

        private Optional<byte[]> document(java.util.function.LongFunction<Request.Body> question) throws IOException {
            var bytes = new java.io.ByteArrayOutputStream();
            while (true) {
                switch (ask(question.apply(bytes.size()))) {
                    case Reply.Absent() -> {
                        return Optional.empty();
                    }
                    case Reply.Part(long total, long offset, Binary data) -> {
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

    private DesiredModels desire(String model, String version, boolean byDefault) throws Exception {
        return DesiredModels.add(
                repository, "device-1", model, new DesiredModels.Wish(version, Optional.empty()), byDefault);
    }

    /** The order as device-1 accepts it. */
    private Order accepted() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            bridge.provisioner().orElseThrow().anchor(Sha256.ofFile(factoryRoot), AuthValue.EMPTY);
            TrustAnchors anchors = new TrustAnchors(
                    bridge.anchorStore().orElseThrow(),
                    bridge.anchorVerifier().orElseThrow(),
                    bridge.signer().orElseThrow(),
                    bridge.stateCounter().orElseThrow());
            if (!DeviceRecord.exists(dir.resolve("state"))) {
                DeviceRecord.begin(dir.resolve("state"), factoryRoot, anchors).orThrow();
            }
            return TrustClient.start(
                            dir.resolve("state"), factoryRoot, anchors, new ThroughResponder(), Clock.systemUTC())
                    .orThrow()
                    .order("device-1")
                    .orThrow();
        }
    }

    @Test
    void aDeviceAcceptsWhatTheFleetPublishedAndOrdered() throws Exception {
        Rollout terms = new Rollout(
                "r1", Instant.EPOCH, Duration.ofHours(1), Optional.of(new Rollout.Window(1380, 180)), 9_000_000);
        DesiredModels.add(repository, "device-1", "tiny", new DesiredModels.Wish("2.0.0", Optional.of(terms)), false);
        Order order = accepted();
        assertThat(order.version()).isEqualTo(1);
        assertThat(order.byDefault()).hasValue("tiny");
        ModelOrder tiny = order.models().getFirst();
        assertThat(tiny.model().file().sha256()).isEqualTo(second);
        assertThat(tiny.model().release()).isEqualTo(2);
        assertThat(tiny.rollout()).isEqualTo(terms);
        assertThat(tiny.deltas()).hasSize(1);
    }

    @Test
    void aDeviceAcceptsASetAndTermsBelongToTheirModel() throws Exception {
        publish("embed", "1.0.0", new byte[1000], Json.object());
        Rollout terms = new Rollout("r1", Instant.EPOCH, Duration.ofHours(1), Optional.empty(), Long.MAX_VALUE);
        desire("tiny", "2.0.0", false);
        DesiredModels.add(repository, "device-1", "embed", new DesiredModels.Wish("1.0.0", Optional.of(terms)), false);
        Order order = accepted();
        assertThat(order.version()).isEqualTo(2);
        assertThat(order.byDefault()).hasValue("tiny");
        assertThat(order.models()).extracting(one -> one.model().model()).containsExactly("embed", "tiny");
        assertThat(order.models()).extracting(ModelOrder::rollout).containsExactly(terms, Rollout.NONE);
        DesiredModels.remove(repository, "device-1", "embed");
        assertThat(accepted().models()).hasSize(1);
        DesiredModels.remove(repository, "device-1", "tiny");
        Order nothing = accepted();
        assertThat(nothing.version()).isEqualTo(4);
        assertThat(nothing.models()).isEmpty();
        assertThat(nothing.byDefault()).isEmpty();
    }

    @Test
    void refusesAVersionThatIsPublishedAndAnUnpublishedWish() {
        assertThatThrownBy(() -> publish("2.0.0", new byte[] {1})).hasMessageContaining("FLT-EXISTS");
        assertThatThrownBy(() -> desire("tiny", "3.0.0", false)).hasMessageContaining("UPD-TARGET-UNKNOWN");
    }

    // --- reference values ---

    @Test
    void anOlderReleaseOfTheSameBytesStaysAReference() throws Exception {
        byte[] bytes = Files.readAllBytes(repository.directory().blob(second));
        publish("tiny", "2.0.1", bytes, Json.object().put("generation", "mended"));
        SampleRelease.sign(repository, "tiny", "2.0.2", bytes, Json.object(), Optional.of(7L));
        ReferenceModels references = repository.references();
        for (String version : List.of("2.0.0", "2.0.1", "2.0.2")) {
            ModelTarget model = repository.release("tiny", version).model();
            assertThat(model.file().sha256()).isEqualTo(second);
            ReferenceModels.Reference found =
                    references.find(model.file().path(), second).orElseThrow();
            assertThat(found.version()).isEqualTo(version);
            assertThat(found.release()).hasValue(model.release());
            assertThat(found.epoch()).hasValue(version.equals("2.0.2") ? 7L : 1L);
            assertThat(found.template()).hasValue(CanonicalJson.digest(model.template()));
            assertThat(found.gate()).hasValue(CanonicalJson.digest(model.gate()));
            assertThat(found.authorities()).hasSize(1);
        }
        assertThat(references.find("models/tiny/9/model.gguf", second)).isEmpty();
    }

    // --- names ---

    @Test
    void aServiceDoesNotStartOverNamesWithDots() throws Exception {
        FleetDirectory directory = repository.directory();
        var keys = FleetKeys.DIRECTOR.load(directory.keys());
        for (Path record : List.of(
                directory.device("cam.7"), directory.root().resolve("desired").resolve("cam.7.json"))) {
            Files.writeString(record, "{}");
            assertThatThrownBy(() -> new FleetResponder(repository, keys, Clock.systemUTC()))
                    .hasMessageContaining("CFG-INVALID")
                    .hasMessageContaining("use cam-7")
                    .hasMessageContaining("delete " + directory.root().relativize(record));
            Files.delete(record);
        }
        Files.writeString(directory.report("cam.7"), "{}");
        new FleetResponder(repository, keys, Clock.systemUTC());
        directory.write(new FleetDirectory.Config("north.eu", "tcp://127.0.0.1:1883"));
        assertThatThrownBy(() -> new FleetResponder(repository, keys, Clock.systemUTC()))
                .hasMessageContaining("CFG-INVALID")
                .hasMessageContaining("use north-eu");
    }

    @Test
    void aFleetIsNotMadeUnderANameWithADot() {
        FleetRepository other = new FleetRepository(new FleetDirectory(dir.resolve("other")), Clock.systemUTC());
        assertThatThrownBy(() -> other.init(new FleetDirectory.Config("north.eu", "tcp://127.0.0.1:1883")))
                .hasMessageContaining("CFG-INVALID")
                .hasMessageContaining("use north-eu");
    }

    @Test
    void refusesNamesThatAreNoMetadata() throws Exception {
        assertThat(Files.exists(repository.directory().root().resolve("fleet.json")))
                .isTrue();
        for (String name : List.of("../../etc/passwd", "../fleet.json", "/etc/passwd", "1.root.json/", "", "x.json")) {
            assertThat(ask(new Request.Metadata(name, 0))).as(name).isInstanceOf(Reply.Refused.class);
        }
        assertThat(ask(new Request.Metadata("9.root.json", 0))).isInstanceOf(Reply.Absent.class);
        assertThat(ask(new Request.Metadata("1.root.json", Integer.MAX_VALUE))).isInstanceOf(Reply.Refused.class);
    }

    @Test
    void servesBlocksAndLeavesWithinTheFileOnly() {
        assertThat(ask(new Request.Blocks(second, 32768, List.of(3))))
                .isInstanceOfSatisfying(
                        Reply.Block.class,
                        block -> assertThat(block.data().length()).isEqualTo(100_000 - 3 * 32768));
        assertThat(ask(new Request.Leaves(second, 0, 1024)))
                .isInstanceOfSatisfying(
                        Reply.Leaves.class,
                        leaves -> assertThat(leaves.hashes().length()).isEqualTo(4 * 32));
        assertThat(ask(new Request.Blocks(second, 32768, List.of(Integer.MAX_VALUE))))
                .isInstanceOf(Reply.Refused.class);
        assertThat(ask(new Request.Leaves(second, Integer.MAX_VALUE, 1))).isInstanceOf(Reply.Refused.class);
        Sha256 unknown = Sha256.of(new byte[] {7});
        assertThat(ask(new Request.Blocks(unknown, 32768, List.of(0)))).isInstanceOf(Reply.Absent.class);
        assertThat(ask(new Request.Leaves(unknown, 0, 1))).isInstanceOf(Reply.Absent.class);
    }

    @Test
    void enrolsADeviceOnceAndRefusesOtherKeysAndOtherTopics() throws Exception {
        try (SoftwareBridge first = SoftwareBridge.open(dir.resolve("tee-1"));
                SoftwareBridge other = SoftwareBridge.open(dir.resolve("tee-2"))) {
            assertThat(enrol(first, "device-1")).isInstanceOf(Reply.Enrolment.class);
            byte[] record = Files.readAllBytes(repository.directory().device("device-1"));
            assertThat(enrol(other, "device-1")).isInstanceOf(Reply.Refused.class);
            assertThat(Files.readAllBytes(repository.directory().device("device-1")))
                    .isEqualTo(record);
            assertThat(ask(new Request.Enrol(Binary.copyOf(new DeviceEnrolment(first, "device-2").request()))))
                    .isInstanceOf(Reply.Refused.class);
        }
    }

    private Reply.Body enrol(SoftwareBridge bridge, String device) throws Exception {
        new AcceptedKeys(repository.directory(), Clock.systemUTC())
                .decide(KeyLine.accepting(DeviceName.endorsement(bridge)), "accept");
        DeviceEnrolment enrolment = new DeviceEnrolment(bridge, device);
        Reply.Body challenge = ask(new Request.Enrol(Binary.copyOf(enrolment.request())));
        assertThat(challenge).isInstanceOf(Reply.Enrolment.class);
        byte[] proof = enrolment
                .prove(((Reply.Enrolment) challenge).message().toArray())
                .orThrow();
        return ask(new Request.Prove(Binary.copyOf(proof)));
    }
}
