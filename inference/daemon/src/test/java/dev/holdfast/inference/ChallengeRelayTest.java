package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.control.ChallengeReply;
import dev.holdfast.control.Challenges;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.sockets.EventLoop;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.sockets.SocketServer;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Verdict;
import io.vertx.core.Vertx;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Programs ask on one socket, an agent that this test plays fetches and brings on the other. */
class ChallengeRelayTest {
    private static final String NONCE = "00112233445566778899aabbccddeeff";

    @TempDir
    Path folder;

    private final ExecutorService programs = Executors.newVirtualThreadPerTaskExecutor();
    private InferenceDaemon daemon;
    private Curl api;
    private Curl control;

    @BeforeEach
    void start() throws Exception {
        TinyStore store = new TinyStore(folder.resolve("store"));
        InferenceConfig config = InferenceConfig.of(
                store.folder(), sockets(), new InferenceConfig.Limits(1, 1, 64, 1, CacheType.DEFAULT, 0));
        daemon = InferenceDaemon.start(config);
        api = new Curl(config.sockets().inference());
        control = new Curl(config.sockets().inferenceControl());
    }

    private SocketPaths sockets() {
        return new SocketPaths(
                folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("control.sock"));
    }

    @AfterEach
    void stop() {
        programs.close();
        daemon.close();
    }

    private CompletableFuture<Curl.Answer> ask(String nonce) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return api.get("/v1/attestation?nonce=" + nonce);
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                },
                programs);
    }

    private List<String> collect() throws Exception {
        List<String> nonces = new ArrayList<>();
        for (JsonNode nonce : control.get("/control/v1/challenges").json().path("nonces")) {
            nonces.add(nonce.textValue());
        }
        return nonces;
    }

    @Test
    void bringsWhatTheAgentBrought() throws Exception {
        CompletableFuture<Curl.Answer> first = ask(NONCE);
        assertThat(collect()).containsExactly(NONCE);
        CompletableFuture<Curl.Answer> second = ask(NONCE.toUpperCase(java.util.Locale.ROOT));
        await(() -> waiting(2));
        control.post("/control/v1/evidence", "{\"nonce\":\"" + NONCE + "\",\"evidence\":\"d284\"}");
        for (CompletableFuture<Curl.Answer> answer : List.of(first, second)) {
            Curl.Answer got = answer.get(20, TimeUnit.SECONDS);
            assertThat(got.status()).isEqualTo(200);
            assertThat(got.json().path("evidence").asText()).isEqualTo("d284");
            assertThat(got.json().path("nonce").asText()).isEqualTo(NONCE);
        }
    }

    private boolean waiting(int number) {
        return daemon.challengesWaiting() == number;
    }

    private static void await(java.util.function.BooleanSupplier holds) {
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(1))
                .until(holds::getAsBoolean);
    }

    @Test
    void anAgentThatWaitsIsToldAtOnce() throws Exception {
        CompletableFuture<List<String>> collected = CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return collect();
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                },
                programs);
        CompletableFuture<Curl.Answer> asked = ask(NONCE);
        assertThat(collected.get(20, TimeUnit.SECONDS)).containsExactly(NONCE);
        control.post(
                "/control/v1/evidence", "{\"nonce\":\"" + NONCE + "\",\"code\":\"API-BUSY\",\"detail\":\"too many\"}");
        Curl.Answer refused = asked.get(20, TimeUnit.SECONDS);
        assertThat(refused.status()).isEqualTo(429);
        assertThat(refused.json().at("/code").asText()).isEqualTo("API-BUSY");
    }

    @Test
    void aFloodIsRefusedAndTheOldestStillGetTheirAnswers() throws Exception {
        List<CompletableFuture<Curl.Answer>> first = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            first.add(ask(NONCE + String.format("%02x", i)));
        }
        await(() -> waiting(16));
        assertThat(ask(NONCE + "ff").get(20, TimeUnit.SECONDS).status()).isEqualTo(429);
        for (int answered = 0; answered < 16; answered += Challenges.MAX_HANDED_OVER) {
            List<String> nonces = collect();
            assertThat(nonces).hasSize(Challenges.MAX_HANDED_OVER);
            for (String nonce : nonces) {
                control.post("/control/v1/evidence", "{\"nonce\":\"" + nonce + "\",\"evidence\":\"00\"}");
            }
        }
        for (CompletableFuture<Curl.Answer> answer : first) {
            assertThat(answer.get(20, TimeUnit.SECONDS).status()).isEqualTo(200);
        }
        assertThat(waiting(0)).isTrue();
    }

    /** What is answered, or given up by a program that hung up, left a timer of 30 s before, which held the whole request. */
    @Test
    void nothingStaysOfWhatIsAnsweredOrGivenUp() throws Exception {
        Path socket = folder.resolve("relay.sock");
        try (EventLoop loop = new EventLoop()) {
            Timers timers = new Timers(loop.vertx());
            ChallengeRelay relay = new ChallengeRelay(timers.counted());
            try (SocketServer server =
                    SocketServer.start(loop.vertx(), socket, "rw-------", PeerPolicy.everyone(), relay::ask)) {
                assertThat(server).isNotNull();
                Curl program = new Curl(socket);
                for (int i = 0; i < 20; i++) {
                    String nonce = NONCE + String.format("%02x", i);
                    boolean hangsUp = i % 2 == 0;
                    Process curl = program.start(List.of("http://localhost/v1/attestation?nonce=" + nonce));
                    await(() -> relay.waiting() == 1);
                    assertThat(timers.pending()).isOne();
                    if (hangsUp) {
                        curl.destroy();
                        await(() -> relay.waiting() == 0);
                    } else {
                        relay.deliver(new ChallengeReply(
                                Challenges.nonce(nonce).orThrow(), Verdict.accepted(Binary.copyOf(new byte[1]))));
                        assertThat(curl.waitFor()).isZero();
                    }
                    assertThat(timers.pending()).isZero();
                }
            }
        }
    }

    /** Counts the timers of a Vert.x that have neither fired nor been cancelled. */
    private static final class Timers implements InvocationHandler {
        private final Set<Long> pending = ConcurrentHashMap.newKeySet();
        private final Vertx vertx;

        Timers(Vertx vertx) {
            this.vertx = vertx;
        }

        Vertx counted() {
            return (Vertx) Proxy.newProxyInstance(Vertx.class.getClassLoader(), new Class<?>[] {Vertx.class}, this);
        }

        int pending() {
            return pending.size();
        }

        @Override
        public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
            Object result = method.invoke(vertx, arguments);
            switch (method.getName()) {
                case "setTimer" -> pending.add((Long) result);
                case "cancelTimer" -> pending.remove((Long) arguments[0]);
                default -> {}
            }
            return result;
        }
    }

    @Test
    void refusesOtherMethodsAndWhatIsNotANonce() throws Exception {
        for (String bad : List.of("", "00", "xyz", "0011223344556677" + "8", "00".repeat(65))) {
            assertThat(ask(bad).get(20, TimeUnit.SECONDS).status()).as(bad).isEqualTo(400);
        }
        Curl.Answer refusal = api.get("/v1/attestation");
        assertThat(refusal.status()).isEqualTo(400);
        assertThat(refusal.json().path("code").asText()).isEqualTo("WIRE-FIELD");
        assertThat(refusal.json().at("/code").asText()).isEqualTo("WIRE-FIELD");
        assertThat(api.post("/v1/attestation?nonce=" + NONCE, "").status()).isEqualTo(405);
        assertThat(control.post("/control/v1/evidence", "no json").status()).isEqualTo(400);
        assertThat(control.post("/control/v1/evidence", "{}").status()).isEqualTo(400);
        assertThat(api.get("/control/v1/challenges").status()).isEqualTo(404);
    }
}
