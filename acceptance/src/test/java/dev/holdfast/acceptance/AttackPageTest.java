package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * The pages of attacks and threats name tests: a row whose test is gone, renamed, or left to the long runs without saying so fails. On
 * the second page a row may have none, where it says so.
 */
class AttackPageTest {
    private static final Path ATTACKS = Path.of("..", "docs", "attacks.md");
    private static final Path THREATS = Path.of("..", "docs", "threats.md");
    private static final Pattern TEST = Pattern.compile("`([A-Za-z0-9]+)#([A-Za-z0-9]+)`( \\(full\\))?");
    /** Between an annotation and its method: other annotations, whose arguments may fill several lines. */
    private static final String ANNOTATIONS = "((?:\\s*@[A-Za-z]+(?:\\((?:[^()]|\\([^()]*\\))*\\))?)+)";

    private record Row(String attack, List<Named> tests) {}

    private record Named(String type, String method, boolean full) {}

    private static List<Row> rows(Path page) throws IOException {
        List<Row> rows = new ArrayList<>();
        for (String line : Files.readAllLines(page)) {
            if (!line.startsWith("| ") || line.matches("\\| (attack|threat) \\|.*") || line.endsWith("| none |")) {
                continue;
            }
            List<Named> tests = new ArrayList<>();
            for (Matcher found = TEST.matcher(line); found.find(); ) {
                tests.add(new Named(found.group(1), found.group(2), found.group(3) != null));
            }
            rows.add(new Row(line.substring(2, line.indexOf(" |", 2)), tests));
        }
        return rows;
    }

    /** All test classes of the tree by their simple names; two of one name are both there. */
    private static Map<String, List<Path>> sources() throws IOException {
        Map<String, List<Path>> sources = new TreeMap<>();
        try (Stream<Path> files = Files.walk(Path.of(".."))) {
            files.filter(file -> file.toString().contains("/src/test/java/")
                            && file.toString().endsWith(".java"))
                    .forEach(file -> sources.computeIfAbsent(
                                    file.getFileName().toString().replace(".java", ""), name -> new ArrayList<>())
                            .add(file));
        }
        return sources;
    }

    @TestFactory
    Stream<DynamicTest> isCarriedOutByATest() throws IOException {
        Map<String, List<Path>> sources = sources();
        return Stream.concat(rows(ATTACKS).stream(), rows(THREATS).stream())
                .map(row -> DynamicTest.dynamicTest(row.attack(), () -> {
                    assertThat(row.tests()).isNotEmpty();
                    for (Named test : row.tests()) {
                        List<String> annotations = new ArrayList<>();
                        for (Path source : sources.getOrDefault(test.type(), List.of())) {
                            String text = Files.readString(source);
                            Matcher found = Pattern.compile(
                                            ANNOTATIONS + "\\s*(?:static )?[A-Za-z<>]+ " + test.method() + "\\(")
                                    .matcher(text);
                            while (found.find()) {
                                annotations.add(found.group(1)
                                        + (text.contains("@Tag(\"full\")\nclass ") ? "@Tag(\"full\")" : ""));
                            }
                        }
                        assertThat(annotations).as(test + " is there").isNotEmpty();
                        assertThat(annotations)
                                .as(test + " is a test")
                                .anySatisfy(one -> assertThat(one)
                                        .containsPattern("@(Test|ParameterizedTest|FuzzTest|TestFactory)\\b")
                                        .doesNotContain("soak"));
                        assertThat(annotations.stream().anyMatch(one -> one.contains("\"full\"")))
                                .as(test + " is marked where it runs with --full only")
                                .isEqualTo(test.full());
                    }
                }));
    }

    @Test
    void isPrinted() throws IOException {
        List<Row> rows = rows(ATTACKS);
        System.out.println("attacks on the seams: " + rows.size() + ", carried out by "
                + rows.stream().flatMap(row -> row.tests().stream()).distinct().count() + " tests");
        assertThat(rows.stream().map(Row::attack)).doesNotHaveDuplicates().isNotEmpty();
    }
}
