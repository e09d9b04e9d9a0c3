package dev.holdfast.control;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads one HTTP/1.1 reply as its bytes come (RFC 9112 sections 2 to 7): a status line and headers of at most
 * {@value #MAX_HEAD_BYTES} bytes, then a body of at most a given length, by {@code Content-Length}, in chunks, or up to the end of the
 * connection. Anything else is refused with {@code WIRE-FIELD} or {@code WIRE-TOO-LARGE}. Belongs to one thread.
 */
final class HttpReplyReader {
    static final int MAX_HEAD_BYTES = 16 * 1024;
    private static final Pattern SIZE_OF_CHUNK = Pattern.compile("([0-9A-Fa-f]{1,8})(?:[ ;].*)?");
    private static final long UNTIL_END = -1;

    private enum Part {
        HEAD,
        BODY,
        CHUNK_SIZE,
        CHUNK,
        CHUNK_END,
        TRAILER,
        DONE
    }

    private final int maxBodyBytes;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private final ByteArrayOutputStream body = new ByteArrayOutputStream();
    private Part part = Part.HEAD;
    private int headBytes;
    private int status;
    private boolean chunked;
    private long left = UNTIL_END;
    /** Bytes of the body that {@link #take} took out already. */
    private int takenBytes;

    HttpReplyReader(int maxBodyBytes) {
        this.maxBodyBytes = maxBodyBytes;
    }

    boolean isComplete() {
        return part == Part.DONE;
    }

    int status() {
        return status;
    }

    byte[] body() {
        return body.toByteArray();
    }

    /** Bytes of the body that are held. */
    int held() {
        return body.size();
    }

    /** Whether the head was read, and with it the status. */
    boolean hasHead() {
        return part != Part.HEAD;
    }

    /** What came of the body since the last time. The bound counts for all of it. */
    byte[] take() {
        byte[] piece = body.toByteArray();
        takenBytes += piece.length;
        body.reset();
        return piece;
    }

    /** Takes all bytes of {@code bytes}; what follows a complete reply is left over. */
    void read(ByteBuffer bytes) throws RejectedException {
        while (bytes.hasRemaining() && part != Part.DONE) {
            if (part == Part.BODY || part == Part.CHUNK) {
                content(bytes);
            } else {
                character(bytes.get());
            }
        }
    }

    /** Says that the connection ended. */
    void end() throws RejectedException {
        if (part == Part.BODY && left == UNTIL_END) {
            part = Part.DONE;
        }
        if (part != Part.DONE) {
            throw new RejectedException(Code.WIRE_FIELD, "the connection ended within a reply");
        }
    }

    private void content(ByteBuffer bytes) throws RejectedException {
        int count = left == UNTIL_END ? bytes.remaining() : (int) Math.min(left, bytes.remaining());
        if (count > maxBodyBytes - takenBytes - body.size()) {
            throw tooLarge();
        }
        byte[] piece = new byte[count];
        bytes.get(piece);
        body.writeBytes(piece);
        if (left != UNTIL_END) {
            left -= count;
            if (left == 0) {
                part = part == Part.CHUNK ? Part.CHUNK_END : Part.DONE;
            }
        }
    }

    private RejectedException tooLarge() {
        return new RejectedException(Code.WIRE_TOO_LARGE, "the reply is longer than " + maxBodyBytes + " bytes");
    }

    /** Everything but the content itself comes in lines, and they are few. */
    private void character(byte value) throws RejectedException {
        // What frames chunks counts against the content's own bound, whatever it frames.
        if (++headBytes > (part == Part.HEAD ? MAX_HEAD_BYTES : MAX_HEAD_BYTES + maxBodyBytes)) {
            throw new RejectedException(Code.WIRE_TOO_LARGE, "more head or framing than a reply may have");
        }
        if (value != '\n') {
            line.write(value);
            return;
        }
        String text = line.toString(StandardCharsets.ISO_8859_1);
        line.reset();
        line(text.endsWith("\r") ? text.substring(0, text.length() - 1) : text);
    }

    private void line(String text) throws RejectedException {
        switch (part) {
            case HEAD -> head(text);
            case CHUNK_SIZE -> chunk(text);
            case CHUNK_END -> {
                if (!text.isEmpty()) {
                    throw wrong("the end of a chunk");
                }
                part = Part.CHUNK_SIZE;
            }
            case TRAILER -> part = text.isEmpty() ? Part.DONE : Part.TRAILER;
            case BODY, CHUNK, DONE -> throw new IllegalStateException(part.toString());
        }
    }

    private void head(String text) throws RejectedException {
        if (status == 0) {
            if (!text.matches("HTTP/1\\.[01] [1-5][0-9]{2}( .*)?")) {
                throw wrong("a status line");
            }
            status = Integer.parseInt(text.substring(9, 12));
            return;
        }
        if (text.isEmpty()) {
            begin();
            return;
        }
        int colon = text.indexOf(':');
        if (colon <= 0) {
            throw wrong("a header");
        }
        String value = text.substring(colon + 1).strip();
        switch (text.substring(0, colon).toLowerCase(Locale.ROOT)) {
            case "content-length" -> {
                if (!value.matches("[0-9]{1,10}") || (left != UNTIL_END && left != Long.parseLong(value))) {
                    throw wrong("a length");
                }
                left = Long.parseLong(value);
            }
            case "transfer-encoding" -> {
                if (!value.equalsIgnoreCase("chunked")) {
                    throw wrong("a transfer encoding");
                }
                chunked = true;
            }
            default -> {
                // Says nothing that matters here.
            }
        }
    }

    private void begin() throws RejectedException {
        if (status / 100 == 1) {
            throw wrong("a final status");
        }
        if (chunked && left != UNTIL_END) {
            throw wrong("one length"); // RFC 9112 section 6.3: two framings are an attack.
        }
        if (left > maxBodyBytes) {
            throw tooLarge();
        }
        headBytes = 0;
        part = chunked ? Part.CHUNK_SIZE : left == 0 ? Part.DONE : Part.BODY;
    }

    private void chunk(String text) throws RejectedException {
        Matcher size = SIZE_OF_CHUNK.matcher(text);
        if (!size.matches()) {
            throw wrong("the size of a chunk");
        }
        left = Long.parseLong(size.group(1), 16);
        if (left > maxBodyBytes - takenBytes - body.size()) {
            throw tooLarge();
        }
        part = left == 0 ? Part.TRAILER : Part.CHUNK;
    }

    private static RejectedException wrong(String expected) {
        return new RejectedException(Code.WIRE_FIELD, "a reply without " + expected);
    }
}
