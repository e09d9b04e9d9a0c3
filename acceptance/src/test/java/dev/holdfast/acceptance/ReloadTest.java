package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** SIGHUP to the real processes: a new configuration is taken as a whole, a wrong one not at all, and nobody is restarted. */
class ReloadTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @TempDir
    Path dir;

    @Test
    void bothDaemonsReadTheirConfigurationAgain() throws Exception {
        try (Stack stack = Stack.provisioned(dir)) {
            stack.startInference();
            stack.startAgent();
            Tools.until(LIMIT, "the agent answers", () -> !stack.status().isMissingNode());
            Tools.until(LIMIT, "inference answers", () -> Files.exists(stack.socket("inference-control")));

            append(stack, "memory-budget = 123456789\nkv-cache = \"f32\"\n");
            hangUp(stack);
            Tools.until(LIMIT, "the agent has the budget", () -> budget(stack) == 123_456_789L);
            Tools.until(
                    LIMIT,
                    "inference has the budget",
                    () -> inference(stack).at("/memory/budgetBytes").asLong() == 123_456_789L);
            assertThat(stack.log("agent")).contains("the configuration was read again: memory-budget changed\n");
            Tools.until(
                    LIMIT,
                    "inference names what waits",
                    () -> stack.log("inference").contains("memory-budget changed; kv-cache waits for a restart\n"));

            String good = Files.readString(stack.config());
            Files.writeString(stack.config(), good.replace("123456789", "5").replace("\"demo\"", "\"de.mo\""));
            hangUp(stack);
            Tools.until(
                    LIMIT,
                    "the agent refuses it",
                    () -> stack.log("agent")
                            .contains("the configuration stays as it was: CFG-INVALID: holdfast.toml:1:9: fleet must"
                                    + " be"));
            assertThat(budget(stack)).isEqualTo(123_456_789L);
            // The inference process reads no fleet: a name that it never looks at holds up nothing.
            Tools.until(
                    LIMIT,
                    "inference has the budget",
                    () -> inference(stack).at("/memory/budgetBytes").asLong() == 5);
            assertThat(stack.process("agent").isAlive()).isTrue();
            assertThat(stack.process("inference").isAlive()).isTrue();
        }
    }

    private static long budget(Stack stack) throws Exception {
        return stack.status().at("/memory/budgetBytes").asLong();
    }

    private static JsonNode inference(Stack stack) throws Exception {
        return UnixSocket.getJson(stack.socket("inference-control"), "/control/v1/status");
    }

    private static void append(Stack stack, String lines) throws Exception {
        Files.writeString(stack.config(), lines, StandardOpenOption.APPEND);
    }

    private static void hangUp(Stack stack) throws Exception {
        for (String name : new String[] {"agent", "inference"}) {
            String pid = Long.toString(stack.process(name).pid());
            assertThat(Tools.run(stack.dir, java.util.List.of("kill", "-HUP", pid))
                            .status())
                    .isZero();
        }
    }
}
