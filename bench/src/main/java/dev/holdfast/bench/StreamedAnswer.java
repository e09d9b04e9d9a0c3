package dev.holdfast.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One streamed completion, as a program sees it.
 *
 * @param startNanos when it was asked for
 * @param pieceNanos when each piece of text came
 * @param endNanos when it was told why it ended, which is right behind its last token; 0 where it was not
 * @param whole whether it has a reason to end, and its end
 * @param models which versions it names, without doubles
 */
record StreamedAnswer(long startNanos, long[] pieceNanos, long endNanos, boolean whole, String models) {
    private static final String DATA = "data: ";
    private static final String MODEL = "\"model\":\"";
    private static final String NO_REASON = "\"finish_reason\":null";
    private static final String REASON = "\"finish_reason\":\"";

    /**
     * What is asked.
     *
     * @param tokens at most, whatever the model would like to end with
     * @param perSecond the pace of a fixed clock; 0 for as fast as can be
     */
    record Question(String prompt, int tokens, int perSecond) {
        Question(String prompt, int tokens) {
            this(prompt, tokens, 0);
        }

        private byte[] request(String host) {
            ObjectNode node = Json.object()
                    .put("prompt", prompt)
                    .put("max_tokens", tokens)
                    .put("ignore_eos", true)
                    .put("temperature", 0)
                    .put("stream", true);
            byte[] body = Json.write(perSecond == 0 ? node : node.put("tokens_per_second", perSecond));
            byte[] head = ("POST /v1/completions HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\n"
                            + "Content-Length: " + body.length + "\r\nConnection: close\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII);
            return ByteBuffer.allocate(head.length + body.length)
                    .put(head)
                    .put(body)
                    .array();
        }
    }

    /** Asks, and reads until the end or until so many pieces came; then it hangs up. */
    static StreamedAnswer ask(SocketAddress address, Question question, int pieces) throws IOException {
        try (SocketChannel channel = SocketChannel.open(address)) {
            long start = System.nanoTime();
            ByteBuffer request = ByteBuffer.wrap(
                    question.request(address instanceof UnixDomainSocketAddress ? "localhost" : "127.0.0.1"));
            while (request.hasRemaining()) {
                channel.write(request);
            }
            return read(channel, start, Math.min(pieces, question.tokens + 1));
        }
    }

    /** Asks, and reads until the end. */
    static StreamedAnswer ask(SocketAddress address, Question question) throws IOException {
        return ask(address, question, Integer.MAX_VALUE);
    }

    private static StreamedAnswer read(SocketChannel channel, long start, int pieces) throws IOException {
        long[] at = new long[pieces];
        int count = 0;
        long reason = 0;
        boolean whole = false;
        StringBuilder models = new StringBuilder();
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        boolean first = true;
        while (count < pieces && channel.read(buffer.clear()) >= 0) {
            long now = System.nanoTime();
            buffer.flip();
            while (buffer.hasRemaining()) {
                byte b = buffer.get();
                if (b != '\n') {
                    line.write(b);
                    continue;
                }
                String text = line.toString(StandardCharsets.UTF_8);
                line.reset();
                if (first && !text.startsWith("HTTP/1.1 200")) {
                    throw new IOException("refused: " + text.strip());
                }
                first = false;
                whole |= reason != 0 && text.startsWith(DATA + "[DONE]");
                reason = text.startsWith(DATA) && text.contains(REASON) ? now : reason;
                if (text.startsWith(DATA) && text.contains(NO_REASON) && count < pieces) {
                    at[count++] = now;
                }
                note(models, text);
            }
        }
        return new StreamedAnswer(start, Arrays.copyOf(at, count), reason, whole, models.toString());
    }

    private static void note(StringBuilder models, String text) {
        int at = text.startsWith(DATA) ? text.indexOf(MODEL) + MODEL.length() : 0;
        if (at >= MODEL.length()) {
            String model = text.substring(at, text.indexOf('"', at));
            if (models.indexOf(model) < 0) {
                models.append(models.isEmpty() ? "" : ",").append(model);
            }
        }
    }

    boolean isMixed() {
        return models.contains(",");
    }

    double secondsToFirst() {
        return pieceNanos.length == 0 ? Double.NaN : (pieceNanos[0] - startNanos) / 1e9;
    }

    /**
     * Tokens a second, without the wait for the first.
     *
     * @param tokens of the whole answer; several may make one piece
     */
    double perSecond(int tokens) {
        return pieceNanos.length == 0 || endNanos == 0 ? Double.NaN : (tokens - 1) / ((endNanos - pieceNanos[0]) / 1e9);
    }
}
