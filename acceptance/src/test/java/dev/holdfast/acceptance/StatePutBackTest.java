package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Somebody puts an old copy of the device's state back, to have forgotten metadata accepted again. */
class StatePutBackTest {
    @TempDir
    Path dir;

    private static void copy(Path from, Path to) throws IOException {
        Files.walkFileTree(from, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) throws IOException {
                Files.createDirectories(to.resolve(from.relativize(folder)));
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.copy(file, to.resolve(from.relativize(file)), StandardCopyOption.REPLACE_EXISTING);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** With the software bridge only what lies outside of the bridge's own directory: its counter is a file too. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void anOldCopyIsNoticedAndAcceptedOnlyWhenSomebodySaysSo(boolean swtpm) throws Exception {
        try (Stack stack = Stack.prepare(dir, swtpm)) {
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            stack.startAgent();
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");
            stack.stop("agent");
            Path trust = dir.resolve("device/trust");
            copy(trust, dir.resolve("old"));
            stack.startAgent();
            stack.desire("2.0.0");
            stack.awaitCommitted("2.0.0");
            stack.stop("agent");

            copy(dir.resolve("old"), trust);
            stack.startAgent();
            stack.awaitRejection("TEE-ROLLBACK");
            assertThat(stack.serves()).as("a device goes on serving").isEqualTo("intent@2.0.0");
            stack.stop("agent");

            assertThat(stack.holdfastOk("provision", "--accept-state")).contains("accepted as it is");
            stack.startAgent();
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");
        }
    }

    /** The record deleted, and the counter removed with the owner's empty authorization: nothing is made anew but by a person. */
    @Tag("full")
    @Test
    void aRemovedCounterEndsUpdatesUntilSomebodyProvisionsAgain() throws Exception {
        try (Stack stack = Stack.prepare(dir, true)) {
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            stack.startAgent();
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");
            stack.stop("agent");
            Files.deleteIfExists(dir.resolve("device/trust/state.0.json"));
            Files.deleteIfExists(dir.resolve("device/trust/state.1.json"));
            Tools.Ran removed = Tools.run(
                    dir,
                    List.of(
                            Tools.path("tpm2_nvundefine", "tpm2-tools"),
                            "-T",
                            "swtpm:path=" + dir.resolve("run/tpm.sock"),
                            "-C",
                            "o",
                            "0x18f4807"));
            assertThat(removed.status()).as(removed.err()).isZero();
            stack.startAgent();
            stack.awaitRejection("TEE-STATE");
            assertThat(stack.serves()).as("a device goes on serving").isEqualTo("intent@1.0.0");
            assertThat(stack.holdfast("doctor").out()).contains("the counter that provisioning made is gone");
            assertThat(stack.holdfast("provision", "--again", "--yes").err()).contains("the agent runs");
            stack.stop("agent");
            assertThat(stack.holdfast("provision").err()).contains("TEE-STATE");
            assertThat(stack.holdfast("provision", "--again", "--yes").err()).contains("TEE-ROLLBACK");
            assertThat(stack.holdfastOk("provision", "--again", "--accept-state", "--yes"))
                    .contains("state record: was ABSENT");
            stack.startAgent();
            stack.desire("2.0.0");
            stack.awaitCommitted("2.0.0");
        }
    }
}
