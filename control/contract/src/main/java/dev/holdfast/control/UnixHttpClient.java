package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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

    /**
     * What an answer in events may cost.
     *
     * @param totalBytes of all events together
     * @param idle how long nothing may come, not even a comment
     * @param deadline of the whole exchange
     */
    public record StreamBounds(int totalBytes, Duration idle, Duration deadline) {
        public static final StreamBounds DEFAULT =
                new StreamBounds(64 * 1024 * 1024, Duration.ofSeconds(60), Duration.ofMinutes(15));
    }

    /** Takes each event as it comes; what it throws ends the call. */
    @FunctionalInterface
    public interface Events {
        void event(JsonNode event) throws IOException, RejectedException;
    }

    /**
     * Asks for server-sent events. An answer that ends without {@code [DONE]} was cut, and is told as a failure.
     *
     * @return the reply where it is none in events, such as a refusal; empty where all events were taken
     * @throws RejectedException {@code API-INTERNAL} where the answer was cut, and whatever {@code events} throws
     */
    public Optional<Reply> stream(String uri, JsonNode body, StreamBounds bounds, Events events)
            throws IOException, RejectedException {
        EventReader reader = new EventReader();
        HttpReplyReader http = new HttpReplyReader(bounds.totalBytes());
        List<RejectedException> thrown = new ArrayList<>();
        Exchange exchange =
                new Exchange(http, new Bounds(MAX_REPLY_BYTES, bounds.deadline()), Optional.of(bounds.idle()), () -> {
                    if (!http.hasHead() || http.status() != 200) {
                        if (http.held() > MAX_REPLY_BYTES) {
                            throw new RejectedException(Code.WIRE_TOO_LARGE, "the refusal is too long");
                        }
                        return false;
                    }
                    for (JsonNode event : reader.read(http.take())) {
                        try {
                            events.event(event);
                        } catch (RejectedException e) {
                            thrown.add(e);
                            return true;
                        }
                    }
                    return reader.isDone();
                });
        try {
            call("POST", uri, body, exchange);
        } catch (IOException e) {
            if (!(e.getCause() instanceof RejectedException)) {
                throw e;
            }
            throw new RejectedException(Code.API_INTERNAL, "the answer was cut or is not one: " + e.getMessage());
        }
        if (!thrown.isEmpty()) {
            throw thrown.getFirst();
        }
        if (http.status() == 200) {
            if (!reader.isDone()) {
                throw new RejectedException(Code.API_INTERNAL, "the answer was cut: it ended without its end");
            }
            return Optional.empty();
        }
        return Optional.of(
                new Reply(http.status(), Json.read(http.body(), MAX_REPLY_BYTES).orThrow()));
    }

    private Reply call(String method, String uri, @Nullable JsonNode body, Bounds bounds) throws IOException {
        HttpReplyReader reader = new HttpReplyReader(bounds.replyBytes());
        call(method, uri, body, new Exchange(reader, bounds, Optional.empty(), () -> false));
        try {
            return new Reply(
                    reader.status(),
                    Json.read(reader.body(), bounds.replyBytes()).orThrow());
        } catch (RejectedException e) {
            throw new IOException(name() + ": " + e.rejection(), e);
        }
    }

    /** Looks at what was read so far; true where no more is wanted. */
    @FunctionalInterface
    private interface Progress {
        boolean isEnough() throws IOException, RejectedException;
    }

    private record Exchange(HttpReplyReader reader, Bounds bounds, Optional<Duration> idle, Progress progress) {}

    private void call(String method, String uri, @Nullable JsonNode body, Exchange exchange) throws IOException {
        Duration deadline = exchange.bounds.deadline();
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
            read(channel, selector, until, exchange);
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

    private void read(SocketChannel channel, Selector selector, long until, Exchange exchange)
            throws IOException, RejectedException {
        Duration patience = exchange.bounds.deadline();
        HttpReplyReader reader = exchange.reader;
        ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
        long heard = System.nanoTime();
        while (!reader.isComplete()) {
            long next = until;
            if (exchange.idle.isPresent()) {
                long silent = heard + exchange.idle.get().toNanos();
                if (silent - until < 0) {
                    next = silent;
                    patience = exchange.idle.get();
                }
            }
            await(selector, next, patience);
            int count = channel.read(buffer.clear());
            if (count < 0) {
                reader.end();
            } else if (count > 0) {
                heard = System.nanoTime();
                reader.read(buffer.flip());
            }
            if (exchange.progress.isEnough()) {
                return;
            }
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
                    throw new NoDaemonException(socket, e);
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
