package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.sockets.EventLoop;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.SocketAddress;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A caller that holds a bundle, and sends what it likes. */
@Timeout(60)
class RemoteBundleTest {
    private static final int SIZE = 100_000;

    @TempDir
    Path dir;

    private final EventLoop loop = new EventLoop();
    private final CompletableFuture<RemoteBundle> bundle = new CompletableFuture<>();
    private SocketChannel caller;

    @BeforeEach
    void open() throws Exception {
        Path socket = dir.resolve("control.sock");
        NetServer server = loop.vertx()
                .createNetServer()
                .connectHandler(accepted -> bundle.complete(new RemoteBundle(accepted, SIZE)));
        server.listen(SocketAddress.domainSocketAddress(socket.toString()))
                .toCompletionStage()
                .toCompletableFuture()
                .get(20, TimeUnit.SECONDS);
        caller = SocketChannel.open(UnixDomainSocketAddress.of(socket));
    }

    @AfterEach
    void close() throws Exception {
        caller.close();
        loop.close();
    }

    @Test
    void readsTheRangesThatItAsksFor() throws Exception {
        Thread.ofVirtual().start(() -> {
            try {
                DataInputStream in = new DataInputStream(Channels.newInputStream(caller));
                while (true) {
                    in.readByte();
                    long offset = in.readLong();
                    ByteBuffer range = ByteBuffer.allocate(in.readInt());
                    while (range.hasRemaining()) {
                        range.put((byte) (offset + range.position()));
                    }
                    range.flip();
                    while (range.hasRemaining()) {
                        caller.write(range);
                    }
                }
            } catch (IOException e) {
                // The test is over.
            }
        });
        ByteBuffer all = ByteBuffer.allocate(SIZE);
        bundle.get(20, TimeUnit.SECONDS).read(all, 0);
        for (int i = 0; i < SIZE; i++) {
            assertThat(all.get(i)).isEqualTo((byte) i);
        }
    }

    /** Sixteen megabytes of it waited in memory, for each connection. */
    @Test
    void whatIsNotAskedForEndsTheConversationBeforeItFillsTheMemory() throws Exception {
        RemoteBundle remote = bundle.get(20, TimeUnit.SECONDS);
        ByteBuffer unasked = ByteBuffer.allocate(64 * 1024);
        long[] sent = {0};
        assertThatThrownBy(() -> {
                    while (sent[0] < 64 << 20) {
                        sent[0] += caller.write(unasked.clear());
                    }
                })
                .isInstanceOf(IOException.class);
        assertThat(sent[0]).isLessThan(2 << 20);
        assertThatThrownBy(() -> remote.read(ByteBuffer.allocate(10), 0)).isInstanceOf(IOException.class);
    }
}
