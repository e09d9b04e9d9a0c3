package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.testkit.HostileProgram;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Programs that want more than their part, and files that go away under a model. */
class HostileCallersTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String SETPRIV = "/usr/bin/setpriv";
    private static final HostileProgram.User SOMEBODY = new HostileProgram.User(65_533, 65_533, List.of());
    private static final String HELLO =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":8,\"ignore_eos\":true";
    private static final String SLOW =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"ignore_eos\":true,\"tokens_per_second\":5";

    @TempDir
    Path folder;

    private TinyStore store;
    private ObjectNode slot;
    private @Nullable InferenceDaemon daemon;
    private Path socket;

    @BeforeEach
    void prepare() throws Exception {
        HostileProgram.letIn(folder);
        socket = folder.resolve("api.sock");
        store = new TinyStore(folder.resolve("store"));
        slot = store.add("1.0.0", 1, TinyModel.Flaw.NONE);
        store.serving(slot, null);
    }

    private void start(int sequences, int queued, Duration request) throws IOException {
        SocketPaths sockets = new SocketPaths(folder.resolve("agent.sock"), socket, folder.resolve("c.sock"));
        InferenceConfig.Limits limits = new InferenceConfig.Limits(
                sequences,
                queued,
                256,
                1,
                CacheType.DEFAULT,
                0,
                UserShare.of(sequences, queued),
                RequestClock.Limits.of(request));
        daemon = InferenceDaemon.start(InferenceConfig.of(store.folder(), sockets, limits)
                .withApi(new InferenceConfig.Access("rw-rw-rw-", PeerPolicy.everyone())));
    }

    @AfterEach
    void stop() {
        if (daemon != null) {
            daemon.close();
        }
    }

    private int active() {
        return requireNonNull(daemon).status().requestsActive();
    }

    private static byte[] post(String body) {
        return ("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
                        + body.length() + "\r\n\r\n" + body)
                .getBytes(StandardCharsets.US_ASCII);
    }

    private String answer(byte[] request) throws IOException {
        return new String(HostileProgram.exchangeHalfClosed(socket, request), StandardCharsets.UTF_8);
    }

    /** Who calls can only be tried as several users; in CI that is never left out. */
    private static void assumeRootAndSetpriv() {
        if (!"root".equals(System.getProperty("user.name")) || !Files.isExecutable(Path.of(SETPRIV))) {
            String line = "SKIPPED: only root with setpriv of util-linux can become another user";
            System.out.println(line);
            if ("true".equals(System.getenv("CI"))) {
                fail(line);
            }
            abort(line);
        }
    }

    private String exchanged(HostileProgram.User user) throws Exception {
        return new String(HostileProgram.exchange(SETPRIV, user, socket, post(HELLO + "}")), StandardCharsets.UTF_8);
    }

    @Test
    void slowStreamsOfOneUserLeaveAPlaceForEverybodyElse() throws Exception {
        assumeRootAndSetpriv();
        start(4, 8, Duration.ofMinutes(10));
        try (HostileProgram program = HostileProgram.start(
                SETPRIV, HostileProgram.User.NOBODY, HostileProgram.Attack.SLOW_STREAM, socket, 24)) {
            // Three run, six wait, and all others hear that it is their own user's doing.
            Awaitility.await().atMost(LIMIT).until(() -> program.tally().status(429) > 30);
            assertThat(active()).isEqualTo(3);
            for (int i = 0; i < 2; i++) {
                assertThat(exchanged(SOMEBODY)).startsWith("HTTP/1.1 200");
            }
            // Its other connections come so fast that one of it may not even be let in.
            Awaitility.await()
                    .atMost(LIMIT)
                    .untilAsserted(() -> assertThat(exchanged(HostileProgram.User.NOBODY))
                            .startsWith("HTTP/1.1 429")
                            .contains(
                                    "API-BUSY",
                                    "Retry-After: ",
                                    "this user has as many requests as one user may: 3 that run"));
        }
        Awaitility.await("whoever has gone holds nothing").atMost(LIMIT).until(() -> active() == 0);
    }

    @Test
    void anAnswerEndsWhenItsTimeIsOver() throws Exception {
        start(1, 4, Duration.ofSeconds(1));
        long begun = System.nanoTime();
        assertThat(answer(post(SLOW + "}")))
                .startsWith("HTTP/1.1 504")
                .contains("API-DEADLINE", "after 1 s (max-request-seconds)");
        assertThat(answer(post(SLOW + ",\"stream\":true}")))
                .startsWith("HTTP/1.1 200")
                .contains("data: {\"error\":", "API-DEADLINE")
                .doesNotContain("[DONE]");
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(6));
    }

    @Test
    void aRequestThatHasNoTurnInTimeHearsIt() throws Exception {
        start(1, 4, Duration.ofSeconds(1));
        // One runs for a second, and those behind it have waited as long by then.
        try (HostileProgram program = HostileProgram.start(HostileProgram.Attack.SLOW_STREAM, socket, 4)) {
            Awaitility.await().atMost(LIMIT).until(() -> program.tally().status(429) > 0);
        }
        Awaitility.await().atMost(LIMIT).until(() -> active() == 0);
        assertThat(answer(post(HELLO + "}"))).startsWith("HTTP/1.1 200");
    }

    @Test
    void aClientThatSendsNoMoreGetsItsAnswer() throws Exception {
        start(2, 2, Duration.ofMinutes(10));
        assertThat(answer(post(HELLO + "}"))).startsWith("HTTP/1.1 200").contains("\"finish_reason\":\"length\"");
        assertThat(answer(post(HELLO + ",\"stream\":true,\"tokens_per_second\":20}")))
                .startsWith("HTTP/1.1 200")
                .contains("data: [DONE]");
    }

    @Test
    void aClientThatSendsNoMoreAndThenGoesEndsItsAnswer() throws Exception {
        start(2, 2, Duration.ofMinutes(10));
        for (String stream : List.of("}", ",\"stream\":true}")) {
            try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
                channel.write(ByteBuffer.wrap(post(SLOW.replace(":5", ":1") + stream)));
                channel.shutdownOutput();
                Awaitility.await().atMost(LIMIT).until(() -> active() == 1);
            }
            Awaitility.await().atMost(Duration.ofSeconds(5)).until(() -> active() == 0);
        }
    }

    @Test
    void aModelWhoseFileIsCutFailsItsRequestsAndNothingElse() throws Exception {
        start(4, 4, Duration.ofMinutes(10));
        assertThat(answer(post(HELLO + "}"))).startsWith("HTTP/1.1 200");
        Path blob = store.blobs().resolve(slot.get("digest").textValue());
        byte[] whole = Files.readAllBytes(blob);
        try (FileChannel file = FileChannel.open(blob, StandardOpenOption.WRITE)) {
            file.truncate(4096);
        }
        List<Thread> together = new ArrayList<>();
        List<String> answers = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < 4; i++) {
            together.add(Thread.ofVirtual().start(() -> {
                try {
                    answers.add(answer(post(HELLO + "}")));
                } catch (IOException e) {
                    answers.add(e.toString());
                }
            }));
        }
        for (Thread each : together) {
            each.join();
        }
        assertThat(answers)
                .hasSize(4)
                .allSatisfy(each -> assertThat(each)
                        .startsWith("HTTP/1.1 500")
                        .contains("API-INTERNAL", "java.lang.InternalError"));
        assertThat(active()).isZero();
        Curl control = new Curl(folder.resolve("c.sock"));
        assertThat(control.get("/control/v1/status").status()).isEqualTo(200);
        // The whole file is there again, as after a repair: another slot of it loads, and serves.
        ObjectNode second = store.add("2.0.0", whole);
        assertThat(control.post("/control/v1/candidate", second.toString()).status())
                .isEqualTo(200);
    }
}
