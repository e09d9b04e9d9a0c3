package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One configuration for every device: the name comes from the TPM, and the operator lets it in, or did so before it came. */
@Tag("full")
class ZeroTouchTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @TempDir
    Path dir;

    private static void anonymous(Stack stack) throws Exception {
        String config = Files.readString(stack.config());
        Files.writeString(
                stack.config(),
                config.replace("device = \"device-1\"", "device = \"auto\"")
                        .replace("enrolment-token-file = \"enrolment.token\"\n", ""));
    }

    private static void delete(Path folder) throws Exception {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private static String state(Stack stack) throws Exception {
        return stack.status().at("/enrolment/state").asText();
    }

    /** Waits for a person, is accepted, serves; then everything on its disk is lost, and it comes back as the same device. */
    @Test
    void aDeviceWithoutANameWaitsIsAcceptedAndIsTheSameAfterAReinstallation() throws Exception {
        try (Stack stack = Stack.prepare(dir, true)) {
            anonymous(stack);
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            stack.startAgent();
            Tools.until(LIMIT, "the device waits", () -> state(stack).equals("pending"));
            JsonNode status = stack.status();
            String name = status.path("device").asText();
            String key = status.at("/enrolment/endorsement").asText();
            assertThat(name).isEqualTo("hf-" + key.substring(0, 24));
            assertThat(status.path("state").asText()).isEqualTo("pending");
            assertThat(stack.holdfastOk("status")).contains("fleet devices accept " + name, key);
            assertThat(stack.holdfast("doctor").out())
                    .contains("somebody has to let this device in; its key is " + key);
            assertThat(stack.fleet("devices", "pending")).contains(name, key, "emulated");
            assertThat(dir.resolve("device/certificates/tls.crt")).doesNotExist();

            // The device waits for minutes by itself; the hint has it ask at once.
            long began = System.nanoTime();
            stack.fleet("devices", "accept", name);
            Tools.until(LIMIT, "the device is let in", () -> state(stack).equals("enrolled"));
            assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(15));
            Tools.until(
                    LIMIT, "it has its certificate", () -> Files.exists(dir.resolve("device/certificates/tls.crt")));
            stack.fleet("desire", name, "intent", "1.0.0");
            stack.awaitServing("1.0.0");

            stack.stop("agent");
            stack.stop("inference");
            delete(dir.resolve("device"));
            stack.holdfastOk("provision", "--again", "--accept-state", "--yes");
            stack.startInference();
            stack.startAgent();
            Tools.until(LIMIT, "the same device is in again", () -> state(stack).equals("enrolled"));
            assertThat(stack.status().path("device").asText()).isEqualTo(name);
            assertThat(stack.fleet("devices", "pending")).contains("no device waits");
        }
    }
}
