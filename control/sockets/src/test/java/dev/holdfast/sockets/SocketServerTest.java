package dev.holdfast.sockets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.testkit.HostileProgram;
import io.vertx.core.Handler;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What programs on the other end of a socket may do to it, and what not. */
@Timeout(60)
class SocketServerTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String SETPRIV = "/usr/bin/setpriv";
    private static final String PRLIMIT = "/usr/bin/prlimit";
    private static final long GROUP = 4_242;
    private static final int BIG_BYTES = 4 << 20;

    @TempDir
    Path folder;

    private final EventLoop loop = new EventLoop();
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch gone = new CountDownLatch(1);
    private final AtomicInteger bodies = new AtomicInteger();
    private @Nullable SocketServer server;
    private Path socket;

    @BeforeEach
    void start() throws IOException {
        HostileProgram.letIn(folder);
        socket = folder.resolve("test.sock");
    }

    private void serve(PeerPolicy policy, Handler<HttpServerRequest> routes) throws IOException {
        server = SocketServer.start(loop.vertx(), socket, "rw-rw-rw-", policy, routes);
    }

    @AfterEach
    void stop() {
        if (server != null) {
            server.close();
        }
        loop.close();
    }

    private void routes(HttpServerRequest request) {
        switch (String.valueOf(request.path())) {
            case "/now" -> request.response().end("now");
            case "/soon" ->
                loop.vertx().setTimer(300, done -> request.response().end("soon"));
            case "/stream" -> {
                request.response().setChunked(true);
                request.response().write("one,");
                loop.vertx().setTimer(200, next -> request.response().write("two,"));
                loop.vertx().setTimer(400, last -> request.response().end("three"));
            }
            case "/big" ->
                loop.vertx().setTimer(100, done -> request.response().end(Buffer.buffer(new byte[BIG_BYTES])));
            case "/never" -> {
                request.response().closeHandler(closed -> gone.countDown());
                asked.countDown();
            }
            case "/body" ->
                Replies.body(request, 1 << 20, body -> {
                    bodies.incrementAndGet();
                    request.response().end("read " + body.length);
                });
            case "/error" -> throw new InternalError("a fault of the machine");
            case "/error-after-body" ->
                Replies.body(request, 100, body -> {
                    throw new StackOverflowError();
                });
            default -> request.response().setStatusCode(404).end("unknown");
        }
    }

    private static byte[] get(String path) {
        return ("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n").getBytes(StandardCharsets.US_ASCII);
    }

    /** And lets the server end the connection. */
    private static byte[] closing(String path) {
        return ("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] post(String path, String body) {
        return ("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + body.length() + "\r\n\r\n" + body)
                .getBytes(StandardCharsets.US_ASCII);
    }

    private String halfClosed(byte[] sent) throws IOException {
        return new String(HostileProgram.exchangeHalfClosed(socket, sent), StandardCharsets.US_ASCII);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/now", "/soon"})
    void aClientThatSendsNoMoreGetsItsAnswer(String path) throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        assertThat(halfClosed(get(path))).startsWith("HTTP/1.1 200").endsWith(path.substring(1));
        assertThat(halfClosed(post("/body", "x".repeat(100_000)))).endsWith("read 100000");
    }

    @Test
    void aClientThatSendsNoMoreGetsItsStream() throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        assertThat(halfClosed(get("/stream"))).contains("one,").contains("two,").endsWith("5\r\nthree\r\n0\r\n\r\n");
    }

    @Test
    void aClientThatSendsNoMoreGetsAllAnswers() throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        String all = new String(get("/soon"), StandardCharsets.US_ASCII)
                + new String(get("/now"), StandardCharsets.US_ASCII)
                + new String(get("/soon"), StandardCharsets.US_ASCII);
        assertThat(halfClosed(all.getBytes(StandardCharsets.US_ASCII)).split("HTTP/1.1 200", -1))
                .hasSize(4);
    }

    @Test
    void aClientThatSendsNoMoreAndReadsSlowlyGetsALongAnswer() throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            channel.write(ByteBuffer.wrap(get("/big")));
            channel.shutdownOutput();
            ByteBuffer in = ByteBuffer.allocate(1 << 16);
            long all = 0;
            for (int count = channel.read(in); count >= 0; count = channel.read(in.clear())) {
                all += count;
            }
            assertThat(all).isGreaterThan(BIG_BYTES);
        }
    }

    @Test
    void halfARequestHoldsNothing() throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        assertThat(halfClosed("GET /now HTTP/1.1\r\nHost: loc".getBytes(StandardCharsets.US_ASCII)))
                .startsWith("HTTP/1.1 400");
        assertThat(halfClosed("POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1234"
                        .getBytes(StandardCharsets.US_ASCII)))
                .isEmpty();
        assertThat(bodies).hasValue(0);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aClientThatIsGoneEndsItsRequest(boolean saidSoFirst) throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            channel.write(ByteBuffer.wrap(get("/never")));
            assertThat(asked.await(20, TimeUnit.SECONDS)).isTrue();
            if (saidSoFirst) {
                channel.shutdownOutput();
                assertThat(gone.await(700, TimeUnit.MILLISECONDS))
                        .as("it still waits")
                        .isFalse();
            }
        }
        assertThat(gone.await(5, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aFaultOfARouteIsAnAnswer() throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        assertThat(halfClosed(get("/error"))).startsWith("HTTP/1.1 500").contains("API-INTERNAL", "InternalError");
        assertThat(halfClosed(post("/error-after-body", "x")))
                .startsWith("HTTP/1.1 500")
                .contains("API-INTERNAL", "StackOverflowError")
                .doesNotContain("a fault of");
        assertThat(halfClosed(get("/now"))).as("and the server goes on").endsWith("now");
    }

    @Test
    void anAnswerToABodyThatNobodyWantsEndsTheConnection() throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        try (HostileProgram program = HostileProgram.start(HostileProgram.Attack.ENDLESS_BODY, socket, 4)) {
            // The path is unknown here: each is answered at once, and begins anew.
            Awaitility.await().atMost(LIMIT).until(() -> program.tally().status(404) > 8);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = HostileProgram.Attack.class,
            names = {"SILENT", "SLOW_HEAD"})
    void connectionsThatDoNotAskEndInSecondsAndLockOutNobody(HostileProgram.Attack attack) throws Exception {
        assumeRootAndSetpriv();
        serve(PeerPolicy.everyone(), this::routes);
        try (HostileProgram program = HostileProgram.start(SETPRIV, HostileProgram.User.NOBODY, attack, socket, 400)) {
            Awaitility.await().atMost(LIMIT).until(() -> program.tally().tried() == 400);
            Awaitility.await()
                    .atMost(Duration.ofSeconds(4))
                    .until(() -> program.tally().open() <= 64);
            assertThat(status(new HostileProgram.User(65_533, 65_533, List.of()), closing("/now")))
                    .as("another user")
                    .isEqualTo("HTTP/1.1 200");
            Awaitility.await()
                    .atMost(Duration.ofSeconds(9))
                    .until(() -> program.tally().open() == 0);
        }
    }

    @Test
    void whoeverFindsNoPlaceHearsIt() throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        List<SocketChannel> held = new ArrayList<>();
        try {
            for (int i = 0; i < 256; i++) {
                held.add(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
            }
            // One reads before it asks, the other asks first.
            try (SocketChannel silent = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
                ByteBuffer in = ByteBuffer.allocate(1 << 12);
                while (silent.read(in) >= 0) {
                    assertThat(in.hasRemaining()).isTrue();
                }
                assertThat(StandardCharsets.US_ASCII.decode(in.flip()).toString())
                        .startsWith("HTTP/1.1 503")
                        .contains("Connection: close", "Retry-After: 1", "API-BUSY");
            }
            assertThat(halfClosed(get("/now"))).startsWith("HTTP/1.1 503").endsWith("}");
        } finally {
            for (SocketChannel each : held) {
                each.close();
            }
        }
        Awaitility.await()
                .atMost(LIMIT)
                .untilAsserted(() -> assertThat(halfClosed(get("/now"))).endsWith("now"));
    }

    @Test
    void whoeverFindsNoPlaceMaySendItsRequestLate() throws Exception {
        serve(PeerPolicy.everyone(), this::routes);
        List<SocketChannel> held = new ArrayList<>();
        try {
            for (int i = 0; i < 256; i++) {
                held.add(SocketChannel.open(UnixDomainSocketAddress.of(socket)));
            }
            try (SocketChannel late = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
                ByteBuffer in = ByteBuffer.allocate(1 << 12);
                assertThat(late.read(in)).isPositive();
                // Who writes to a socket that is closed hears of that, and reads no answer.
                Awaitility.await()
                        .during(Duration.ofMillis(400))
                        .atMost(LIMIT)
                        .until(() -> late.write(ByteBuffer.wrap(new byte[] {'G'})) == 1);
            }
        } finally {
            for (SocketChannel each : held) {
                each.close();
            }
        }
    }

    private static long sockets() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.filter(each -> {
                        try {
                            return Files.readSymbolicLink(each).toString().startsWith("socket:");
                        } catch (IOException e) {
                            // Closed meanwhile.
                            return false;
                        }
                    })
                    .count();
        }
    }

    @Test
    void aFloodOfConnectionsTakesFewDescriptorsAndLeavesTheSocketToOthers() throws Exception {
        assumeRootAndSetpriv();
        serve(PeerPolicy.everyone(), this::routes);
        long before = sockets();
        long most = before;
        List<Long> millis = new ArrayList<>();
        try (HostileProgram program = HostileProgram.start(
                SETPRIV, HostileProgram.User.NOBODY, HostileProgram.Attack.RECONNECT, socket, 64)) {
            Awaitility.await().atMost(LIMIT).until(() -> program.tally().tried() > 1_000);
            long begun = System.nanoTime();
            int tried = program.tally().tried();
            while (System.nanoTime() - begun < 4_000_000_000L) {
                most = Math.max(most, sockets());
                long asked = System.nanoTime();
                assertThat(halfClosed(get("/now"))).endsWith("now");
                millis.add((System.nanoTime() - asked) / 1_000_000);
            }
            Collections.sort(millis);
            System.out.printf(
                    "%d connections/s: %d sockets more at most; another user's %d requests took %d ms at p50, %d ms at most%n",
                    (program.tally().tried() - tried) / 4,
                    most - before,
                    millis.size(),
                    millis.get(millis.size() / 2),
                    millis.getLast());
        }
        // 64 of that user, those that were refused just now, one of this, and its other end.
        assertThat(most - before).isLessThanOrEqualTo(64 + 256 + 2);
        assertThat(millis.get(millis.size() / 2)).isLessThan(250);
        Awaitility.await().atMost(LIMIT).until(() -> sockets() == before);
    }

    @Test
    void aProcessWithoutDescriptorsWaitsAndAcceptsAgainWhenItHasSome() throws Exception {
        assumeRootAndSetpriv();
        assumeTrue(Files.isExecutable(Path.of(PRLIMIT)), "prlimit of util-linux is there");
        serve(PeerPolicy.everyone(), this::routes);
        assertThat(halfClosed(get("/now"))).endsWith("now");
        try (HostileProgram program =
                HostileProgram.start(SETPRIV, HostileProgram.User.NOBODY, HostileProgram.Attack.RECONNECT, socket, 8)) {
            Awaitility.await().atMost(LIMIT).until(() -> program.tally().tried() > 100);
            long before = acceptorMillis();
            // Started once: while this process can open nothing, it can start nothing either.
            String limit = PRLIMIT + " --pid " + ProcessHandle.current().pid() + " --nofile=";
            Process none = new ProcessBuilder(
                            "sh",
                            "-c",
                            "soft=$(" + limit.replace("=", "") + " --noheadings --output SOFT) && " + limit
                                    + "1: && sleep 2; " + limit + "$soft:")
                    .redirectErrorStream(true)
                    .start();
            assertThat(none.waitFor()).isZero();
            assertThat(acceptorMillis() - before)
                    .as("it does not try all the time")
                    .isLessThan(500);
            long begun = System.nanoTime();
            assertThat(halfClosed(get("/now"))).endsWith("now");
            assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(2));
        }
    }

    private static long acceptorMillis() {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        return Arrays.stream(threads.getThreadInfo(threads.getAllThreadIds()))
                .filter(each -> each != null && each.getThreadName().contains("acceptor"))
                .mapToLong(each -> threads.getThreadCpuTime(each.getThreadId()) / 1_000_000)
                .sum();
    }

    @Test
    void requestsOfOneUserThatComeTooFastWait() throws Exception {
        assumeRootAndSetpriv();
        AtomicInteger answered = new AtomicInteger();
        serve(PeerPolicy.everyone(), request -> {
            answered.incrementAndGet();
            request.response().end("now");
        });
        try (HostileProgram program =
                HostileProgram.start(SETPRIV, HostileProgram.User.NOBODY, HostileProgram.Attack.PIPELINE, socket, 8)) {
            Awaitility.await().atMost(LIMIT).until(() -> program.tally().status(200) > 200);
            int before = answered.get();
            long begun = System.nanoTime();
            Awaitility.await().atMost(LIMIT).until(() -> answered.get() >= before + 500);
            assertThat(Duration.ofNanos(System.nanoTime() - begun)).isBetween(Duration.ofMillis(1_400), LIMIT);
        }
    }

    @Test
    void bodiesThatOneUserDoesNotEndLeaveRoomForThoseOfOthers() throws Exception {
        assumeRootAndSetpriv();
        Admission.Places places =
                new Admission.Places(256, 64, 8, 32, new Admission.Places.Bytes(4 << 20, 1 << 20, 0), 500);
        AtomicInteger held = new AtomicInteger();
        server = SocketServer.start(
                loop.vertx(), socket, "rw-rw-rw-", new Admission(PeerPolicy.everyone(), places), request -> {
                    held.incrementAndGet();
                    Replies.body(request, 1 << 20, body -> request.response().end("read " + body.length));
                });
        try (HostileProgram program = HostileProgram.start(
                SETPRIV, HostileProgram.User.NOBODY, HostileProgram.Attack.UNFINISHED_BODY, socket, 40)) {
            // Four bodies of 256 KiB fit into the user's mebibyte; all others are refused while they are read.
            Awaitility.await().atMost(LIMIT).until(() -> program.tally().status(429) >= 36);
            Awaitility.await().atMost(LIMIT).until(() -> program.tally().open() == 4);
            assertThat(halfClosed(post("/body", "x".repeat(300_000)))).endsWith("read 300000");
            String refused = new String(
                    HostileProgram.exchange(
                            SETPRIV, HostileProgram.User.NOBODY, socket, post("/body", "x".repeat(1_000))),
                    StandardCharsets.US_ASCII);
            assertThat(refused).startsWith("HTTP/1.1 429").contains("Retry-After: 2", "API-BUSY");
        }
        assertThat(held.get()).isGreaterThanOrEqualTo(42);
    }

    @Test
    void supplementaryGroupsCount() throws Exception {
        assumeRootAndSetpriv();
        serve(new PeerPolicy(false, Set.of(), Set.of(GROUP)), this::routes);
        byte[] request =
                "GET /now HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
        assertThat(status(new HostileProgram.User(65_534, 65_534, List.of(100L, GROUP)), request))
                .isEqualTo("HTTP/1.1 200");
        assertThat(status(new HostileProgram.User(65_534, GROUP, List.of()), request))
                .as("the primary group")
                .isEqualTo("HTTP/1.1 200");
        assertThat(status(new HostileProgram.User(65_534, 65_534, List.of(100L, GROUP + 1)), request))
                .isEqualTo("HTTP/1.1 403");
        assertThat(status(HostileProgram.User.NOBODY, get("/now")))
                .as("a refusal ends the connection, whatever the client asked for")
                .isEqualTo("HTTP/1.1 403");
    }

    private String status(HostileProgram.User user, byte[] request) throws Exception {
        String answer = new String(HostileProgram.exchange(SETPRIV, user, socket, request), StandardCharsets.US_ASCII);
        return answer.substring(0, Math.min(12, answer.length()));
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
}
