package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.sockets.EventLoop;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.sockets.SocketServer;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which model is measured, when the inference process says which bytes it serves. */
class ServingProbeTest {
    private static final String REST = "\"candidates\":[],\"draining\":0,\"requestsActive\":0,"
            + "\"memory\":{\"usedBytes\":0,\"budgetBytes\":1},\"startedAtMillis\":1,\"pid\":1}";
    private static final Sha256 TOKENIZER = hash("tokenizer");

    @TempDir
    Path dir;

    private final EventLoop loop = new EventLoop();
    private SoftwareBridge bridge;
    private EventLog log;
    private ServingProbe probe;
    private SocketServer inference;
    private String status = "";

    private static Sha256 hash(String text) {
        return Sha256.of(text.getBytes(StandardCharsets.UTF_8));
    }

    private static final Slot EMBED =
            new Slot("models/e/1/model.gguf", "e", "1", 1, 1, hash("e"), 10, 0, Json.object(), Json.object());

    private static Slot slot(String version) {
        return new Slot(
                "models/m/" + version + "/model.gguf",
                "m",
                version,
                1,
                1,
                hash(version),
                10,
                0,
                Json.object(),
                Json.object());
    }

    @BeforeEach
    void open() throws Exception {
        bridge = SoftwareBridge.open(dir.resolve("tee"));
        log = EventLog.open(dir.resolve("log"), bridge.register().orElseThrow());
        Path socket = dir.resolve("control.sock");
        inference = SocketServer.start(
                loop.vertx(),
                socket,
                "rw-------",
                PeerPolicy.onlyUsers(Set.of()),
                request -> request.response().end(status));
        InferenceClient client = new InferenceClient(socket);
        probe = new ServingProbe(
                client,
                () -> Pointer.NOTHING
                        .with(new PointerEntry(slot("2"), Optional.of(slot("1"))))
                        .with(new PointerEntry(EMBED, Optional.empty())),
                new ModelMeasurements(log, slot -> ServingProbe.tokenizer(client, slot)));
    }

    @AfterEach
    void close() throws Exception {
        inference.close();
        loop.close();
        log.close();
        bridge.close();
    }

    private static String loaded(Slot slot, Sha256 digest) {
        return "{\"model\":\"%s\",\"version\":\"%s\",\"slot\":\"%s\",\"digest\":\"%s\",\"tokenizer\":\"%s\"}"
                .formatted(slot.model(), slot.version(), slot.slotId(), digest, TOKENIZER);
    }

    private static String serves(String... models) {
        return "{\"default\":\"m\",\"serving\":[" + String.join(",", models) + "]," + REST;
    }

    private static String withGrace(String status, String... older) {
        return status.replaceFirst("\"serving\"", "\"grace\":[" + String.join(",", older) + "],\"serving\"");
    }

    @Test
    void namesTheSlotWhoseBytesAreMapped() throws Exception {
        status = serves(loaded(slot("2"), hash("2")));
        ModelEvent event = probe.now().getFirst();
        assertThat(event.version()).isEqualTo("2");
        assertThat(event.slot()).isEqualTo(slot("2").slotId());
        assertThat(event.tokenizer()).contains(TOKENIZER);
        status = serves(loaded(slot("1"), hash("1"))); // not flipped yet, or rolled back
        assertThat(probe.now().getFirst().version()).isEqualTo("1");
    }

    @Test
    void namesEveryModelThatServes() throws Exception {
        status = serves(loaded(EMBED, hash("e")), loaded(slot("2"), hash("2")));
        assertThat(probe.now()).extracting(ModelEvent::model).containsExactly("e", "m");
    }

    @Test
    void namesTheReleasesInTheirGraceBesideWhatServes() throws Exception {
        status = withGrace(serves(loaded(slot("2"), hash("2"))), loaded(slot("1"), hash("1")));
        assertThat(probe.now())
                .extracting(event -> event.version() + " " + event.kind())
                .containsExactly("2 SERVE", "1 GRACE");
        assertThat(probe.now().getLast().tokenizer()).contains(TOKENIZER);
    }

    /** One that the store does not know is nameless there, too, and one that is over is named as long as the log names it. */
    @Test
    void whatIsInItsGraceWithoutANameIsRefusedAndWhatIsOverIsNamedByTheLog() throws Exception {
        Slot over = slot("0");
        status = withGrace(serves(), loaded(over, hash("0")));
        assertThat(probe.now()).extracting(ModelEvent::model).containsExactly("unknown");
        ModelMeasurements measurements = new ModelMeasurements(log, slot -> Optional.of(TOKENIZER));
        measurements.graced(over);
        assertThat(probe.now())
                .extracting(event -> event.version() + " " + event.kind())
                .containsExactly("0 GRACE");
        assertThat(measurements.graces()).containsExactly(over.slotId());
        measurements.graceEnded(over.slotId());
        assertThat(probe.now()).extracting(ModelEvent::model).containsExactly("unknown");
    }

    @Test
    void aStartMeasuresTheReleasesInTheirGraceThatThePointerNames() throws Exception {
        ModelMeasurements measurements = new ModelMeasurements(log, slot -> Optional.of(TOKENIZER));
        measurements.ensure(Pointer.NOTHING.with(new PointerEntry(
                slot("2"),
                Optional.empty(),
                List.of(new Pointer.Grace(slot("1"), 4_000_000_000L)),
                Optional.empty(),
                List.of())));
        assertThat(log.serving().get("m")).extracting(ModelEvent::version).isEqualTo("2");
        assertThat(measurements.graces()).containsExactly(slot("1").slotId());
    }

    /** It says "m 2", but the bytes are others: the name is not taken from it. */
    @Test
    void bytesThatTheStoreDoesNotKnowHaveNoName() throws Exception {
        status = serves(loaded(slot("2"), hash("swapped on the disk")));
        ModelEvent event = probe.now().getFirst();
        assertThat(event.model()).isEqualTo("unknown");
        assertThat(event.digest()).isEqualTo(hash("swapped on the disk"));
    }

    /** The bytes are known, but not under this name: nothing is taken from what it says. */
    @Test
    void aSlotUnderAnotherModelsNameHasNoName() throws Exception {
        status = serves(loaded(EMBED, hash("e")).replace("\"model\":\"e\"", "\"model\":\"m\""));
        assertThat(probe.now()).extracting(ModelEvent::model).containsExactly("unknown");
    }

    /** However many it makes up, they cost one event, and always the same one. */
    @Test
    void manyModelsWithoutANameAreOne() throws Exception {
        status = serves(loaded(slot("2"), hash("x")), loaded(EMBED, hash("y")));
        ModelEvent first = probe.now().getFirst();
        assertThat(probe.now()).hasSize(1);
        status = serves(loaded(EMBED, hash("y")), loaded(slot("2"), hash("x")));
        assertThat(probe.now()).containsExactly(first);
    }

    @Test
    void noModelIsNoModelAndNoAnswerIsAFault() throws Exception {
        status = serves();
        assertThat(probe.now()).isEmpty();
        inference.close();
        assertThatThrownBy(() -> probe.now()).isInstanceOf(IOException.class);
    }
}
