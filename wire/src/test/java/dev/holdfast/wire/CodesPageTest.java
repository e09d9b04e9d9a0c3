package dev.holdfast.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a person reads about a code is the same in docs/codes.md and in {@code holdfast explain}. */
class CodesPageTest {
    @Test
    void thePageListsEveryCodeInItsOwnWordsAndNoOther() throws IOException {
        List<String> rows = Files.readAllLines(Path.of("../docs/codes.md")).stream()
                .filter(line -> line.startsWith("| `"))
                .toList();
        List<String> codes = Arrays.stream(Code.values())
                .map(code -> "| `" + code.id() + "` | " + code.meaning() + " | " + code.remedy() + " |")
                .toList();
        assertThat(rows).containsExactlyInAnyOrderElementsOf(codes);
    }
}
