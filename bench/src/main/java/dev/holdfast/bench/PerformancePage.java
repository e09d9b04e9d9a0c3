package dev.holdfast.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The page of figures. A section is between {@code <!-- name:begin -->} and {@code <!-- name:end -->} and is replaced
 * whole by the benchmark of that name; what is outside such marks is written by hand. Not thread-safe.
 */
public final class PerformancePage {
    private PerformancePage() {}

    /**
     * Replaces the section {@code name} of {@code docs/performance.md} below the working directory.
     *
     * @param name the benchmark's name, as in {@code ./dev bench name}
     * @param markdown the section, without its marks
     * @throws IOException when the page cannot be read or written
     * @throws IllegalStateException when the page has no such section
     */
    public static void replace(String name, String markdown) throws IOException {
        Path page = Path.of("docs", "performance.md");
        Files.writeString(page, replaced(Files.readString(page), name, markdown));
    }

    static String replaced(String page, String name, String markdown) {
        String begin = "<!-- " + name + ":begin -->";
        String end = "<!-- " + name + ":end -->";
        int from = page.indexOf(begin);
        int to = page.indexOf(end);
        if (from < 0 || to < from || page.indexOf(begin, from + 1) >= 0) {
            throw new IllegalStateException("docs/performance.md has no section between " + begin + " and " + end);
        }
        return page.substring(0, from + begin.length()) + "\n" + markdown.strip() + "\n" + page.substring(to);
    }
}
