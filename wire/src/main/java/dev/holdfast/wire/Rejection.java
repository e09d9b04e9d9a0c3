package dev.holdfast.wire;

/**
 * Why an input was refused.
 *
 * @param code the stable code
 * @param detail what exactly was wrong, for a person; at most {@value #MAX_DETAIL_CHARS} characters. Characters that
 *     end a line, steer a terminal or turn the direction of text are replaced, so that it can go to a log line as it is
 * @param offset the byte offset in the input, or {@value #NO_OFFSET} where none applies
 * @param field the field that does not hold, such as {@code messages[0].role}, cleaned and bounded as the detail; empty where none applies
 */
public record Rejection(Code code, String detail, long offset, String field) {
    public static final long NO_OFFSET = -1;
    public static final int MAX_DETAIL_CHARS = 300;

    public Rejection {
        detail = printable(detail);
        field = printable(field);
    }

    public Rejection(Code code, String detail, long offset) {
        this(code, detail, offset, "");
    }

    public Rejection(Code code, String detail) {
        this(code, detail, NO_OFFSET);
    }

    /** What is wrong with one field. */
    public static Rejection ofField(Code code, String field, String detail) {
        return new Rejection(code, detail, NO_OFFSET, field);
    }

    /** Whether a character does more than to be seen: Cc, Cf, Zl and Zp of Unicode. */
    private static boolean isControl(char c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> true;
            default -> false;
        };
    }

    private static String printable(String text) {
        StringBuilder out = new StringBuilder(Math.min(text.length(), MAX_DETAIL_CHARS));
        for (int i = 0; i < text.length() && out.length() < MAX_DETAIL_CHARS; i++) {
            char c = text.charAt(i);
            out.append(isControl(c) ? '?' : c);
        }
        return out.toString();
    }

    @Override
    public String toString() {
        return code.id() + ": " + detail + (offset == NO_OFFSET ? "" : " (at byte " + offset + ")");
    }
}
