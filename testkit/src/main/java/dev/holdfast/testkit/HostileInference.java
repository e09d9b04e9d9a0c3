package dev.holdfast.testkit;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * An inference process that was taken over, as the agent meets it on the inference control socket. It answers each request in the
 * way of its {@link Behaviour}, which may change while it runs, and counts what the agent lets it do. Thread-safe.
 */
public final class HostileInference implements AutoCloseable {
    /** How it answers. */
    public enum Behaviour {
        /** As the real one, with the replies that {@link #says} gave it; for comparison. */
        HONEST,
        /** Serves bytes with another digest at each status. */
        NEW_DIGEST_EACH_TIME,
        /** Says another digest of the tokenizer of the right model at each status. */
        NEW_TOKENIZER_EACH_TIME,
        /** Has as many new challenges as a message may list whenever it is asked, and takes no evidence: its side hangs. */
        NEW_NONCES_EACH_TIME,
        /** Lists challenges without end, in one reply. */
        UNBOUNDED_NONCES,
        /** A body without a length, as fast as it is taken. */
        ENDLESS_BODY,
        /** The same in chunks. */
        ENDLESS_CHUNKS,
        /** Chunks of one byte each. */
        TINY_CHUNKS,
        /** Headers without end. */
        ENDLESS_HEADERS,
        /** Promises a body of many gigabytes. */
        HUGE_LENGTH,
        /** As many empty objects as the bytes of any reply hold. */
        MANY_NODES,
        /** Arrays in arrays. */
        DEEP_NESTING,
        /** Takes the request and says nothing. */
        HANGS,
        /** One byte of a good reply each 20 ms. */
        TRICKLES,
        /** Half of a good reply, and then nothing. */
        HALF_A_REPLY,
        /** Half of a good reply, and then the end of the connection. */
        CUT_OFF,
        /** Hangs up as soon as it is connected. */
        CLOSES_EARLY,
        /** Replies before it has read the request, and then replies once more. */
        REPLIES_TWICE,
        /** The reply to another kind of request. */
        REPLIES_TO_OTHERS,
        /** Values of wrong types in the right fields. */
        WRONG_TYPES,
        /** Numbers, names and lists just beyond what they may be. */
        BEYOND_LIMITS,
        /** Bytes that are no HTTP. */
        NOISE,
        /** A refusal with a code that nobody knows and a detail of a megabyte. */
        LONG_REFUSAL
    }

    private static final int PIECE_BYTES = 64 * 1024;
    private static final int TRICKLE_MILLIS = 20;
    private static final int MAX_REQUEST_BYTES = 16 * 1024 * 1024;

    private final Path socket;
    private final ServerSocketChannel server;
    private final Thread acceptor;
    private final BadReplies bad = new BadReplies();
    private final Map<String, String> honest = new ConcurrentHashMap<>();
    private final Set<SocketChannel> open = ConcurrentHashMap.newKeySet();
    private final AtomicInteger requests = new AtomicInteger();
    private final AtomicInteger mostOpen = new AtomicInteger();
    private final AtomicLong taken = new AtomicLong();
    private final Map<String, AtomicInteger> byPath = new ConcurrentHashMap<>();
    private volatile Behaviour behaviour = Behaviour.HONEST;

    private HostileInference(Path socket, ServerSocketChannel server) {
        this.socket = socket;
        this.server = server;
        this.acceptor = Thread.ofPlatform().name("hostile-inference").daemon().unstarted(this::accept);
    }

    /** Listens on {@code socket}, a path of at most 100 bytes whose file is not there or left over. */
    public static HostileInference open(Path socket) throws IOException {
        Files.deleteIfExists(socket);
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket), 128);
        HostileInference hostile = new HostileInference(socket, server);
        hostile.acceptor.start();
        return hostile;
    }

    /** What it says where it is honest: the JSON of the reply to {@code path}; {@code {}} where nothing was given. */
    public void says(String path, String json) {
        honest.put(path, json);
    }

    /** How it answers from now on; connections that are open go on as they began. */
    public void behave(Behaviour now) {
        behaviour = now;
    }

    /** Requests so far. */
    public int requests() {
        return requests.get();
    }

    /** Requests for {@code path} so far. */
    public int requests(String path) {
        AtomicInteger count = byPath.get(path);
        return count == null ? 0 : count.get();
    }

    /** Bytes that the agent's side of all sockets took so far, up to what the kernel buffers. */
    public long bytesTaken() {
        return taken.get();
    }

    /** The most connections that the agent held open at a time. */
    public int mostOpen() {
        return mostOpen.get();
    }

    private void accept() {
        while (server.isOpen()) {
            try {
                SocketChannel channel = server.accept();
                open.add(channel);
                mostOpen.accumulateAndGet(open.size(), Math::max);
                Thread.ofVirtual().start(() -> serve(channel));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void serve(SocketChannel channel) {
        try (channel) {
            Behaviour now = behaviour;
            if (now == Behaviour.CLOSES_EARLY) {
                return;
            }
            if (now == Behaviour.REPLIES_TWICE) {
                say(channel, reply(200, "{}"));
            }
            String path = request(channel);
            requests.incrementAndGet();
            byPath.computeIfAbsent(path, any -> new AtomicInteger()).incrementAndGet();
            answer(channel, now, path);
        } catch (IOException e) {
            // The agent hung up, as it should.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            open.remove(channel);
        }
    }

    private void answer(SocketChannel channel, Behaviour now, String path) throws IOException, InterruptedException {
        switch (now) {
            case HONEST, CLOSES_EARLY -> say(channel, reply(200, honest(path)));
            case NEW_DIGEST_EACH_TIME -> say(channel, reply(200, with(path, "digest")));
            case NEW_TOKENIZER_EACH_TIME -> say(channel, reply(200, with(path, "tokenizer")));
            case NEW_NONCES_EACH_TIME -> {
                if (path.endsWith("/evidence")) {
                    hang(channel);
                }
                say(channel, reply(200, path.endsWith("/challenges") ? bad.nonces(16) : honest(path)));
            }
            case UNBOUNDED_NONCES -> say(channel, reply(200, bad.nonces(20_000)));
            case ENDLESS_BODY -> endless(channel, head(200, "") + "{\"a\":\"", "x".repeat(PIECE_BYTES));
            case ENDLESS_CHUNKS ->
                endless(
                        channel,
                        head(200, "Transfer-Encoding: chunked\r\n"),
                        "10000\r\n" + " ".repeat(PIECE_BYTES) + "\r\n");
            case TINY_CHUNKS ->
                endless(channel, head(200, "Transfer-Encoding: chunked\r\n"), "1;x=y\r\n \r\n".repeat(5_000));
            case ENDLESS_HEADERS -> endless(channel, "HTTP/1.1 200 OK\r\n", "x-a: " + "y".repeat(4_000) + "\r\n");
            case HUGE_LENGTH -> endless(channel, head(200, "Content-Length: 9999999999\r\n"), " ".repeat(PIECE_BYTES));
            case MANY_NODES -> endless(channel, head(200, "") + "{\"serving\":[{}", ",{}".repeat(20_000));
            case DEEP_NESTING -> say(channel, reply(200, "[".repeat(10_000) + "]".repeat(10_000)));
            case HANGS -> hang(channel);
            case TRICKLES -> trickle(channel, reply(200, honest(path)));
            case HALF_A_REPLY -> {
                say(channel, half(path));
                hang(channel);
            }
            case CUT_OFF -> say(channel, half(path));
            case REPLIES_TWICE -> say(channel, reply(200, honest(path)));
            case REPLIES_TO_OTHERS -> say(channel, reply(200, other(path)));
            case WRONG_TYPES -> say(channel, reply(200, bad.wrongTypes()));
            case BEYOND_LIMITS -> say(channel, reply(200, bad.beyondLimits()));
            case NOISE -> endless(channel, "", bad.noise());
            case LONG_REFUSAL ->
                say(channel, reply(422, "{\"code\":\"XYZ-1\",\"detail\":\"" + "d".repeat(1 << 20) + "\"}"));
        }
    }

    private String honest(String path) {
        return honest.getOrDefault(path, "{}");
    }

    /** The honest reply with other values of one field of each model, where there are any. */
    private String with(String path, String field) {
        return honest(path)
                .replaceAll("\"" + field + "\" ?: ?\"[0-9a-f]{64}\"", "\"" + field + "\":\"" + bad.hex(32) + "\"");
    }

    private String other(String path) {
        Map<String, String> others = new HashMap<>(honest);
        others.remove(path);
        return others.values().stream().findFirst().orElse("[]");
    }

    private String half(String path) {
        String whole = reply(200, honest(path));
        return whole.substring(0, whole.length() - honest(path).length() / 2 - 1);
    }

    private static String head(int status, String more) {
        return "HTTP/1.1 " + status + " X\r\n" + more + "\r\n";
    }

    private static String reply(int status, String json) {
        return head(status, "Content-Length: " + json.length() + "\r\n") + json;
    }

    private void endless(SocketChannel channel, String begin, String piece) throws IOException {
        say(channel, begin);
        while (true) {
            say(channel, piece);
        }
    }

    private void trickle(SocketChannel channel, String text) throws IOException, InterruptedException {
        for (int i = 0; i < text.length(); i++) {
            say(channel, text.substring(i, i + 1));
            Thread.sleep(TRICKLE_MILLIS);
        }
    }

    /** Until this object is closed, or the other side hangs up. */
    private static void hang(SocketChannel channel) throws IOException {
        ByteBuffer ignored = ByteBuffer.allocate(1024);
        while (channel.read(ignored.clear()) >= 0) {
            // Nothing it says is answered.
        }
    }

    private void say(SocketChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.ISO_8859_1));
        while (bytes.hasRemaining()) {
            taken.addAndGet(channel.write(bytes));
        }
    }

    /** Reads a whole request; its path. */
    private static String request(SocketChannel channel) throws IOException {
        StringBuilder text = new StringBuilder();
        ByteBuffer buffer = ByteBuffer.allocate(PIECE_BYTES);
        while (text.length() < MAX_REQUEST_BYTES) {
            int end = text.indexOf("\r\n\r\n");
            if (end >= 0 && text.length() >= end + 4 + length(text.substring(0, end))) {
                String[] line = text.substring(0, text.indexOf("\r\n")).split(" ", 3);
                return line.length < 2 ? "" : line[1];
            }
            if (channel.read(buffer.clear()) < 0) {
                throw new IOException("hung up within a request");
            }
            text.append(StandardCharsets.ISO_8859_1.decode(buffer.flip()));
        }
        throw new IOException("a request without end");
    }

    private static int length(String head) {
        for (String line : head.split("\r\n")) {
            if (line.startsWith("Content-Length: ")) {
                return Integer.parseInt(line.substring("Content-Length: ".length()));
            }
        }
        return 0;
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (SocketChannel channel : open) {
            channel.close();
        }
        Files.deleteIfExists(socket);
    }
}
