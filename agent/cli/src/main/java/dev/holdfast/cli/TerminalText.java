package dev.holdfast.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a model says, for people. A terminal obeys control characters, and a model repeats whatever it was trained or prompted with: so
 * a terminal gets none of them. A file or another program gets every byte.
 */
final class TerminalText {
    private static final Path STDOUT = Path.of("/proc/self/fd/1");

    private TerminalText() {}

    /** The text as it may go to the standard output. */
    static String forStdout(String text) {
        return isTerminal(STDOUT) ? printable(text) : text;
    }

    /** {@code System.console} tells of input and output together, and this is about the output alone. */
    static boolean isTerminal(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().matches("/dev/(pts/|tty|console).*");
        } catch (IOException | UnsupportedOperationException e) {
            return true;
        }
    }

    /** Line feeds and tabs stay; other control characters, and those that turn the direction of writing, become '?'. */
    static String printable(String text) {
        StringBuilder out = new StringBuilder(text.length());
        text.replace("\r\n", "\n").codePoints().forEach(c -> out.appendCodePoint(isHarmless(c) ? c : '?'));
        return out.toString();
    }

    private static boolean isHarmless(int c) {
        boolean turns = c >= 0x202A && c <= 0x202E || c >= 0x2066 && c <= 0x2069;
        return c == '\n' || c == '\t' || !turns && Character.getType(c) != Character.CONTROL;
    }
}
