package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.Pointer;
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
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which model is measured, when the inference process says which bytes it serves. */
class ServingProbeTest {
    private static final String REST =
            "\"candidate\":null,\"draining\":0,\"requestsActive\":0,\"startedAtMillis\":1,\"pid\":1}";
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

    private static Slot slot(String version) {
        return new Slot(
                "models/m/" + version + "/model.gguf",
                "m",
                version,
                1,
                1,
                hash(version),
                10,
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
                () -> Optional.of(new Pointer(slot("2"), Optional.of(slot("1")))),
                new ModelMeasurements(log, model -> ServingProbe.tokenizer(client, model)));
    }

    @AfterEach
    void close() throws Exception {
        inference.close();
        loop.close();
        log.close();
        bridge.close();
    }

    private static String serves(Sha256 digest) {
        return "{\"serving\":{\"model\":\"m\",\"version\":\"2\",\"digest\":\"" + digest + "\",\"tokenizer\":\""
                + TOKENIZER + "\"}," + REST;
    }

    @Test
    void namesTheSlotWhoseBytesAreMapped() throws Exception {
        status = serves(hash("2"));
        ModelEvent event = probe.now().orElseThrow();
        assertThat(event.version()).isEqualTo("2");
        assertThat(event.tokenizer()).contains(TOKENIZER);
        status = serves(hash("1")); // not flipped yet, or rolled back
        assertThat(probe.now().orElseThrow().version()).isEqualTo("1");
    }

    /** It says "m 2", but the bytes are others: the name is not taken from it. */
    @Test
    void bytesThatTheStoreDoesNotKnowHaveNoName() throws Exception {
        status = serves(hash("swapped on the disk"));
        ModelEvent event = probe.now().orElseThrow();
        assertThat(event.model()).isEqualTo("unknown");
        assertThat(event.digest()).isEqualTo(hash("swapped on the disk"));
    }

    @Test
    void noModelIsNoModelAndNoAnswerIsAFault() throws Exception {
        status = "{\"serving\":null," + REST;
        assertThat(probe.now()).isEmpty();
        inference.close();
        assertThatThrownBy(() -> probe.now()).isInstanceOf(IOException.class);
    }
}
