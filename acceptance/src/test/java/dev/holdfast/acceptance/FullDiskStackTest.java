package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device whose disk is full when it starts, on a real file system: it starts, says so, and goes on by itself. */
@Tag("full")
class FullDiskStackTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);

    @TempDir
    Path dir;

    @Test
    void aDeviceStartsOnAFullDiskSaysSoAndGoesOnWhenItIsFree() throws Exception {
        // More than what every install keeps in reserve.
        Path device = Files.createDirectory(dir.resolve("device"));
        assumeTrue(
                Tools.run(dir, List.of("mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", device.toString()))
                                .status()
                        == 0,
                "mounting a small file system needs root");
        try (Stack stack = Stack.prepare(dir, true)) {
            Path ballast = device.resolve("ballast");
            fill(ballast);
            stack.startBroker();
            stack.startFleet();
            stack.desire("1.0.0");
            stack.startInference();
            stack.startAgent();

            stack.awaitRejection("INS-DISK");
            Tools.until(
                    LIMIT,
                    "it says what it waits for",
                    () -> stack.status().at("/waiting/code").asText().equals("INS-DISK"));
            JsonNode waiting = stack.status().path("waiting");
            assertThat(Instant.parse(waiting.path("until").asText()))
                    .isBefore(Instant.now().plus(Duration.ofMinutes(6)));
            assertThat(stack.log("agent")).contains("INS-DISK");
            assertThat(stack.holdfast("doctor").out()).containsPattern("FAIL {2}disk .*INS-DISK");

            Files.delete(ballast);
            stack.awaitCommitted("1.0.0");
            Tools.until(LIMIT, "nothing is waited for", () -> !stack.status().has("waiting"));

            // Full again before another start: nothing is lost, and what serves goes on serving.
            stack.stop("agent");
            fill(ballast);
            stack.startAgent();
            Tools.until(LIMIT, "the agent answers", () -> stack.status().has("state"));
            stack.desire("2.0.0");
            stack.awaitRejection("INS-DISK");
            assertThat(stack.serves()).isEqualTo("intent@1.0.0");
            Files.delete(ballast);
            stack.awaitCommitted("2.0.0");

            // What is the fallback already needs no room beside the 64 MiB in reserve.
            fill(ballast);
            try (var shorter = java.nio.channels.FileChannel.open(ballast, java.nio.file.StandardOpenOption.WRITE)) {
                shorter.truncate(shorter.size() - (1 << 20));
            }
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");
        } finally {
            Tools.run(dir, List.of("umount", device.toString()));
        }
    }

    private static void fill(Path file) {
        byte[] page = new byte[1 << 16];
        try (OutputStream out = Files.newOutputStream(file)) {
            while (true) {
                out.write(page);
            }
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("space");
        }
        // The last pages too.
        try (OutputStream out = Files.newOutputStream(file, java.nio.file.StandardOpenOption.APPEND)) {
            while (true) {
                out.write(0);
            }
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("space");
        }
    }
}
