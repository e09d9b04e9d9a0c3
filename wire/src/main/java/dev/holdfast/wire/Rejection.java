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
        detail = PrintableText.of(detail, MAX_DETAIL_CHARS);
        field = PrintableText.of(field, MAX_DETAIL_CHARS);
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

    @Override
    public String toString() {
        return code.id() + ": " + detail + (offset == NO_OFFSET ? "" : " (at byte " + offset + ")");
    }
}
