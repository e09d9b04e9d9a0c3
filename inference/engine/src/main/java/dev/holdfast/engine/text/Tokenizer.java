package dev.holdfast.engine.text;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Cuts texts into tokens as the metadata of a model file says. One class for each {@code tokenizer.ggml.model}.
 *
 * <p>One thing is stricter than elsewhere: text never yields a control token by its name. {@link #encode} is for content, and
 * content is data; whoever wants a control token asks for it with {@link #literal}. Immutable and thread-safe; the time is
 * bounded by the length of the text times a constant or its logarithm.
 */
public abstract sealed class Tokenizer permits SentencePieceTokenizer, BpeTokenizer, WordPieceTokenizer {
    private static final String PREFIX = "tokenizer.ggml.";

    private final Vocabulary vocabulary;
    private final Frame frame;
    private final BitSet excluded;
    private final SpecialTokenScanner userDefined;

    /** What is around a plain text: the begin token, and the end or separator token, or -1 for nothing. */
    public record Frame(int begin, int end) {}

    Tokenizer(Vocabulary vocabulary, Frame frame, BitSet excluded) {
        this.vocabulary = vocabulary;
        this.frame = frame;
        this.excluded = excluded;
        Map<String, Integer> spelled = new HashMap<>();
        for (int id = 0; id < vocabulary.size(); id++) {
            if (vocabulary.kind(id) == Vocabulary.Kind.USER_DEFINED && mayCome(id)) {
                spelled.putIfAbsent(vocabulary.text(id), id);
            }
        }
        this.userDefined = new SpecialTokenScanner(spelled);
    }

    public static Tokenizer of(GgufFile file) throws RejectedException {
        String model = file.text(PREFIX + "model", null).orThrow();
        refuseUnread(file);
        return switch (model) {
            case "llama" -> SentencePieceTokenizer.of(file);
            case "gpt2" -> BpeTokenizer.of(file);
            case "bert" -> WordPieceTokenizer.of(file);
            default -> throw new RejectedException(Code.GGUF_UNSUPPORTED, "the tokenizer " + model);
        };
    }

    /** Refuses what a file asks of a tokenizer or of the choice of tokens and nobody does here, by the name of the key. */
    private static void refuseUnread(GgufFile file) throws RejectedException {
        if (file.flag(PREFIX + "remove_extra_whitespaces", false).orThrow()) {
            throw new RejectedException(Code.GGUF_UNSUPPORTED, PREFIX + "remove_extra_whitespaces is true");
        }
        for (String list : new String[] {"precompiled_charsmap", "suppress_tokens"}) {
            if (file.metadata().containsKey(PREFIX + list)
                    && file.numbers(PREFIX + list).orThrow().size() > 0) {
                throw new RejectedException(Code.GGUF_UNSUPPORTED, PREFIX + list + " is not empty");
            }
        }
    }

    /** The frame that a file asks for, where it does not say otherwise {@code addBegin} and {@code addEnd}. */
    static Frame frame(GgufFile file, int begin, boolean addBegin, int end, String endKey, boolean addEnd)
            throws RejectedException {
        return new Frame(
                file.flag(PREFIX + "add_bos_token", addBegin).orThrow() ? begin : -1,
                file.flag(PREFIX + endKey, addEnd).orThrow() ? end : -1);
    }

    /** The same tokenizer, whose texts never yield {@code excluded} either. */
    abstract Tokenizer without(BitSet excluded);

    /** Cuts a text in which no user-defined token is spelled. */
    abstract void encodePart(String text, boolean afterSpecial, TokenIds out);

    /** The bytes that a token stands for; a control token stands for none. */
    abstract byte[] bytes(int id);

    /** Whether decoded text begins with a space that was not there. */
    abstract boolean spacePrefix();

    public final Vocabulary vocabulary() {
        return vocabulary;
    }

    public final Frame frame() {
        return frame;
    }

    /** Whether content may yield this token. */
    final boolean mayCome(int id) {
        return !vocabulary.isControl(id) && !excluded.get(id);
    }

    /** Whether a text behind this token begins as behind a control token, with a space prefix where the model wants one. */
    public final boolean isSpecial(int id) {
        return !mayCome(id) || vocabulary.kind(id) == Vocabulary.Kind.USER_DEFINED;
    }

    /** A whole text, framed as the model wants it, such as one to embed. */
    public final int[] encodeText(String text) {
        TokenIds out = begun(text);
        if (frame.end >= 0) {
            out.add(frame.end);
        }
        return out.toArray();
    }

    /** A text that is to be continued: as {@link #encodeText}, without the token that ends a text. */
    public final int[] encodePrompt(String text) {
        return begun(text).toArray();
    }

    private TokenIds begun(String text) {
        TokenIds out = new TokenIds();
        if (frame.begin >= 0) {
            out.add(frame.begin);
        }
        encode(text, true, out);
        return out;
    }

    /**
     * The tokens of content.
     *
     * @param afterSpecial whether the text is at the beginning or behind a control token, where a space prefix goes
     */
    public final int[] encode(String text, boolean afterSpecial) {
        TokenIds out = new TokenIds();
        encode(text, afterSpecial, out);
        return out.toArray();
    }

    private void encode(String text, boolean afterSpecial, TokenIds out) {
        userDefined.split(text, new SpecialTokenScanner.Parts() {
            private boolean special = afterSpecial;

            @Override
            public void text(String part) {
                encodePart(part, special, out);
                special = false;
            }

            @Override
            public void token(int id) {
                out.add(id);
                special = true;
            }
        });
    }

    /** The one token that a template's literal names or spells, whatever its kind; null where there is none. */
    final @Nullable Integer literal(String text) {
        Integer named = vocabulary.find(text);
        if (named != null) {
            return named;
        }
        int[] spelled = encode(text, false);
        return spelled.length == 1 && spelled[0] != vocabulary.unknown() ? spelled[0] : null;
    }

    /** The text of tokens; malformed UTF-8 becomes U+FFFD, and the space prefix is taken off again. */
    public final String decode(int[] ids) {
        TextDecoder decoder = new TextDecoder(this, true);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            text.append(decoder.next(id));
        }
        return text.append(decoder.end()).toString();
    }
}
