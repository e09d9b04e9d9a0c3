package dev.holdfast.engine.text;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The words of a model as its file lists them. Immutable.
 *
 * <p>A token is <em>control</em> when the file says so, when it is unknown, or when it begins or ends a text. Control
 * tokens have no text of their own and never come out of content.
 */
public final class Vocabulary {
    /** {@code tokenizer.ggml.token_type}. */
    enum Kind {
        UNDEFINED,
        NORMAL,
        UNKNOWN,
        CONTROL,
        USER_DEFINED,
        UNUSED,
        BYTE
    }

    private static final String PREFIX = "tokenizer.ggml.";
    private static final int BYTES = 256;

    private final String[] texts;
    private final float[] scores;
    private final Kind[] kinds;
    private final Map<String, Integer> all = new HashMap<>();
    private final int[] byteTokens = new int[BYTES];
    private final BitSet control = new BitSet();
    private final int unknown;
    private final int begin;
    private final int end;

    /** The tokens that a kind of tokenizer has where the file does not name them, or -1. */
    record Usual(int unknown, int begin, int end) {
        static final Usual NONE = new Usual(-1, -1, -1);
    }

    private Vocabulary(GgufFile file, boolean scored, Usual usual) throws RejectedException {
        GgufValue.Texts tokens = file.texts(PREFIX + "tokens").orThrow();
        int size = tokens.size();
        GgufValue.@Nullable Numbers listedScores = numbers(file, "scores", size, scored);
        GgufValue.@Nullable Numbers listedKinds = numbers(file, "token_type", size, scored);
        texts = new String[size];
        scores = new float[size];
        kinds = new Kind[size];
        Arrays.fill(byteTokens, -1);
        for (int id = 0; id < size; id++) {
            texts[id] = tokens.text(id);
            scores[id] = listedScores == null ? 0 : (float) listedScores.real(id);
            kinds[id] = listedKinds == null ? Kind.NORMAL : kind(listedKinds.whole(id));
            if (Float.isNaN(scores[id])) {
                throw new RejectedException(Code.GGUF_FORMAT, "the score of token " + id + " is no number");
            }
            all.putIfAbsent(texts[id], id);
            note(id);
        }
        unknown = id(file, "unknown_token_id", usual.unknown);
        begin = id(file, "bos_token_id", usual.begin);
        end = id(file, "eos_token_id", usual.end);
        for (String key : new String[] {"eot", "eom", "cls", "seperator", "padding", "mask"}) {
            setControl(id(file, key + "_token_id", -1));
        }
        setControl(unknown);
        setControl(begin);
        setControl(end);
    }

    /**
     * Reads the words.
     *
     * @param scored whether the file must have a score and a kind for each word
     */
    static Vocabulary of(GgufFile file, boolean scored, Usual usual) throws RejectedException {
        return new Vocabulary(file, scored, usual);
    }

    private void setControl(int id) {
        if (id >= 0) {
            control.set(id);
        }
    }

    private static GgufValue.@Nullable Numbers numbers(GgufFile file, String key, int size, boolean needed)
            throws RejectedException {
        if (!needed && !file.metadata().containsKey(PREFIX + key)) {
            return null;
        }
        GgufValue.Numbers numbers = file.numbers(PREFIX + key).orThrow();
        if (numbers.size() != size) {
            throw new RejectedException(Code.GGUF_FORMAT, PREFIX + key + " has " + numbers.size() + " of " + size);
        }
        return numbers;
    }

    private static Kind kind(long number) throws RejectedException {
        if (number < 0 || number >= Kind.values().length) {
            throw new RejectedException(Code.GGUF_FORMAT, "token_type " + number);
        }
        return Kind.values()[(int) number];
    }

    /** The token that a key names. Converters write -1 for "none", as an unsigned number. */
    int id(GgufFile file, String key, int absent) throws RejectedException {
        long id = file.whole(PREFIX + key, -1, 0xffff_ffffL, (long) absent).orThrow();
        return id >= 0 && id < texts.length ? (int) id : absent >= texts.length ? -1 : absent;
    }

    private void note(int id) throws RejectedException {
        switch (kinds[id]) {
            case CONTROL, UNKNOWN -> control.set(id);
            case BYTE -> {
                String text = texts[id];
                if (!text.matches("<0x[0-9A-Fa-f]{2}>")) {
                    throw new RejectedException(Code.GGUF_FORMAT, "token " + id + " is no byte");
                }
                byteTokens[Integer.parseInt(text.substring(3, 5), 16)] = id;
            }
            case NORMAL, UNDEFINED, USER_DEFINED, UNUSED -> {}
        }
    }

    public int size() {
        return texts.length;
    }

    String text(int id) {
        return texts[id];
    }

    float score(int id) {
        return scores[id];
    }

    Kind kind(int id) {
        return kinds[id];
    }

    /** The first token with exactly this text, whatever its kind; for literals of a template. */
    @Nullable
    Integer find(String text) {
        return all.get(text);
    }

    public boolean isControl(int id) {
        return control.get(id);
    }

    /** The token for a byte, or -1. */
    int byteToken(int value) {
        return byteTokens[value];
    }

    int unknown() {
        return unknown;
    }

    /** The token that begins a text, or -1. */
    int begin() {
        return begin;
    }

    /** The token that ends a text, or -1. */
    int end() {
        return end;
    }

    /** Whether each number stands for the same text. */
    public boolean hasTokensOf(Vocabulary other) {
        boolean same = size() == other.size();
        for (int id = 0; same && id < size(); id++) {
            same = text(id).equals(other.text(id));
        }
        return same;
    }
}
