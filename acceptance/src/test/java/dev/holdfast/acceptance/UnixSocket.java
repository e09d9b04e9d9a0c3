package dev.holdfast.acceptance;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Bytes to and from a Unix socket, with nothing between that could make them well formed. */
final class UnixSocket {
    private static final int LIMIT_SECONDS = 20;
    private static final int MAX_REPLY_BYTES = 8 * 1024 * 1024;
    private static final ScheduledExecutorService CLOCK = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("socket-clock").factory());

    private UnixSocket() {}

    /** Sends bytes, then no more, and reads to the end: for what no server could take as a whole request. */
    static byte[] exchangeHalfClosed(Path socket, byte[] sent) throws IOException {
        return exchange(socket, sent, true);
    }

    /** Sends bytes and reads until the other side hangs up, which a well-formed request asks for. */
    static byte[] exchange(Path socket, byte[] sent) throws IOException {
        return exchange(socket, sent, false);
    }

    private static byte[] exchange(Path socket, byte[] sent, boolean thenNoMore) throws IOException {
        SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        var end = CLOCK.schedule(() -> close(channel), LIMIT_SECONDS, TimeUnit.SECONDS);
        ByteArrayOutputStream reply = new ByteArrayOutputStream();
        try (channel) {
            try {
                ByteBuffer out = ByteBuffer.wrap(sent);
                while (out.hasRemaining()) {
                    channel.write(out);
                }
                if (thenNoMore) {
                    channel.shutdownOutput();
                }
            } catch (IOException e) {
                // Refused before everything was sent; what it said is still to be read.
            }
            ByteBuffer in = ByteBuffer.allocate(64 * 1024);
            while (reply.size() < MAX_REPLY_BYTES && channel.read(in.clear()) >= 0) {
                reply.write(in.array(), 0, in.position());
            }
        } catch (IOException e) {
            if (end.isDone()) {
                throw new IOException("no end of the answer within " + LIMIT_SECONDS + " s", e);
            }
        } finally {
            end.cancel(false);
        }
        return reply.toByteArray();
    }

    private static void close(SocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static JsonNode getJson(Path socket, String path) throws IOException {
        return json(socket, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    }

    static JsonNode postJson(Path socket, String path, JsonNode body) throws IOException {
        String text = new String(Json.write(body), StandardCharsets.UTF_8);
        return json(socket, post(path, text));
    }

    static String post(String path, String body) {
        return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                + "Content-Type: application/json\r\nContent-Length: "
                + body.getBytes(StandardCharsets.UTF_8).length + "\r\n\r\n" + body;
    }

    private static JsonNode json(Path socket, String request) throws IOException {
        String reply = new String(exchange(socket, request.getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8);
        int at = reply.indexOf("\r\n\r\n");
        if (at < 0) {
            throw new IOException("no answer of HTTP: " + reply);
        }
        try {
            return Json.read(reply.substring(at + 4).getBytes(StandardCharsets.UTF_8), MAX_REPLY_BYTES)
                    .orThrow();
        } catch (RejectedException e) {
            throw new IOException(reply, e);
        }
    }
}
