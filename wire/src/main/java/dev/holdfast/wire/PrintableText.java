package dev.holdfast.wire;

/** Text of others made fit for a line that people or programs read. Stateless. */
public final class PrintableText {
    private PrintableText() {}

    /**
     * One line without what ends lines, steers a terminal or turns the direction of text: Cc, Cf, Zl and Zp of Unicode, and halves of
     * surrogate pairs, each replaced by a question mark.
     *
     * @param maxChars what is longer is cut there, and looked at no further
     */
    public static String of(String text, int maxChars) {
        int length = Math.min(text.length(), maxChars);
        if (length > 0 && length < text.length() && Character.isHighSurrogate(text.charAt(length - 1))) {
            length--;
        }
        StringBuilder out = new StringBuilder(length);
        for (int i = 0; i < length; ) {
            int point = text.codePointAt(i);
            out.appendCodePoint(isPrintable(point) ? point : '?');
            i += Character.charCount(point);
        }
        return out.toString();
    }

    private static boolean isPrintable(int point) {
        return switch (Character.getType(point)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR,
                    Character.SURROGATE -> false;
            default -> true;
        };
    }
}
