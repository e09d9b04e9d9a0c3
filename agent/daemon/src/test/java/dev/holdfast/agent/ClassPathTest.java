package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The agent never parses a model or a prompt: what could do it is not on its class path. The tests' is the program's and more. */
class ClassPathTest {
    private static List<String> packages() throws IOException {
        return Stream.of(System.getProperty("java.class.path").split(":"))
                .map(Path::of)
                .flatMap(ClassPathTest::classes)
                .filter(name -> name.startsWith("dev/holdfast/"))
                .map(name -> name.substring(0, name.lastIndexOf('/')))
                .distinct()
                .toList();
    }

    private static Stream<String> classes(Path entry) {
        try {
            if (Files.isDirectory(entry)) {
                try (Stream<Path> files = Files.walk(entry)) {
                    return files
                            .filter(Files::isRegularFile)
                            .map(file -> entry.relativize(file).toString())
                            .toList()
                            .stream();
                }
            }
            if (!Files.exists(entry)) {
                return Stream.empty();
            }
            try (JarFile jar = new JarFile(entry.toFile())) {
                return jar.stream().map(file -> file.getName()).toList().stream();
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void theAgentHasNoEngineClass() throws IOException {
        assertThat(packages())
                .contains("dev/holdfast/agent", "dev/holdfast/updater", "dev/holdfast/sockets")
                .noneMatch(name -> name.startsWith("dev/holdfast/engine") || name.startsWith("dev/holdfast/inference"));
    }
}
