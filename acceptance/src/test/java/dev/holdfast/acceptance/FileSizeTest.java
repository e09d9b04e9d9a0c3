package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** A file that grows beyond what one can hold in mind has found a second concern. */
class FileSizeTest {
    private static final int MAX_LINES = 350;
    /** One algorithm each, with an essay above it. */
    private static final Set<String> ALGORITHMS = Set.of("VectorKernels.java", "TensorCodec.java");

    @Test
    void noMainFileIsLongerThanOneConcernNeeds() throws IOException {
        Map<String, Long> tooLong = new TreeMap<>();
        try (Stream<Path> files = Files.walk(Path.of(".."))) {
            for (Path file : files.filter(FileSizeTest::isMain).toList()) {
                try (Stream<String> lines = Files.lines(file)) {
                    long count = lines.count();
                    String name = file.getFileName().toString();
                    if (count > MAX_LINES && !ALGORITHMS.contains(name)) {
                        tooLong.put(name, count);
                    }
                }
            }
        }
        assertThat(tooLong).isEmpty();
    }

    private static boolean isMain(Path file) {
        return file.toString().endsWith(".java") && file.toString().contains("/src/main/");
    }
}
