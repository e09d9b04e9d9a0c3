package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.ChallengeQueue;
import dev.holdfast.control.Challenges;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.InferencePaths;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An inference process that was taken over asks without end and takes no evidence: the agent spends a bounded number of sockets. */
class ChallengeCollectorTest {
    @TempDir
    Path folder;

    private final Random random = new Random(1);
    private final AtomicInteger asked = new AtomicInteger();
    private final Queue<SocketChannel> evidence = new ConcurrentLinkedQueue<>();

    private void serve(ServerSocketChannel server) {
        while (true) {
            try {
                SocketChannel channel = server.accept();
                Thread.ofVirtual().start(() -> answer(channel));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void answer(SocketChannel channel) {
        try {
            ByteBuffer request = ByteBuffer.allocate(4096);
            channel.read(request);
            String head = new String(request.array(), 0, request.position(), StandardCharsets.US_ASCII);
            if (!head.startsWith("GET " + InferencePaths.CHALLENGES)) {
                evidence.add(channel); // Never read further, never answered.
                return;
            }
            asked.incrementAndGet();
            List<Binary> nonces = new ArrayList<>();
            for (int i = 0; i < Challenges.MAX_NONCES; i++) {
                byte[] nonce = new byte[Challenges.MIN_NONCE_BYTES];
                random.nextBytes(nonce);
                nonces.add(Binary.copyOf(nonce));
            }
            byte[] body = Json.write(new Challenges(nonces).toJson());
            String reply = "HTTP/1.1 200 OK\r\nContent-Length: " + body.length + "\r\n\r\n";
            channel.write(ByteBuffer.wrap(reply.getBytes(StandardCharsets.US_ASCII)));
            channel.write(ByteBuffer.wrap(body));
            channel.close();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aFloodOfChallengesCostsABoundedNumberOfSockets() throws Exception {
        Path socket = folder.resolve("control.sock");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            Thread.ofPlatform().daemon().start(() -> serve(server));
            try (ChallengeQueue queue = new ChallengeQueue(nonce -> new byte[1], ChallengeQueue.Limits.DEFAULT);
                    ChallengeCollector collector = ChallengeCollector.start(new InferenceClient(socket), queue)) {
                assertThat(collector).isNotNull();
                Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> asked.get() >= 10);
                assertThat(evidence).hasSizeBetween(1, Challenges.MAX_HANDED_OVER);
            }
        } finally {
            for (SocketChannel channel : evidence) {
                channel.close();
            }
        }
    }
}
