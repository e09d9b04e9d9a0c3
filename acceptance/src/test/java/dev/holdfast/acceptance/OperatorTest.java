package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A person at the device goes back, pauses and resumes; the fleet learns of it and the evidence names what serves. */
class OperatorTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);

    @TempDir
    Path dir;

    private static JsonNode json(String text) throws Exception {
        return Json.read(text.getBytes(StandardCharsets.UTF_8), 1 << 22).orThrow();
    }

    @Test
    void goesBackPausesAndResumes() throws Exception {
        try (Stack stack = Stack.prepare(dir, true)) {
            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            stack.startAgent();
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");
            stack.desire("2.0.0");
            stack.awaitCommitted("2.0.0");

            Tools.Ran back = stack.holdfast("rollback", "--reason", "answers in French", "--json");
            assertThat(back.status()).as(back.out()).isZero();
            assertThat(stack.serves()).isEqualTo("intent@1.0.0");
            assertThat(stack.answer("lock the front door")).contains("lock");
            Path report = dir.resolve("fleet/reports/device-1.json");
            Tools.until(
                    LIMIT,
                    "the fleet knows",
                    () -> Files.exists(report)
                            && json(Files.readString(report))
                                    .at("/lastFailure/code")
                                    .asText()
                                    .equals("INS-ROLLBACK-ASKED"));
            JsonNode reported = json(Files.readString(report));
            assertThat(reported.path("version").asText()).isEqualTo("1.0.0");
            assertThat(reported.at("/lastFailure/detail").asText()).isEqualTo("by the operator: answers in French");
            assertThat(reported.at("/lastFailure/trial/lines")).isNotEmpty();
            assertThat(stack.fleet("attest", "device-1", "--json")).contains("1.0.0");

            assertThat(stack.holdfast("pause", "--reason", "at sea").status()).isZero();
            stack.stop("agent");
            stack.startAgent();
            Tools.until(
                    LIMIT,
                    "the agent answers",
                    () -> stack.status().path("paused").asBoolean());
            assertThat(stack.status().at("/pause/reason").asText()).isEqualTo("at sea");
            stack.desire("2.0.0");
            assertThat(stack.holdfast("resume", "--reason", "in port").status()).isZero();
            stack.awaitCommitted("2.0.0");
            assertThat(stack.history())
                    .extracting(line -> line.path("state").asText())
                    .containsSubsequence("ROLLING_BACK", "ROLLED_BACK", "PAUSED", "RESUMED", "COMMITTED");
        }
    }
}
