package dev.holdfast.control.config;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Where the top-level keys of a TOML document are (TOML 1.0). It expects what a parser has accepted, and finds less in anything else.
 */
public final class TomlPositions {
    /** A place in a text; both count from 1, columns in characters of UTF-16. */
    public record At(int line, int column) {
        public static final At START = new At(1, 1);

        @Override
        public String toString() {
            return line + ":" + column;
        }
    }

    /** Where a key begins, and its value. */
    record Entry(At key, At value) {}

    /** A key that was there before. */
    record Repeated(String key, At first, At again) {}

    private final String text;
    private final Map<String, Entry> entries = new HashMap<>();
    private final List<Repeated> repeated = new ArrayList<>();
    private int next;

    private TomlPositions(String text) {
        this.text = text;
    }

    /** The first mention of each key. */
    static Map<String, Entry> of(String text) {
        TomlPositions positions = new TomlPositions(text);
        positions.document();
        return positions.entries;
    }

    /** Keys that are there more than once, which TOML does not allow. */
    static List<Repeated> repeated(String text) {
        TomlPositions positions = new TomlPositions(text);
        positions.document();
        return positions.repeated;
    }

    private void document() {
        boolean inTable = false;
        while (next < text.length()) {
            char c = text.charAt(next);
            if (Character.isWhitespace(c)) {
                next++;
            } else if (c == '#') {
                skipLine();
            } else if (c == '[') {
                inTable = true;
                while (next < text.length() && "[ \t".indexOf(text.charAt(next)) >= 0) {
                    next++;
                }
                int start = next;
                entry(key(), start, start);
                skipLine();
            } else {
                int start = next;
                String key = key();
                skipTo('=');
                next++;
                while (next < text.length() && " \t".indexOf(text.charAt(next)) >= 0) {
                    next++;
                }
                if (!inTable) {
                    entry(key, start, Math.min(next, text.length()));
                }
                skipValue();
            }
        }
    }

    private void entry(String key, int at, int value) {
        Entry before = entries.putIfAbsent(key, new Entry(at(at), at(value)));
        if (before != null) {
            repeated.add(new Repeated(key, before.key, at(at)));
        }
    }

    /** The first part of a key that may be dotted. */
    private String key() {
        int start = next;
        char quote = next < text.length() ? text.charAt(next) : 0;
        if (quote == '"' || quote == '\'') {
            skipString();
            return text.substring(start + 1, Math.max(start + 1, next - 1));
        }
        while (next < text.length() && ".=] \t\r\n".indexOf(text.charAt(next)) < 0) {
            next++;
        }
        return text.substring(start, next);
    }

    private void skipTo(char wanted) {
        while (next < text.length() && text.charAt(next) != wanted && text.charAt(next) != '\n') {
            if (text.charAt(next) == '"' || text.charAt(next) == '\'') {
                skipString();
            } else {
                next++;
            }
        }
    }

    private void skipLine() {
        int end = text.indexOf('\n', next);
        next = end < 0 ? text.length() : end + 1;
    }

    /** A value ends with its line, outside of strings and brackets. */
    private void skipValue() {
        int depth = 0;
        while (next < text.length()) {
            char c = text.charAt(next);
            switch (c) {
                case '"', '\'' -> skipString();
                case '#' -> {
                    skipLine();
                    if (depth <= 0) {
                        return;
                    }
                }
                case '\n' -> {
                    next++;
                    if (depth <= 0) {
                        return;
                    }
                }
                case '[', '{' -> {
                    depth++;
                    next++;
                }
                case ']', '}' -> {
                    depth--;
                    next++;
                }
                default -> next++;
            }
        }
    }

    private void skipString() {
        char quote = text.charAt(next);
        String three = String.valueOf(quote).repeat(3);
        boolean several = text.startsWith(three, next);
        next += several ? 3 : 1;
        while (next < text.length()) {
            char c = text.charAt(next);
            if (c == '\\' && quote == '"') {
                next = Math.min(next + 2, text.length());
            } else if (several && text.startsWith(three, next)) {
                // Up to two quotes may stand before the three that end it.
                next += 3;
                while (next < text.length() && text.charAt(next) == quote) {
                    next++;
                }
                return;
            } else if (!several && c == quote) {
                next++;
                return;
            } else if (!several && c == '\n') {
                return;
            } else {
                next++;
            }
        }
    }

    private At at(int index) {
        int line = 1;
        int begin = 0;
        for (int end = text.indexOf('\n'); end >= 0 && end < index; end = text.indexOf('\n', begin)) {
            line++;
            begin = end + 1;
        }
        return new At(line, index - begin + 1);
    }

    /** The text with one line emptied, so that what comes after it can be read; empty where there is no such line. */
    static Optional<String> without(String text, int line) {
        int begin = 0;
        for (int i = 1; i < line; i++) {
            begin = text.indexOf('\n', begin) + 1;
            if (begin == 0) {
                return Optional.empty();
            }
        }
        int end = text.indexOf('\n', begin);
        return begin >= text.length()
                ? Optional.empty()
                : Optional.of(text.substring(0, begin) + (end < 0 ? "" : text.substring(end)));
    }
}
