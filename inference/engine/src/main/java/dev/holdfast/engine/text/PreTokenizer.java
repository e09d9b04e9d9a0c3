package dev.holdfast.engine.text;

import java.util.Optional;
import java.util.function.IntConsumer;

/**
 * Cuts a text into words that no merge crosses. Each kind is defined by a regular expression; here it is a scanner instead,
 * which looks at each character a bounded number of times whatever the text. The tests compare it with the expressions.
 */
enum PreTokenizer {
    /** {@code 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+}. */
    GPT2(false, Integer.MAX_VALUE),
    /** Each {@code \p{N}} alone; what is between them as GPT2. */
    SMOLLM(false, 1),
    /**
     * {@code (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+}.
     */
    LLAMA3(true, 3),
    /** Cuts as LLAMA3. Its files put no token before a text unless they say so, and merge a word that is a token as any other. */
    DBRX(true, 3),
    /** As LLAMA3, with each {@code \p{N}} alone. */
    QWEN2(true, 1);

    /** One name of each kind, for messages. */
    static final String NAMES = "gpt-2, smollm, llama-bpe, qwen2 and their relatives";

    private static final String[] SUFFIXES = {"s", "t", "re", "ve", "m", "ll", "d"};

    private final boolean newer;
    private final int digits;

    PreTokenizer(boolean newer, int digits) {
        this.newer = newer;
        this.digits = digits;
    }

    /** The kind that {@code tokenizer.ggml.pre} names. */
    static Optional<PreTokenizer> of(String name) {
        return switch (name) {
            case "gpt-2", "phi-2", "mpt", "olmo", "jais", "modern-bert", "exaone4" -> Optional.of(GPT2);
            case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone" -> Optional.of(SMOLLM);
            case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "lfm2" -> Optional.of(LLAMA3);
            case "dbrx", "smaug-bpe" -> Optional.of(DBRX);
            case "qwen2", "deepseek-r1-qwen", "stablelm2" -> Optional.of(QWEN2);
            default -> Optional.empty();
        };
    }

    /** Hands over where each word ends. */
    void split(String text, IntConsumer ends) {
        if (this != SMOLLM) {
            split(text, 0, text.length(), ends);
            return;
        }
        int from = 0;
        for (int at = 0, next; at < text.length(); at = next) {
            int c = text.codePointAt(at);
            next = at + Character.charCount(c);
            if (isNumber(c)) {
                split(text, from, at, ends);
                ends.accept(next);
                from = next;
            }
        }
        split(text, from, text.length(), ends);
    }

    private void split(String text, int from, int to, IntConsumer ends) {
        for (int at = from; at < to; ) {
            at = newer ? newer(text, at, to) : older(text, at, to);
            ends.accept(at);
        }
    }

    private int older(String text, int at, int to) {
        int suffix = contraction(text, at, to, false);
        if (suffix > at) {
            return suffix;
        }
        int c = text.codePointAt(at);
        // A space belongs to the word behind it, unless that is space again.
        int word = c == ' ' && at + 1 < to && !isSpace(text.codePointAt(at + 1)) ? at + 1 : at;
        Kind kind = Kind.of(text.codePointAt(word));
        return kind == Kind.SPACE ? spaces(text, at, to) : run(text, word, to, kind, Integer.MAX_VALUE);
    }

    private int newer(String text, int at, int to) {
        int suffix = contraction(text, at, to, true);
        if (suffix > at) {
            return suffix;
        }
        int c = text.codePointAt(at);
        Kind kind = Kind.of(c);
        int behind = at + Character.charCount(c);
        Kind following = behind < to ? Kind.of(text.codePointAt(behind)) : Kind.SPACE;
        if (kind == Kind.LETTER) {
            return run(text, at, to, kind, Integer.MAX_VALUE);
        }
        if (kind != Kind.NUMBER && c != '\r' && c != '\n' && following == Kind.LETTER) {
            return run(text, behind, to, Kind.LETTER, Integer.MAX_VALUE);
        }
        if (kind == Kind.NUMBER) {
            return run(text, at, to, kind, digits);
        }
        if (kind == Kind.OTHER || c == ' ' && following == Kind.OTHER) {
            int end = run(text, kind == Kind.OTHER ? at : behind, to, Kind.OTHER, Integer.MAX_VALUE);
            while (end < to && isNewline(text.charAt(end))) {
                end++;
            }
            return end;
        }
        int end = run(text, at, to, Kind.SPACE, Integer.MAX_VALUE);
        int newline = end;
        while (newline > at && !isNewline(text.charAt(newline - 1))) {
            newline--;
        }
        return newline > at ? newline : spaces(text, at, to);
    }

    /** A run of spaces; before a word its last one is left, where it has more than one. */
    private static int spaces(String text, int at, int to) {
        int end = run(text, at, to, Kind.SPACE, Integer.MAX_VALUE);
        // All spaces are single chars.
        return end < to && end - at > 1 ? end - 1 : end;
    }

    private static int run(String text, int at, int to, Kind kind, int most) {
        int end = at;
        for (int n = 0; end < to && n < most; n++) {
            int c = text.codePointAt(end);
            if (Kind.of(c) != kind) {
                break;
            }
            end += Character.charCount(c);
        }
        return end;
    }

    private static int contraction(String text, int at, int to, boolean ignoreCase) {
        if (text.charAt(at) == '\'') {
            for (String suffix : SUFFIXES) {
                if (at + 1 + suffix.length() <= to && matches(text, at + 1, suffix, ignoreCase)) {
                    return at + 1 + suffix.length();
                }
            }
        }
        return at;
    }

    /** Only ASCII letters are taken for each other; {@code regionMatches} would take the long s for an s. */
    private static boolean matches(String text, int at, String suffix, boolean ignoreCase) {
        for (int i = 0; i < suffix.length(); i++) {
            char c = text.charAt(at + i);
            if (c != suffix.charAt(i) && !(ignoreCase && c == suffix.charAt(i) - 32)) {
                return false;
            }
        }
        return true;
    }

    private enum Kind {
        LETTER,
        NUMBER,
        SPACE,
        OTHER;

        static Kind of(int c) {
            return Character.isLetter(c) ? LETTER : isNumber(c) ? NUMBER : isSpace(c) ? SPACE : OTHER;
        }
    }

    private static boolean isNumber(int c) {
        int type = Character.getType(c);
        return type == Character.DECIMAL_DIGIT_NUMBER
                || type == Character.LETTER_NUMBER
                || type == Character.OTHER_NUMBER;
    }

    /** The property White_Space of Unicode, which is not quite what {@link Character#isWhitespace} asks for. */
    static boolean isSpace(int c) {
        return c >= 9 && c <= 13 || c == 0x85 || Character.isSpaceChar(c);
    }

    private static boolean isNewline(char c) {
        return c == '\r' || c == '\n';
    }
}
