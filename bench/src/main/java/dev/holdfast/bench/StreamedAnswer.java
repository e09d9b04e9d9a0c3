package dev.holdfast.bench;

import dev.holdfast.wire.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * One streamed completion, as a program sees it.
 *
 * @param startNanos when it was asked for
 * @param eventNanos when each piece of text came
 * @param whole whether it has its end
 * @param models which versions it names, without doubles
 */
record StreamedAnswer(long startNanos, long[] eventNanos, boolean whole, String models) {
    private static final String DATA = "data: ";
    private static final String MODEL = "\"model\":\"";

    /** Asks for {@code tokens} tokens after a prompt, and reads until the end. */
    static StreamedAnswer ask(Path socket, String prompt, int tokens) throws IOException {
        byte[] body = Json.write(Json.object()
                .put("prompt", prompt)
                .put("max_tokens", tokens)
                .put("ignore_eos", true)
                .put("stream", true));
        byte[] head = ("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        + "Content-Length: " + body.length + "\r\nConnection: close\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII);
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket));
            long start = System.nanoTime();
            channel.write(ByteBuffer.wrap(head));
            channel.write(ByteBuffer.wrap(body));
            return read(channel, start, tokens);
        }
    }

    private static StreamedAnswer read(SocketChannel channel, long start, int tokens) throws IOException {
        long[] events = new long[tokens + 8];
        int count = 0;
        boolean whole = false;
        StringBuilder models = new StringBuilder();
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        while (channel.read(buffer.clear()) >= 0) {
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
                if (text.startsWith(DATA + "[DONE]")) {
                    whole = true;
                } else if (text.startsWith(DATA) && count < events.length) {
                    events[count++] = now;
                    int at = text.indexOf(MODEL) + MODEL.length();
                    String model = text.substring(at, text.indexOf('"', at));
                    if (models.indexOf(model) < 0) {
                        models.append(models.isEmpty() ? "" : ",").append(model);
                    }
                }
            }
        }
        return new StreamedAnswer(start, Arrays.copyOf(events, count), whole, models.toString());
    }

    double secondsToFirst() {
        return eventNanos.length == 0 ? Double.NaN : (eventNanos[0] - startNanos) / 1e9;
    }

    /** Pieces a second, without the wait for the first. */
    double perSecond() {
        int last = eventNanos.length - 1;
        return last < 1 ? Double.NaN : last / ((eventNanos[last] - eventNanos[0]) / 1e9);
    }
}
