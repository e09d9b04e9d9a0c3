package dev.holdfast.engine.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Turns tokens into text one by one; a character whose bytes come in several tokens appears with its last one. */
public final class TextDecoder {
    private final Tokenizer tokenizer;
    private final CharsetDecoder utf8 = StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
    /** At most three bytes of an unfinished character stay in it between tokens. */
    private ByteBuffer pending = ByteBuffer.allocate(64);

    private boolean dropSpace;

    /**
     * A decoder for what comes behind tokens that were read.
     *
     * @param afterSpecial whether the text begins here or behind a control token, where a tokenizer puts a space that was not there
     *     and the decoder takes it off; behind text a space is the text's own
     */
    public TextDecoder(Tokenizer tokenizer, boolean afterSpecial) {
        this.tokenizer = tokenizer;
        this.dropSpace = afterSpecial && tokenizer.spacePrefix();
    }

    /** The text that is complete after this token. */
    public String next(int id) {
        byte[] bytes = tokenizer.bytes(id);
        if (pending.remaining() < bytes.length) {
            pending =
                    ByteBuffer.allocate(pending.position() + bytes.length + 64).put(pending.flip());
        }
        return take(pending.put(bytes), false);
    }

    /** What is left of a whole text: a replacement character for an unfinished one. A text that is cut has no use for it. */
    String end() {
        return take(pending, true);
    }

    private String take(ByteBuffer bytes, boolean last) {
        CharBuffer text = CharBuffer.allocate(bytes.position() + 2);
        utf8.decode(bytes.flip(), text, last);
        bytes.compact();
        if (last) {
            utf8.flush(text);
            utf8.reset();
        }
        String complete = text.flip().toString();
        if (dropSpace && !complete.isEmpty()) {
            dropSpace = false;
            return complete.charAt(0) == ' ' ? complete.substring(1) : complete;
        }
        return complete;
    }
}
