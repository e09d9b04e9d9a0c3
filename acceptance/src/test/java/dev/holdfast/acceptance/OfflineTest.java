package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device that never sees a network: no broker runs and no fleet service. What it gets comes on a stick. */
class OfflineTest {
    @TempDir
    Path dir;

    private Path stick(Stack stack, String version, String content) throws Exception {
        stack.desire(version);
        Path file = dir.resolve(version + ".hfb");
        stack.fleet("bundle", "--device", "device-1", "--content", content, "--out", file.toString());
        return file;
    }

    private static void assertRefused(Stack stack, Path bundle, String code) throws Exception {
        Tools.Ran refused = stack.holdfast("install", bundle.toString());
        assertThat(refused.status()).isEqualTo(1);
        assertThat(refused.err()).contains(code);
    }

    @Test
    void installsFromAStickByPatchAndRefusesTheOldAndTheDamaged() throws Exception {
        try (Stack stack = Stack.prepare(dir, false)) {
            stack.startInference();
            stack.startAgent();
            Path first = stick(stack, "1.0.0", "full");
            Tools.until(
                    java.time.Duration.ofSeconds(60),
                    "the agent answers",
                    () -> stack.status().path("state").asText().equals("offline"));
            assertThat(stack.holdfastOk("install", first.toString(), "--json")).contains("committed");
            stack.awaitServing("1.0.0");

            Path second = stick(stack, "2.0.0", "deltas");
            assertThat(Files.size(second)).isLessThan(Files.size(first));
            assertThat(stack.holdfastOk("install", second.toString())).contains("committed");
            stack.awaitServing("2.0.0");
            assertThat(stack.history().toString()).contains("RECONSTRUCTING");

            // What was published about the models came along.
            JsonNode slots = Json.readObject(
                            stack.holdfastOk("slots", "--json").getBytes(StandardCharsets.UTF_8), 1 << 20)
                    .orThrow();
            assertThat(slots.at("/serving/bom/format").asText()).isEqualTo("CycloneDX");
            assertThat(slots.at("/serving/bom/quantization").asText()).isNotEmpty();
            assertThat(slots.at("/fallback/bom/specVersion").asText()).isEqualTo("1.6");

            assertRefused(stack, first, "UPD-ROLLBACK");
            byte[] bytes = Files.readAllBytes(second);
            Path cut = Files.write(dir.resolve("cut.hfb"), Arrays.copyOf(bytes, bytes.length / 2));
            assertRefused(stack, cut, "BDL-TRUNCATED");
            assertRefused(stack, stack.config(), "BDL-TRUNCATED");
            assertThat(stack.holdfastOk("install", second.toString())).contains("unchanged");
            assertThat(stack.serves()).isEqualTo("intent@2.0.0");
            stack.assertNoTraces();
        }
    }
}
