package dev.holdfast.engine.text;

import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.RejectedException;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/**
 * WordPiece as BERT has it ({@code tokenizer.ggml.model} = {@code bert}): lower case without accents, cut at spaces and
 * punctuation, each word then spelled by the longest tokens from the left. A token that begins a word begins with U+2581 in
 * the file. A word that cannot be spelled, or has more than a hundred characters, is unknown.
 */
final class WordPieceTokenizer extends Tokenizer {
    /** BERT's own limit; it also bounds the time. */
    private static final int MAX_WORD_CHARS = 100;

    private final Map<String, Integer> pieces = new HashMap<>();
    private final int longest;
    private final Normalization normalization;

    /** What happens to a text first. */
    private record Normalization(boolean lowerCase, boolean withoutAccents) {}

    private WordPieceTokenizer(Vocabulary vocabulary, Frame frame, Normalization normalization, BitSet excluded) {
        super(vocabulary, frame, excluded);
        this.normalization = normalization;
        int most = 1;
        for (int id = 0; id < vocabulary.size(); id++) {
            if (mayCome(id) && vocabulary.text(id).length() <= MAX_WORD_CHARS + 1) {
                pieces.putIfAbsent(vocabulary.text(id), id);
                most = Math.max(most, vocabulary.text(id).length());
            }
        }
        longest = most;
    }

    public static WordPieceTokenizer of(GgufFile file) throws RejectedException {
        Vocabulary vocabulary = Vocabulary.of(file, false, new Vocabulary.Usual(100, -1, -1));
        int begin = vocabulary.begin() >= 0 ? vocabulary.begin() : vocabulary.id(file, "cls_token_id", 101);
        // The misspelled key is the one that converters write.
        int end = vocabulary.id(file, "seperator_token_id", 102);
        Frame frame = frame(file, begin, true, end, "add_sep_token", true);
        // As in BERT's own: accents go with the capitals, where the file does not say otherwise.
        boolean lowerCase =
                file.flag("tokenizer.ggml.normalizer.lowercase", true).orThrow();
        Normalization normalization = new Normalization(
                lowerCase,
                file.flag("tokenizer.ggml.normalizer.strip_accents", lowerCase).orThrow());
        return new WordPieceTokenizer(vocabulary, frame, normalization, new BitSet());
    }

    @Override
    Tokenizer without(BitSet excluded) {
        return new WordPieceTokenizer(vocabulary(), frame(), normalization, excluded);
    }

    @Override
    boolean spacePrefix() {
        return true;
    }

    @Override
    void encodePart(String text, boolean afterSpecial, TokenIds out) {
        String plain = normalization.withoutAccents ? Normalizer.normalize(text, Normalizer.Form.NFD) : text;
        StringBuilder word = new StringBuilder();
        for (int at = 0, c; at < plain.length(); at += Character.charCount(c)) {
            c = plain.codePointAt(at);
            if (PreTokenizer.isSpace(c)) {
                end(word, out);
            } else if (isPunctuation(c) || isIdeograph(c)) {
                end(word, out);
                end(word.appendCodePoint(cased(c)), out);
            } else if (!isDropped(c)) {
                word.appendCodePoint(cased(c));
            }
        }
        end(word, out);
    }

    private int cased(int c) {
        return normalization.lowerCase ? Character.toLowerCase(c) : c;
    }

    private void end(StringBuilder word, TokenIds out) {
        if (!word.isEmpty()) {
            spell(word, out);
            word.setLength(0);
        }
    }

    private void spell(StringBuilder word, TokenIds out) {
        int before = out.size();
        boolean spelled = word.codePointCount(0, word.length()) <= MAX_WORD_CHARS;
        String text = SentencePieceTokenizer.SPACE + word.toString();
        for (int from = 0; spelled && from < text.length(); ) {
            int to = Math.min(text.length(), from + longest);
            Integer id = pieces.get(text.substring(from, to));
            while (id == null && --to > from) {
                id = pieces.get(text.substring(from, to));
            }
            if (id == null) {
                spelled = false;
            } else {
                out.add(id);
                from = to;
            }
        }
        if (!spelled) {
            out.cut(before);
            out.add(vocabulary().unknown());
        }
    }

    /** Accents, which are characters of their own after decomposition, and control characters. */
    private boolean isDropped(int c) {
        return switch (Character.getType(c)) {
            case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.COMBINING_SPACING_MARK ->
                normalization.withoutAccents;
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE -> true;
            default -> c == 0xfffd;
        };
    }

    private static boolean isPunctuation(int c) {
        return switch (Character.getType(c)) {
            case Character.CONNECTOR_PUNCTUATION,
                    Character.DASH_PUNCTUATION,
                    Character.START_PUNCTUATION,
                    Character.END_PUNCTUATION,
                    Character.INITIAL_QUOTE_PUNCTUATION,
                    Character.FINAL_QUOTE_PUNCTUATION,
                    Character.OTHER_PUNCTUATION -> true;
            // Of the symbols only those of ASCII are cut off: $ + < = > ^ ` | ~.
            case Character.MATH_SYMBOL, Character.CURRENCY_SYMBOL, Character.MODIFIER_SYMBOL, Character.OTHER_SYMBOL ->
                c < 0x7f;
            default -> false;
        };
    }

    /** The blocks of Chinese characters that BERT treats as words of their own. */
    private static boolean isIdeograph(int c) {
        return c >= 0x4e00 && c <= 0x9fff
                || c >= 0x3400 && c <= 0x4dbf
                || c >= 0x20000 && c <= 0x2a6df
                || c >= 0x2a700 && c <= 0x2ceaf
                || c >= 0xf900 && c <= 0xfaff
                || c >= 0x2f800 && c <= 0x2fa1f;
    }

    @Override
    byte[] bytes(int id) {
        return vocabulary().isControl(id)
                ? new byte[0]
                : vocabulary()
                        .text(id)
                        .replace(SentencePieceTokenizer.SPACE, ' ')
                        .getBytes(StandardCharsets.UTF_8);
    }
}
