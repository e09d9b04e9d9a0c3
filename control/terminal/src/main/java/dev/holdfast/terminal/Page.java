package dev.holdfast.terminal;

import java.util.ArrayList;
import java.util.List;

/**
 * Sections of padded keys with their values, as a screen shows them: values that are longer than the line go on below themselves.
 * Values from elsewhere are made harmless. Not thread-safe.
 */
public final class Page {
    private static final String INDENT = "  ";
    private static final int KEY_CHARS = 17;
    /** Less is not worth a break. */
    private static final int MIN_VALUE_CHARS = 20;

    private final Terminal terminal;
    private final StringBuilder text = new StringBuilder();

    public Page(Terminal terminal) {
        this.terminal = terminal;
    }

    /** Begins a section. */
    public Page section(String name) {
        text.append(text.isEmpty() ? "" : "\n")
                .append(terminal.bold(Units.printable(name)))
                .append('\n');
        return this;
    }

    /** A key with its value; nothing where the value is empty. */
    public Page line(String key, String value) {
        return line(key, value, Mark.NONE);
    }

    /** How the value is to be seen. */
    public enum Mark {
        NONE,
        GOOD,
        DOUBTFUL,
        BAD
    }

    /** A key with its value, marked. */
    public Page line(String key, String value, Mark mark) {
        if (value.isEmpty()) {
            return this;
        }
        int room = Math.max(MIN_VALUE_CHARS, terminal.width() - INDENT.length() - KEY_CHARS - 1);
        String lead = key;
        for (String part : wrapped(Units.printable(value), room)) {
            text.append(INDENT)
                    .append(padded(lead, KEY_CHARS))
                    .append(' ')
                    .append(marked(part, mark))
                    .append('\n');
            lead = "";
        }
        return this;
    }

    /** A whole line as it is, such as one of a table. */
    public Page text(String line) {
        text.append(line).append('\n');
        return this;
    }

    private String marked(String value, Mark mark) {
        return switch (mark) {
            case NONE -> value;
            case GOOD -> terminal.good(value);
            case DOUBTFUL -> terminal.doubtful(value);
            case BAD -> terminal.bad(value);
        };
    }

    static String padded(String text, int chars) {
        return text + " ".repeat(Math.max(0, chars - text.length()));
    }

    /** At spaces where there are some, else where the line is full. */
    static List<String> wrapped(String value, int room) {
        List<String> parts = new ArrayList<>();
        String rest = value;
        while (rest.length() > room) {
            int space = rest.lastIndexOf(' ', room);
            int end = space > 0 ? space : room;
            parts.add(rest.substring(0, end).stripTrailing());
            rest = rest.substring(end).stripLeading();
        }
        parts.add(rest);
        return parts;
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
