package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.control.SocketPaths;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.testkit.HostileProgram;
import dev.holdfast.testkit.HostileProgram.Attack;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What one user hears of what another floods the socket with: the gaps between the tokens of a stream. */
@Tag("full")
class FloodTest {
    private static final String SETPRIV = "/usr/bin/setpriv";
    private static final int TOKENS = 200;
    private static final int TOKENS_PER_SECOND = 25;
    private static final double MOST = 1.5;
    private static final String STREAM =
            "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":%d,\"ignore_eos\":true,\"stream\":true,\"tokens_per_second\":%d}"
                    .formatted(TOKENS, TOKENS_PER_SECOND);

    @TempDir
    Path folder;

    private @Nullable InferenceDaemon daemon;
    private Path socket;

    @BeforeEach
    void start() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "only root can become another user");
        assumeTrue(Files.isExecutable(Path.of(SETPRIV)), "setpriv of util-linux is there");
        HostileProgram.letIn(folder);
        TinyStore store = new TinyStore(folder.resolve("store"));
        store.serving(store.add("1.0.0", 1, TinyModel.Flaw.NONE), null);
        SocketPaths sockets =
                new SocketPaths(folder.resolve("agent.sock"), folder.resolve("api.sock"), folder.resolve("c.sock"));
        socket = sockets.inference();
        daemon = InferenceDaemon.start(InferenceConfig.of(
                        store.folder(), sockets, new InferenceConfig.Limits(4, 16, 256, 2, CacheType.DEFAULT, 0))
                .withApi(new InferenceConfig.Access("rw-rw-rw-", PeerPolicy.everyone())));
    }

    @AfterEach
    void stop() {
        if (daemon != null) {
            daemon.close();
        }
    }

    /** The gap between tokens that 99 of 100 are below, in milliseconds. */
    private double gapMillis() throws IOException {
        byte[] request =
                ("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
                                + STREAM.length() + "\r\n\r\n" + STREAM)
                        .getBytes(StandardCharsets.US_ASCII);
        List<Long> came = new ArrayList<>();
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
            channel.write(ByteBuffer.wrap(request));
            ByteBuffer in = ByteBuffer.allocate(1 << 16);
            while (channel.read(in.clear()) >= 0) {
                String part = new String(in.array(), 0, in.position(), StandardCharsets.UTF_8);
                for (int at = part.indexOf("data: {"); at >= 0; at = part.indexOf("data: {", at + 1)) {
                    came.add(System.nanoTime());
                }
            }
        }
        assertThat(came).hasSizeGreaterThan(TOKENS / 2);
        long[] gaps = new long[came.size() - 1];
        for (int i = 0; i < gaps.length; i++) {
            gaps[i] = came.get(i + 1) - came.get(i);
        }
        Arrays.sort(gaps);
        return gaps[gaps.length * 99 / 100] / 1e6;
    }

    @Test
    void aStreamHearsLittleOfAFlood() throws Exception {
        gapMillis();
        double quiet = gapMillis();
        Map<String, Double> flooded = new LinkedHashMap<>();
        for (Attack attack : List.of(
                Attack.SILENT,
                Attack.SLOW_STREAM,
                Attack.ENDLESS_BODY,
                Attack.EVIDENCE,
                Attack.RECONNECT,
                Attack.PIPELINE)) {
            try (HostileProgram program =
                    HostileProgram.start(SETPRIV, HostileProgram.User.NOBODY, attack, socket, 64)) {
                Awaitility.await()
                        .atMost(Duration.ofSeconds(20))
                        .until(() -> program.tally().tried() >= 64);
                flooded.put(attack.name(), gapMillis());
                System.out.println(attack + " " + program.tally());
            }
        }
        System.out.printf(
                "p99 of the gaps of a stream of %d tokens/s: %.1f ms quiet; %s%n", TOKENS_PER_SECOND, quiet, flooded);
        assertThat(requireNonNull(daemon).status().requestsActive()).isZero();
        assertThat(flooded)
                .allSatisfy((attack, gap) -> assertThat(gap).as(attack).isLessThan(MOST * quiet));
    }
}
