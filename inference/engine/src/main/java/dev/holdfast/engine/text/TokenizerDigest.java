package dev.holdfast.engine.text;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.wire.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Map;
import java.util.TreeMap;

/**
 * One digest over everything that a model file says of its tokenizer: each metadata key that begins with {@code
 * tokenizer.}, in the order of the names, as {@code u32 length | name | u8 kind | value}, big-endian, a text or an element
 * of a list after its own length. Two files with the same digest cut texts alike. Evidence carries it beside the digest of
 * the whole file, so that a change of weights alone can be told from a change of words.
 */
public final class TokenizerDigest {
    private static final String PREFIX = "tokenizer.";

    private TokenizerDigest() {}

    public static Sha256 of(GgufFile file) {
        MessageDigest digest = Sha256.newDigest();
        for (Map.Entry<String, GgufValue> entry : new TreeMap<>(file.metadata()).entrySet()) {
            if (entry.getKey().startsWith(PREFIX)) {
                text(digest, entry.getKey().getBytes(StandardCharsets.UTF_8));
                value(digest, entry.getValue());
            }
        }
        return Sha256.finish(digest);
    }

    private static void value(MessageDigest digest, GgufValue value) {
        switch (value) {
            case GgufValue.Whole(var type, long number) -> {
                digest.update((byte) 0);
                number(digest, number);
            }
            case GgufValue.Real(var type, double number) -> {
                digest.update((byte) 1);
                number(digest, Double.doubleToLongBits(number));
            }
            case GgufValue.Flag(boolean flag) -> digest.update(new byte[] {2, (byte) (flag ? 1 : 0)});
            case GgufValue.Text(String text) -> {
                digest.update((byte) 3);
                text(digest, text.getBytes(StandardCharsets.UTF_8));
            }
            case GgufValue.Numbers numbers -> {
                digest.update((byte) 4);
                number(digest, numbers.size());
                for (int i = 0; i < numbers.size(); i++) {
                    number(digest, Double.doubleToLongBits(numbers.real(i)));
                }
            }
            case GgufValue.Texts texts -> {
                digest.update((byte) 5);
                number(digest, texts.size());
                for (int i = 0; i < texts.size(); i++) {
                    text(digest, texts.bytes(i));
                }
            }
        }
    }

    private static void text(MessageDigest digest, byte[] bytes) {
        digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).array());
        digest.update(bytes);
    }

    private static void number(MessageDigest digest, long number) {
        digest.update(ByteBuffer.allocate(Long.BYTES).putLong(number).array());
    }
}
