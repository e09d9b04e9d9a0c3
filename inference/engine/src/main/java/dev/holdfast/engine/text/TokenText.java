package dev.holdfast.engine.text;

/** How tokens are shown to a person. */
final class TokenText {
    private TokenText() {}

    /** What a token stands for; a token without a text of its own, or with half a character, as the vocabulary writes it. */
    static String of(Tokenizer tokenizer, int id) {
        String text = tokenizer.vocabulary().isControl(id) ? "" : new TextDecoder(tokenizer, false).next(id);
        return text.isEmpty() ? tokenizer.vocabulary().text(id) : text;
    }

    /** A text with what ends a line, steers a terminal or turns the direction of text spelled out. */
    static String visible(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\t' -> out.append("\\t");
                case '\r' -> out.append("\\r");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (isPlain(c)) {
                        out.append(c);
                    } else {
                        out.append(String.format("\\u%04x", (int) c));
                    }
                }
            }
        }
        return out.toString();
    }

    private static boolean isPlain(char c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.UNASSIGNED -> false;
            default -> true;
        };
    }
}
