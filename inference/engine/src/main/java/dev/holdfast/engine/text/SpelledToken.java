package dev.holdfast.engine.text;

import dev.holdfast.wire.Binary;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;

/**
 * A token as a program is told of it.
 *
 * @param text what it stands for; bytes that are no whole character are written {@code \xf0}, and a control token has the name that the
 *     vocabulary gives it
 * @param bytes the same in UTF-8, which together with those of its neighbours make characters; empty for a control token
 */
public record SpelledToken(String text, Optional<Binary> bytes) {
    private static final int SPACE = ' ';

    /**
     * Spells a token.
     *
     * @param first whether it is the first of a text that begins as {@link TextDecoder} says, where a space is taken off that was not there
     */
    public static SpelledToken of(Tokenizer tokenizer, int id, boolean first) {
        if (tokenizer.vocabulary().isControl(id)) {
            return new SpelledToken(tokenizer.vocabulary().text(id), Optional.empty());
        }
        byte[] bytes = tokenizer.bytes(id);
        boolean drop = first && tokenizer.spacePrefix() && bytes.length > 0 && bytes[0] == SPACE;
        byte[] shown = drop ? Arrays.copyOfRange(bytes, 1, bytes.length) : bytes;
        return new SpelledToken(text(shown), Optional.of(Binary.copyOf(shown)));
    }

    private static String text(byte[] utf8) {
        CharsetDecoder decoder = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        StringBuilder text = new StringBuilder(utf8.length);
        ByteBuffer in = ByteBuffer.wrap(utf8);
        CharBuffer out = CharBuffer.allocate(utf8.length + 1);
        while (in.hasRemaining()) {
            CoderResult result = decoder.decode(in, out.clear(), true);
            text.append(out.flip());
            for (int i = 0; result.isError() && i < result.length(); i++) {
                text.append(String.format("\\x%02x", in.get()));
            }
            decoder.reset();
        }
        return text.toString();
    }
}
