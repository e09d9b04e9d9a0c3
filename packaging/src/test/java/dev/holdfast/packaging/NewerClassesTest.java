package dev.holdfast.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The library that reads commands is the one that needs it. */
class NewerClassesTest {
    @TempDir
    Path dir;

    @Test
    void haveTheSameCodeInAFormatThatStartUpCachesTake() throws Exception {
        Path jar = dir.resolve("picocli.jar");
        Files.copy(
                Path.of(CommandLine.class
                        .getProtectionDomain()
                        .getCodeSource()
                        .getLocation()
                        .toURI()),
                jar);
        List<Integer> before = formats(jar);
        assertThat(before).as("formats").contains(ClassFile.JAVA_5_VERSION);

        assertThat(NewerClasses.change(jar)).isEqualTo((int) before.stream()
                .filter(format -> format < ClassFile.JAVA_6_VERSION)
                .count());

        assertThat(formats(jar)).hasSameSizeAs(before).allMatch(format -> format >= ClassFile.JAVA_6_VERSION);
        assertThat(NewerClasses.change(jar)).as("nothing is left to change").isZero();
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {jar.toUri().toURL()}, ClassLoader.getPlatformClassLoader())) {
            Class<?> help = Class.forName("picocli.CommandLine$HelpCommand", true, loader);
            Class<?> line = Class.forName("picocli.CommandLine", true, loader);
            Object usage = line.getMethod("getUsageMessage")
                    .invoke(line.getConstructor(Object.class)
                            .newInstance(help.getConstructor().newInstance()));
            assertThat(usage).asString().contains("Usage: help [-h] [COMMAND]");
        }
    }

    private static List<Integer> formats(Path jar) throws Exception {
        List<Integer> formats = new ArrayList<>();
        try (JarFile file = new JarFile(jar.toFile())) {
            for (var entry : file.stream()
                    .filter(one -> one.getName().endsWith(".class"))
                    .toList()) {
                try (InputStream bytes = file.getInputStream(entry)) {
                    formats.add(ClassFile.of().parse(bytes.readAllBytes()).majorVersion());
                }
            }
        }
        return formats;
    }
}
