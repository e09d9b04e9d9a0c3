package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a person learns on the device, broken and whole. */
class DoctorTest {
    @TempDir
    Path dir;

    @Test
    void saysWhatIsBrokenAndWhatToDoAndThenThatNothingIs() throws Exception {
        try (Stack stack = Stack.prepare(dir, false)) {
            Tools.Ran broken = stack.holdfast("doctor");
            assertThat(broken.status()).isEqualTo(1);
            assertThat(broken.out())
                    .containsPattern("FAIL {2}agent +no answer")
                    .contains("-> systemctl start holdfast")
                    .containsPattern("ok +anchor +the factory root")
                    .containsPattern("FAIL {2}broker");

            stack.startBroker();
            stack.startFleet();
            stack.startInference();
            stack.startAgent();
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");

            Tools.Ran whole = stack.holdfast("doctor", "--json");
            assertThat(whole.status()).as(whole.out()).isZero();
            JsonNode found = Json.readObject(whole.out().getBytes(StandardCharsets.UTF_8), 1 << 20)
                    .orThrow();
            assertThat(found.path("healthy").asBoolean()).isTrue();
            assertThat(found.path("checks"))
                    .filteredOn(check -> check.path("name").asText().equals("serving model"))
                    .singleElement()
                    .satisfies(
                            check -> assertThat(check.path("detail").asText()).contains("hash right"));

            Tools.Ran watched = stack.holdfast("watch", "--seconds", "2");
            assertThat(watched.out()).containsPattern("idle +serves intent@1\\.0\\.0");
        }
    }
}
