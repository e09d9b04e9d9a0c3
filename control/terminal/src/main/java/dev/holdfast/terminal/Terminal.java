package dev.holdfast.terminal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * What a stream of the process leads to. Immutable.
 *
 * @param isTerminal whether a person sees it at once; else it is a file or another program
 * @param width columns of the terminal; {@value #UNBOUNDED} where lines are not to be shortened
 * @param colour whether escape sequences may be written
 * @param unicode whether more than ASCII may be drawn; words of people and models are written anyway
 */
public record Terminal(boolean isTerminal, int width, boolean colour, boolean unicode) {
    public static final int UNBOUNDED = 1_000_000;

    private static final int USUAL_WIDTH = 80;
    private static final int MIN_WIDTH = 40;
    private static final int MAX_WIDTH = 1000;

    /** What is neither a terminal nor coloured. */
    public static final Terminal PLAIN = new Terminal(false, UNBOUNDED, false, false);

    /** When to write escape sequences; the values of {@code --color}. */
    public enum Colour {
        AUTO,
        ALWAYS,
        NEVER
    }

    /** A stream of the process. */
    public enum Stream {
        INPUT,
        OUTPUT,
        ERROR;

        private Path descriptor() {
            return Path.of("/proc/self/fd/" + ordinal());
        }
    }

    /** What {@code stream} leads to, by the environment's {@code NO_COLOR}, {@code TERM}, {@code COLUMNS} and locale. */
    public static Terminal of(Stream stream, Colour wish) {
        return of(isTerminal(stream), wish, System.getenv());
    }

    /** Whether the stream leads to a terminal. {@code System.console} tells of input and output together. */
    public static boolean isTerminal(Stream stream) {
        try {
            return isTerminal(Files.readSymbolicLink(stream.descriptor()).toString());
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    static boolean isTerminal(String device) {
        return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty") || device.startsWith("/dev/console");
    }

    static Terminal of(boolean isTerminal, Colour wish, Map<String, String> environment) {
        boolean dumb = "dumb".equals(environment.get("TERM"));
        boolean colour = switch (wish) {
            case ALWAYS -> true;
            case NEVER -> false;
            // no-color.org: present and not empty.
            case AUTO ->
                isTerminal && !dumb && environment.getOrDefault("NO_COLOR", "").isEmpty();
        };
        return new Terminal(
                isTerminal && !dumb, isTerminal ? width(environment) : UNBOUNDED, colour, isUnicode(environment));
    }

    /** The launcher asks the terminal and says so in {@code COLUMNS}. */
    private static int width(Map<String, String> environment) {
        String columns = environment.getOrDefault("COLUMNS", "");
        if (columns.isEmpty() || columns.length() > 4 || !columns.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return USUAL_WIDTH;
        }
        int given = Integer.parseInt(columns);
        return given == 0 ? USUAL_WIDTH : Math.clamp(given, MIN_WIDTH, MAX_WIDTH);
    }

    /** The first of locale(7)'s variables that is set decides. */
    private static boolean isUnicode(Map<String, String> environment) {
        for (String name : new String[] {"LC_ALL", "LC_CTYPE", "LANG"}) {
            String value = environment.getOrDefault(name, "");
            if (!value.isEmpty()) {
                String charset = value.substring(value.indexOf('.') + 1);
                return charset.equalsIgnoreCase("UTF-8") || charset.equalsIgnoreCase("utf8");
            }
        }
        return false;
    }

    /** Headings. */
    public String bold(String text) {
        return painted("1", text);
    }

    /** What matters less. */
    public String dim(String text) {
        return painted("2", text);
    }

    /** What is well. */
    public String good(String text) {
        return painted("32", text);
    }

    /** What to look at. */
    public String doubtful(String text) {
        return painted("33", text);
    }

    /** What is broken. */
    public String bad(String text) {
        return painted("31", text);
    }

    private String painted(String code, String text) {
        return colour && !text.isEmpty() ? "\u001b[" + code + "m" + text + "\u001b[0m" : text;
    }
}
