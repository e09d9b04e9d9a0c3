package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * HTTP/1.1 with JSON over a Unix socket, one connection for each call, by the JDK alone. A reply is bounded in bytes and in time
 * while it is read. Each call blocks its caller and ends when the caller is interrupted. Thread-safe.
 */
public final class UnixHttpClient {
    /** Evidence in hexadecimal with its event log, and a history of every install. */
    public static final int MAX_REPLY_BYTES = 4 * 1024 * 1024;

    private static final int BUFFER_BYTES = 16 * 1024;
    /** strerror(EAGAIN). */
    private static final String QUEUE_FULL = "temporarily unavailable";

    private static final long CONNECT_PAUSE_NANOS = 20_000_000;

    private final Path socket;

    public UnixHttpClient(Path socket) {
        this.socket = socket;
    }

    /** A reply: HTTP status and JSON body. */
    public record Reply(int status, JsonNode body) {}

    /**
     * What a call may cost.
     *
     * @param replyBytes of the body of the reply
     * @param deadline of the whole exchange, whatever comes meanwhile
     */
    public record Bounds(int replyBytes, Duration deadline) {
        public Bounds {
            if (replyBytes < 1 || replyBytes > MAX_REPLY_BYTES) {
                throw new IllegalArgumentException("a reply has 1 to " + MAX_REPLY_BYTES + " bytes");
            }
        }
    }

    public Reply get(String uri, Duration deadline) throws IOException {
        return get(uri, new Bounds(MAX_REPLY_BYTES, deadline));
    }

    public Reply get(String uri, Bounds bounds) throws IOException {
        return call("GET", uri, null, bounds);
    }

    public Reply post(String uri, JsonNode body, Duration deadline) throws IOException {
        return post(uri, body, new Bounds(MAX_REPLY_BYTES, deadline));
    }

    public Reply post(String uri, JsonNode body, Bounds bounds) throws IOException {
        return call("POST", uri, body, bounds);
    }

    private Reply call(String method, String uri, @Nullable JsonNode body, Bounds bounds) throws IOException {
        Duration deadline = bounds.deadline();
        long until = System.nanoTime() + deadline.toNanos();
        try (SocketChannel channel = connect(until, deadline);
                Selector selector = Selector.open()) {
            SelectionKey key = channel.register(selector, SelectionKey.OP_WRITE);
            ByteBuffer request = request(method, uri, body);
            try {
                while (request.hasRemaining()) {
                    await(selector, until, deadline);
                    channel.write(request);
                }
            } catch (IOException e) {
                if (request.position() == 0 || timedOut(until)) {
                    throw e;
                }
                // Whoever refuses a request before its end hangs up; the refusal may be there to read.
            }
            key.interestOps(SelectionKey.OP_READ);
            HttpReplyReader reader = new HttpReplyReader(bounds.replyBytes());
            ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
            while (!reader.isComplete()) {
                await(selector, until, deadline);
                int count = channel.read(buffer.clear());
                if (count < 0) {
                    reader.end();
                } else {
                    reader.read(buffer.flip());
                }
            }
            return new Reply(
                    reader.status(),
                    Json.read(reader.body(), bounds.replyBytes()).orThrow());
        } catch (RejectedException e) {
            throw new IOException(name() + ": " + e.rejection(), e);
        } catch (ClosedByInterruptException e) {
            throw new IOException(name() + ": interrupted", e);
        } catch (IOException e) {
            throw e.getMessage() != null && e.getMessage().startsWith(name())
                    ? e
                    : new IOException(name() + ": " + FailureText.of(e), e);
        }
    }

    /**
     * A Unix socket connects at once or not at all: where the listener's queue is full, a blocking connect would wait for it without
     * a bound (connect(2), EAGAIN), so it is tried again until the deadline.
     */
    private SocketChannel connect(long until, Duration deadline) throws IOException {
        while (true) {
            // A channel that failed to connect is closed by then.
            SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                channel.configureBlocking(false);
                if (channel.connect(UnixDomainSocketAddress.of(socket)) || channel.finishConnect()) {
                    return channel;
                }
                channel.close();
            } catch (IOException e) {
                channel.close();
                if (!String.valueOf(e.getMessage()).contains(QUEUE_FULL)) {
                    throw e;
                }
            }
            if (timedOut(until)) {
                throw late(deadline);
            }
            LockSupport.parkNanos(CONNECT_PAUSE_NANOS);
            if (Thread.currentThread().isInterrupted()) {
                throw new IOException(name() + ": interrupted");
            }
        }
    }

    private static boolean timedOut(long until) {
        return System.nanoTime() - until >= 0;
    }

    private IOException late(Duration deadline) {
        return new IOException(name() + ": no answer within " + deadline.toSeconds() + " s");
    }

    private String name() {
        return String.valueOf(socket.getFileName());
    }

    private void await(Selector selector, long until, Duration deadline) throws IOException {
        long left = (until - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
            throw late(deadline);
        }
        selector.select(left);
        selector.selectedKeys().clear();
        if (Thread.currentThread().isInterrupted()) {
            throw new IOException(name() + ": interrupted");
        }
    }

    private static ByteBuffer request(String method, String uri, @Nullable JsonNode body) {
        byte[] content = body == null ? new byte[0] : Json.write(body);
        String head = method + " " + uri + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                + (body == null ? "" : "Content-Type: application/json\r\n")
                + "Content-Length: " + content.length + "\r\n\r\n";
        byte[] ascii = head.getBytes(StandardCharsets.US_ASCII);
        return ByteBuffer.allocate(ascii.length + content.length)
                .put(ascii)
                .put(content)
                .flip();
    }
}
