package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A rollout of a real device with a TPM: what it says opens no ring, what it proves does. */
@Tag("full")
class ProvenRolloutTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);

    @TempDir
    Path dir;

    private String rollout(Stack stack, String verb, String... arguments) throws Exception {
        List<String> all = new ArrayList<>(
                List.of("rollout", verb, "--dir", dir.resolve("fleet").toString()));
        all.addAll(List.of(arguments));
        Tools.Ran ran = stack.command(Stack.FLEET, all.toArray(String[]::new));
        assertThat(ran.status()).as(verb + ": " + ran.err()).isZero();
        return ran.out();
    }

    private JsonNode rollout(Stack stack, String name) throws Exception {
        byte[] said = rollout(stack, "status", name, "--json").getBytes(StandardCharsets.UTF_8);
        return Json.readObject(said, 1 << 20).orThrow();
    }

    private static String stateOf(JsonNode rollout) {
        return rollout.at("/devices/0/state").asText();
    }

    @Test
    void whatADeviceSaysOpensNoRingAndWhatItProvesDoes() throws Exception {
        try (Stack stack = Stack.prepare(dir, true)) {
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            stack.startAgent();
            Tools.until(LIMIT, "it is let in", () -> stack.fleet("devices").contains("device-1"));
            // The fleet's policy asks for firmware, and this TPM is an emulator.
            assertThat(rollout(stack, "create", "spring", "intent", "2.0.0", "--rings", "100%"))
                    .contains("ring r1 (100 %): 1 of today's devices", "DRAFT");
            rollout(stack, "start", "spring");
            stack.awaitCommitted("2.0.0");
            Tools.until(
                    LIMIT,
                    "the device says so and its evidence does not affirm",
                    () -> rollout(stack, "spring")
                            .at("/devices/0/code")
                            .asText()
                            .equals("ATT-ASSURANCE"));
            assertThat(stateOf(rollout(stack, "spring"))).isEqualTo("CONFIRMED");
            assertThat(rollout(stack, "explain", "spring"))
                    .contains("0 of 1 (0 %) of the devices that say they serve it are proved by evidence", "device-1");

            // A person asks, by a policy that takes an emulator.
            stack.fleet("attest", "device-1");
            Tools.until(
                    LIMIT,
                    "the rollout is complete",
                    () -> rollout(stack, "spring").path("state").asText().equals("COMPLETED"));
            assertThat(stateOf(rollout(stack, "spring"))).isEqualTo("ATTESTED");

            // Back to what was desired before, by one person and at once.
            rollout(stack, "create", "again", "intent", "1.0.0", "--rings", "100%");
            rollout(stack, "start", "again");
            stack.awaitCommitted("1.0.0");
            rollout(stack, "abort", "again", "--counter-order");
            stack.awaitServing("2.0.0");
            Tools.until(
                    LIMIT,
                    "it is back",
                    () -> !rollout(stack, "again").path("goesBack").asBoolean(true));
            assertThat(Files.readString(dir.resolve("fleet/audit.jsonl")))
                    .contains("rollout-create", "rollout-start", "rollout-abort");
            stack.assertNoTraces();
        }
    }
}
