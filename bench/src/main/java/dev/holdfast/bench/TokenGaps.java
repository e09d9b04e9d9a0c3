package dev.holdfast.bench;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/** Streams answers from the inference socket and keeps the time between events, as a program sees it. Not thread-safe. */
final class TokenGaps {
    /** Fits the demo model's context with its prompt. */
    private static final int MAX_TOKENS = 450;

    private static final byte[] EVENT = "data: {".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] END = "data: [DONE]".getBytes(StandardCharsets.US_ASCII);

    private long[] gaps = new long[1024];
    private int count;

    /**
     * Streams {@code tokens} tokens, in as many answers as that takes.
     *
     * @param tokensPerSecond the pace; 0: as fast as it goes
     */
    void stream(Path socket, int tokensPerSecond, int tokens) throws IOException {
        for (int left = tokens; left > 0; left -= MAX_TOKENS) {
            one(socket, tokensPerSecond, Math.min(left, MAX_TOKENS));
        }
    }

    private void one(Path socket, int tokensPerSecond, int tokens) throws IOException {
        String body =
                "{\"messages\":[{\"role\":\"user\",\"content\":\"dim the lights\"}],\"stream\":true,\"ignore_eos\":true,"
                        + "\"max_tokens\":" + tokens
                        + (tokensPerSecond == 0 ? "" : ",\"tokens_per_second\":" + tokensPerSecond) + "}";
        String request = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: " + body.length() + "\r\nConnection: close\r\n\r\n" + body;
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            channel.write(ByteBuffer.wrap(request.getBytes(StandardCharsets.US_ASCII)));
            read(channel, tokens);
        }
    }

    private void read(SocketChannel channel, int tokens) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        int event = 0;
        int end = 0;
        int seen = 0;
        long last = 0;
        while (channel.read(buffer.clear()) >= 0) {
            long now = System.nanoTime();
            buffer.flip();
            while (buffer.hasRemaining()) {
                byte b = buffer.get();
                event = b == EVENT[event] ? event + 1 : b == EVENT[0] ? 1 : 0;
                end = b == END[end] ? end + 1 : b == END[0] ? 1 : 0;
                if (event == EVENT.length) {
                    event = 0;
                    if (seen++ > 0) {
                        add(now - last);
                    }
                    last = now;
                }
                if (end == END.length) {
                    // Tokens that only together make a character come in one event.
                    if (seen < tokens / 4) {
                        throw new IOException("only " + seen + " events for " + tokens + " tokens came");
                    }
                    return;
                }
            }
        }
        throw new IOException("the stream ended after " + seen + " of " + tokens + " tokens");
    }

    private void add(long nanos) {
        gaps = count == gaps.length ? Arrays.copyOf(gaps, 2 * count) : gaps;
        gaps[count++] = nanos;
    }

    int count() {
        return count;
    }

    long percentile(int percent) {
        return AttestationBench.percentile(Arrays.copyOf(gaps, count), percent);
    }
}
