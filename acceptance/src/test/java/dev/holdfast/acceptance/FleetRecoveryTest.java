package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A fleet comes back from an older backup, then its device gets another name and is forgotten under the old one. */
@Tag("full")
class FleetRecoveryTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);

    @TempDir
    Path dir;

    @Test
    void aDeviceStaysOnWhatItServesAndOrdersGoOnUnderAnyName() throws Exception {
        try (Stack stack = Stack.prepare(dir, false)) {
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            stack.startAgent();
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");
            copy(dir.resolve("fleet"), dir.resolve("backup"));
            for (int i = 0; i < 3; i++) {
                stack.desire("2.0.0");
            }
            stack.awaitCommitted("2.0.0");

            stack.stop("fleet");
            Files.move(dir.resolve("fleet"), dir.resolve("lost"));
            assertThat(stack.fleet(
                            "init", "--resume-after", dir.resolve("backup").toString()))
                    .contains("orders are held: 1");
            stack.startFleet();
            Tools.until(
                    LIMIT,
                    "the device reports what it serves",
                    () -> stack.fleet("resume")
                            .matches("(?s).*device-1 +DIFFERS +intent 1\\.0\\.0.*intent 2\\.0\\.0.*"));
            stack.awaitRejection("UPD-NO-ORDER");
            assertThat(stack.serves()).isEqualTo("intent@2.0.0");

            assertThat(stack.fleet("resume", "--all", "--keep")).contains("intent 2.0.0");
            Tools.until(
                    LIMIT,
                    "the order is accepted",
                    () -> stack.status().path("lastRejection").isMissingNode());
            assertThat(stack.serves()).isEqualTo("intent@2.0.0");
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");

            stack.stop("agent");
            Files.writeString(stack.config(), Files.readString(stack.config()).replace("\"device-1\"", "\"device-9\""));
            // One key is one device: it gets another name when the old one is given up.
            assertThat(stack.fleet("devices", "forget", "device-1")).contains("forgot device-1");
            stack.startAgent();
            stack.fleet("desire", "device-9", "intent", "2.0.0");
            stack.awaitCommitted("2.0.0");
            assertThat(stack.fleet("attest", "device-9")).contains("affirming");
            assertThat(stack.fleet("devices")).contains("device-9").doesNotContain("device-1");

            stack.fleet("devices", "forget", "device-9");
            stack.fleet("desire", "device-9", "intent", "1.0.0");
            stack.awaitCommitted("1.0.0");
            assertThat(stack.fleet("attest", "device-9"))
                    .as("it enrolled again by itself")
                    .contains("affirming");
            assertThat(Files.readAllLines(dir.resolve("fleet/audit.jsonl")))
                    .filteredOn(line -> !line.contains("\"act\":\"enrolled\"") && !line.contains("\"act\":\"token\""))
                    .hasSize(4);
            stack.assertNoTraces();
        }
    }

    private static void copy(Path from, Path to) throws Exception {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : List.copyOf(files.toList())) {
                Files.copy(file, to.resolve(from.relativize(file).toString()));
            }
        }
    }
}
