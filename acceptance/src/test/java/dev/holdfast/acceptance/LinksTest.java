package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Every link of the pages to another page of the tree, or a heading of one, leads there. */
class LinksTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Pattern LINK = Pattern.compile("]\\(([^)#\\s]*)(?:#([^)\\s]+))?\\)");
    private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.*)$");

    @Test
    void leadSomewhere() throws IOException {
        List<String> lost = new ArrayList<>();
        int links = 0;
        for (Path page : pages()) {
            for (Matcher link = LINK.matcher(Files.readString(page)); link.find(); links++) {
                if (!link.group(1).startsWith("http")
                        && !isThere(page.resolveSibling(link.group(1)).normalize(), page, link)) {
                    lost.add(ROOT.relativize(page) + ": " + link.group());
                }
            }
        }
        assertThat(links).isGreaterThan(100);
        assertThat(lost).isEmpty();
    }

    /** All pages of the tree. */
    static List<Path> pages() throws IOException {
        try (Stream<Path> files = Files.walk(ROOT)) {
            return files.filter(file -> file.toString().endsWith(".md")
                            && !ROOT.relativize(file).toString().matches("(.*/)?(target|node_modules|\\.git)/.*"))
                    .toList();
        }
    }

    private static boolean isThere(Path target, Path page, Matcher link) throws IOException {
        Path file = link.group(1).isEmpty() ? page : target;
        return Files.exists(file) && (link.group(2) == null || headings(file).contains(link.group(2)));
    }

    /** As the forges name them. */
    private static List<String> headings(Path page) throws IOException {
        return HEADING.matcher(Files.readString(page))
                .results()
                .map(found -> found.group(1)
                        .toLowerCase(Locale.ROOT)
                        .replaceAll("[^\\w\\- ]", "")
                        .replace(' ', '-'))
                .toList();
    }
}
