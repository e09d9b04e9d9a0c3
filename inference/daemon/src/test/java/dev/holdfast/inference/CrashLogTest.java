package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CrashLogTest {
    @TempDir
    Path dir;

    private static void say(CrashLog words, OutputStream original, String line) throws Exception {
        words.copying(original).write((line + "\n").getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void theNextProcessKnowsWhatTheOneBeforeSaidLast() throws Exception {
        Path file = dir.resolve("words");
        ByteArrayOutputStream original = new ByteArrayOutputStream();
        CrashLog first = CrashLog.open(file);
        say(first, original, "loading");
        say(first, original, "java.lang.OutOfMemoryError");
        CrashLog second = CrashLog.open(file);
        say(second, original, "started again");
        assertThat(second.lines()).containsExactly("loading", "java.lang.OutOfMemoryError", "started again");
        assertThat(original.toString(StandardCharsets.UTF_8)).hasLineCount(3);
    }

    @Test
    void aChatteringProcessFillsNeitherDiskNorMemory() throws Exception {
        Path file = dir.resolve("words");
        CrashLog words = CrashLog.open(file);
        for (int i = 0; i < 20_000; i++) {
            say(words, OutputStream.nullOutputStream(), "line " + i);
        }
        assertThat(Files.size(file)).isLessThanOrEqualTo(32 * 1024);
        assertThat(words.lines()).hasSize(40).endsWith("line 19999");
        assertThat(CrashLog.open(file).lines()).endsWith("line 19999");
    }

    @Test
    void aLinkInItsPlaceIsNotFollowed() throws Exception {
        Path secret = Files.writeString(dir.resolve("secret"), "secret");
        Path file = Files.createSymbolicLink(dir.resolve("words"), secret);
        org.assertj.core.api.Assertions.assertThatThrownBy(() -> CrashLog.open(file))
                .isInstanceOf(java.io.IOException.class);
        assertThat(secret).hasContent("secret");
    }
}
