package dev.holdfast.testkit;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/** The connections of one attack, each with a thread. */
final class HostileConnections implements AutoCloseable {
    static final int BUFFER_BYTES = 16 * 1024;
    static final int TELL_MILLIS = 50;
    private static final int SLOW_MILLIS = 200;
    /** A flood that is refused at once must not only measure its own processor. */
    private static final int AGAIN_MILLIS = 5;

    private static final int END_MILLIS = 2_000;
    private static final int LONG_BODY_BYTES = 256 * 1024;
    private static final int NONCE_BYTES = 16;
    private static final int MAX_GARBAGE_BYTES = 3_000;

    private final HostileProgram.Attack attack;
    private final Path socket;
    private final AtomicInteger tried = new AtomicInteger();
    private final Set<SocketChannel> open = ConcurrentHashMap.newKeySet();
    private final ConcurrentHashMap<Integer, Integer> statuses = new ConcurrentHashMap<>();
    private final List<Thread> threads = new ArrayList<>();
    private volatile boolean closed;

    HostileConnections(HostileProgram.Attack attack, Path socket, int connections) {
        this.attack = attack;
        this.socket = socket;
        for (int i = 0; i < connections; i++) {
            threads.add(Thread.ofVirtual().name("hostile-" + i).start(this::run));
        }
    }

    HostileProgram.Tally tally() {
        return new HostileProgram.Tally(tried.get(), open.size(), new TreeMap<>(statuses));
    }

    private void run() {
        boolean flood = switch (attack) {
            case ENDLESS_BODY, SLOW_STREAM, PIPELINE, EVIDENCE, RECONNECT, GARBAGE -> true;
            case SILENT, SLOW_HEAD, UNFINISHED_BODY, UNREAD_STREAM -> false;
        };
        do {
            try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                tried.incrementAndGet();
                channel.connect(UnixDomainSocketAddress.of(socket));
                open.add(channel);
                try {
                    attack(channel);
                } finally {
                    open.remove(channel);
                }
            } catch (IOException e) {
                // Refused, or hung up on: what a flood tries again.
            }
            pause(AGAIN_MILLIS);
        } while (flood && !closed);
    }

    private void attack(SocketChannel channel) throws IOException {
        Thread reader = switch (attack) {
            case SLOW_HEAD, UNFINISHED_BODY, ENDLESS_BODY, PIPELINE -> reader(channel);
            case SILENT, SLOW_STREAM, UNREAD_STREAM, EVIDENCE, RECONNECT, GARBAGE -> null;
        };
        try {
            send(channel);
        } finally {
            if (reader != null) {
                // What refuses the rest may have said why.
                join(reader, END_MILLIS);
            }
        }
    }

    private void send(SocketChannel channel) throws IOException {
        switch (attack) {
            case SILENT -> read(channel);
            case SLOW_HEAD -> {
                write(channel, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
                while (channel.isOpen()) {
                    write(channel, "a");
                    pause(SLOW_MILLIS);
                }
            }
            case UNFINISHED_BODY -> {
                write(channel, head("POST", "/v1/embeddings", "Content-Length: " + LONG_BODY_BYTES));
                write(channel, "x".repeat(LONG_BODY_BYTES - 1));
                while (channel.isOpen()) {
                    pause(SLOW_MILLIS);
                }
            }
            case ENDLESS_BODY -> {
                write(channel, head("POST", "/v1/embeddings", "Transfer-Encoding: chunked"));
                String chunk = Integer.toHexString(BUFFER_BYTES) + "\r\n" + "x".repeat(BUFFER_BYTES) + "\r\n";
                while (true) {
                    write(channel, chunk);
                }
            }
            case UNREAD_STREAM -> {
                write(channel, stream(0));
                while (channel.isOpen()) {
                    pause(SLOW_MILLIS);
                    // Nobody tells a program that does not read, but a socket that is gone takes no byte.
                    write(channel, "\r\n");
                }
            }
            case SLOW_STREAM -> {
                write(channel, stream(1));
                read(channel);
            }
            case PIPELINE -> {
                String many = head("GET", "/healthz", "Accept: */*").repeat(100);
                while (true) {
                    write(channel, many);
                }
            }
            case EVIDENCE -> {
                byte[] nonce = new byte[NONCE_BYTES];
                ThreadLocalRandom.current().nextBytes(nonce);
                String path = "/v1/attestation?nonce=" + HexFormat.of().formatHex(nonce);
                write(channel, head("GET", path, "Connection: close"));
                read(channel);
            }
            case RECONNECT -> {
                // Hangs up.
            }
            case GARBAGE -> {
                byte[] garbage = new byte[ThreadLocalRandom.current().nextInt(1, MAX_GARBAGE_BYTES)];
                ThreadLocalRandom.current().nextBytes(garbage);
                channel.write(ByteBuffer.wrap(garbage));
                read(channel);
            }
        }
    }

    private static String head(String method, String path, String header) {
        return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n\r\n";
    }

    private static String stream(int tokensPerSecond) {
        String body =
                "{\"messages\":[{\"role\":\"user\",\"content\":\"go on\"}],\"max_tokens\":1000000,\"stream\":true,"
                        + "\"ignore_eos\":true"
                        + (tokensPerSecond > 0 ? ",\"tokens_per_second\":" + tokensPerSecond : "") + "}";
        return head("POST", "/v1/chat/completions", "Connection: close\r\nContent-Length: " + body.length()) + body;
    }

    private static void write(SocketChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private Thread reader(SocketChannel channel) {
        return Thread.ofVirtual().name("hostile-reader").start(() -> {
            try (channel) {
                read(channel);
            } catch (IOException e) {
                // Hung up on.
            }
        });
    }

    /** Reads to the end and counts the status lines. */
    private void read(SocketChannel channel) throws IOException {
        ByteBuffer in = ByteBuffer.allocate(BUFFER_BYTES);
        String left = "";
        while (channel.read(in.clear()) >= 0) {
            String text = left + new String(in.array(), 0, in.position(), StandardCharsets.ISO_8859_1);
            int from = 0;
            for (int at = text.indexOf("HTTP/1.1 "); at >= 0 && at + 12 <= text.length(); ) {
                String status = text.substring(at + 9, at + 12);
                // An answer may name the protocol in its text, too.
                if (status.chars().allMatch(Character::isDigit)) {
                    statuses.merge(Integer.parseInt(status), 1, Integer::sum);
                }
                from = at + 12;
                at = text.indexOf("HTTP/1.1 ", from);
            }
            left = text.substring(Math.max(from, text.length() - 11));
        }
    }

    private static void pause(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void join(Thread thread, int millis) {
        try {
            thread.join(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        closed = true;
        threads.forEach(Thread::interrupt);
        for (SocketChannel channel : open) {
            try {
                channel.close();
            } catch (IOException e) {
                // Gone already.
            }
        }
        threads.forEach(thread -> join(thread, END_MILLIS));
    }
}
