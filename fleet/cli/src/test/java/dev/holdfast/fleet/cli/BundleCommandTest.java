package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.fleet.DesiredModels;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.SampleRelease;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.trust.bundle.OfflineBundle;
import dev.holdfast.trust.bundle.SeekableBytes;
import dev.holdfast.trust.client.DeviceRecord;
import dev.holdfast.trust.client.MetadataSource;
import dev.holdfast.trust.client.TrustAnchors;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.Order;
import dev.holdfast.trust.release.Rollout;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BundleCommandTest {
    private static final MetadataSource NOWHERE = new MetadataSource() {
        @Override
        public Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
            throw new IOException("no network");
        }

        @Override
        public Optional<byte[]> directorOrder(byte[] nonce) throws IOException {
            throw new IOException("no network");
        }
    };

    @TempDir
    Path dir;

    private FleetRepository repository;
    private Path factoryRoot;
    private final StringWriter out = new StringWriter();
    private String errors = "";

    @BeforeEach
    void publishTwoVersions() throws Exception {
        repository = new FleetRepository(new FleetDirectory(dir.resolve("fleet")), Clock.systemUTC());
        factoryRoot = repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        byte[] model = new byte[100_000];
        new Random(1).nextBytes(model);
        publish("1.0.0", model);
        model[50_000]++;
        publish("2.0.0", model);
        desire("device-1", "tiny", "1.0.0");
        desire("device-2", "tiny", "2.0.0");
    }

    private void desire(String device, String model, String version) throws Exception {
        Rollout terms = new Rollout("r", Instant.EPOCH, Duration.ofHours(1), Optional.empty(), 9);
        DesiredModels.add(repository, device, model, new DesiredModels.Wish(version, Optional.of(terms)), false);
    }

    private void publish(String version, byte[] bytes) throws Exception {
        publish("tiny", version, bytes);
    }

    private void publish(String model, String version, byte[] bytes) throws Exception {
        SampleRelease.sign(repository, model, version, bytes);
    }

    private Path stick() {
        return dir.resolve("stick.hfb");
    }

    private int bundle(String... more) {
        List<String> args = new ArrayList<>(
                List.of("bundle", "--dir", dir.resolve("fleet").toString(), "--out", stick().toString(), "--json"));
        args.addAll(List.of(more));
        StringWriter err = new StringWriter();
        out.getBuffer().setLength(0);
        int code =
                FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), args.toArray(new String[0]));
        errors = err.toString();
        return code;
    }

    private JsonNode written() throws Exception {
        return Json.readObject(out.toString().getBytes(StandardCharsets.UTF_8), 1 << 20)
                .orThrow();
    }

    private Order accepted(String device) throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee-" + device));
                FileChannel file = FileChannel.open(stick())) {
            bridge.provisioner().orElseThrow().anchor(Sha256.ofFile(factoryRoot), AuthValue.EMPTY);
            TrustAnchors anchors = new TrustAnchors(
                    bridge.anchorStore().orElseThrow(),
                    bridge.anchorVerifier().orElseThrow(),
                    bridge.signer().orElseThrow(),
                    bridge.stateCounter().orElseThrow());
            if (!DeviceRecord.exists(dir.resolve("state-" + device))) {
                DeviceRecord.begin(dir.resolve("state-" + device), factoryRoot, anchors)
                        .orThrow();
            }
            TrustClient client = TrustClient.start(
                            dir.resolve("state-" + device), factoryRoot, anchors, NOWHERE, Clock.systemUTC())
                    .orThrow();
            OfflineBundle bundle =
                    OfflineBundle.open(SeekableBytes.of(file), device).orThrow();
            return client.order(device, bundle).orThrow();
        }
    }

    @Test
    void oneStickServesADeviceWithAndOneWithoutAPatch() throws Exception {
        assertThat(bundle("--device", "device-1", "--device", "device-2", "--content", "all"))
                .as(errors)
                .isZero();
        assertThat(written().path("targets")).hasSize(3);
        assertThat(written().path("bytes").asLong()).isEqualTo(Files.size(stick()));
        assertThat(accepted("device-1").models().getFirst().model().version()).isEqualTo("1.0.0");
        ModelOrder second = accepted("device-2").models().getFirst();
        assertThat(second.model().version()).isEqualTo("2.0.0");
        assertThat(second.deltas()).hasSize(1);
        assertThat(second.rollout()).as("a person is at the device").isEqualTo(Rollout.NONE);
    }

    @Test
    void carriesTheWholeSetOfADevice() throws Exception {
        publish("embed", "1.0.0", new byte[30_000]);
        desire("device-2", "embed", "1.0.0");
        assertThat(bundle("--device", "device-2")).as(errors).isZero();
        assertThat(written().path("targets"))
                .extracting(JsonNode::asText)
                .containsExactlyInAnyOrder("models/tiny/2.0.0/model.gguf", "models/embed/1.0.0/model.gguf");
        Order order = accepted("device-2");
        assertThat(order.models()).extracting(one -> one.model().model()).containsExactly("embed", "tiny");
        assertThat(order.byDefault()).hasValue("tiny");
    }

    @Test
    void carriesAnOrderThatRetiresEverything() throws Exception {
        DesiredModels.remove(repository, "device-1", "tiny");
        assertThat(bundle("--device", "device-1")).as(errors).isZero();
        assertThat(written().path("targets")).isEmpty();
        assertThat(accepted("device-1").models()).isEmpty();
    }

    @Test
    void carriesPatchesAloneWhereAsked() throws Exception {
        assertThat(bundle("--device", "device-2", "--content", "deltas")).isZero();
        assertThat(written().at("/targets/0").asText()).contains("/from-");
        assertThat(Files.size(stick())).isLessThan(100_000);
        accepted("device-2");
    }

    @Test
    void isGoodForAsLongAsAskedAlthoughTheRepositoryWouldExpireEarlier() throws Exception {
        assertThat(bundle("--device", "device-1", "--days", "30")).isZero();
        Instant until = Instant.parse(written().path("validUntil").asText());
        assertThat(Duration.between(Instant.now(), until)).isGreaterThan(Duration.ofDays(29));
        assertThat(accepted("device-1").expires()).isAfter(Instant.now().plus(Duration.ofDays(29)));
        assertThat(bundle("--device", "device-1", "--days", "31")).isEqualTo(2);
    }

    @Test
    void leavesNothingBehindWhereItFails() throws Exception {
        assertThat(bundle("--device", "device-3")).isEqualTo(1);
        assertThat(errors).contains("FLT-ABSENT");
        Files.write(repository.directory().blob(accepted1()), new byte[100_000]);
        assertThat(bundle("--device", "device-1")).isEqualTo(1);
        assertThat(errors).contains("damaged");
        assertThat(dir.toFile().list((folder, name) -> name.startsWith("stick")))
                .isEmpty();
    }

    private Sha256 accepted1() throws Exception {
        return repository.release("tiny", "1.0.0").model().file().sha256();
    }
}
