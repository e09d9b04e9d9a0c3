package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * The line of holdfast-last-evidence.service, run against the stack: the fleet asks and has its evidence before the command returns; and
 * a fleet or a broker that is away holds up no shutdown. One stack for all, in this order.
 */
@Tag("full")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class LastEvidenceTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);
    /** What the unit gives the command, TimeoutStopSec; beyond it systemd kills. */
    private static final Duration UNIT = Duration.ofSeconds(10);

    @TempDir
    static Path dir;

    private static Stack stack;

    @BeforeAll
    static void start() throws Exception {
        stack = Stack.prepare(dir.resolve("s"), true);
        stack.startBroker();
        stack.startFleet();
        stack.startInference();
        stack.startAgent();
        stack.desire("1.0.0");
        stack.awaitCommitted("1.0.0");
        Tools.until(LIMIT, "enrolled", () -> stack.status().path("enrolled").asBoolean());
    }

    @AfterAll
    static void stop() {
        if (stack != null) {
            stack.close();
        }
    }

    private record Goodbye(Tools.Ran ran, Duration took) {}

    private static Goodbye goodbye(String... more) throws Exception {
        String[] line = new String[more.length + 1];
        line[0] = "--before-reboot";
        System.arraycopy(more, 0, line, 1, more.length);
        long begun = System.nanoTime();
        Tools.Ran ran = stack.holdfast("attest", line);
        Goodbye said = new Goodbye(ran, Duration.ofNanos(System.nanoTime() - begun));
        System.out.println("before a reboot: exit code " + ran.status() + " after " + said.took.toMillis() + " ms");
        return said;
    }

    private static long archives() throws Exception {
        try (var kept = Files.list(stack.dir.resolve("fleet/archive/device-1"))) {
            return kept.count();
        }
    }

    /** After a first look of the fleet, so that it is known to ask for other reasons, too, and this one can be told from them. */
    @Test
    @Order(1)
    void theFleetHasTheEvidenceBeforeTheCommandReturns() throws Exception {
        Path log = stack.dir.resolve("fleet/verdicts/device-1.jsonl");
        Tools.until(
                LIMIT,
                "a look by the fleet itself",
                () -> Files.readString(log).matches("(?s).*\"why\":\"(schedule|flip)\",\"status\":\"[a-z]+.*"));
        assertThat(Files.readString(log)).doesNotContain("\"why\":\"reboot\"");
        long before = archives();
        Goodbye said = goodbye();
        assertThat(said.ran.status()).as(said.ran.out() + said.ran.err()).isZero();
        assertThat(said.ran.out()).contains("has the evidence");
        // The device published all of it. It may be on its way through the broker still, and then the fleet judges it.
        Tools.until(
                Duration.ofSeconds(10),
                "the verdict before the reboot",
                () -> Files.readString(log).contains("\"why\":\"reboot\"") && archives() > before);
        assertThat(said.took).isLessThan(UNIT);
    }

    @Test
    @Order(2)
    void aFleetThatIsAwayHoldsItUpForFiveSecondsAtMost() throws Exception {
        stack.kill("fleet");
        Goodbye said = goodbye();
        assertThat(said.ran.status()).as(said.ran.out() + said.ran.err()).isEqualTo(75);
        assertThat(said.ran.err()).contains("LNK-TIMEOUT");
        assertThat(said.took).isBetween(Duration.ofSeconds(5), UNIT);
        Goodbye json = goodbye("--json");
        assertThat(json.ran.status()).isEqualTo(75);
        JsonNode answer = Json.read(json.ran.out().getBytes(StandardCharsets.UTF_8), 1 << 16)
                .orThrow();
        assertThat(answer.path("answered").asBoolean(true)).isFalse();
        assertThat(answer.path("code").asText()).isEqualTo("LNK-TIMEOUT");
    }

    /** It is there and takes nothing, as one behind a cable that was pulled: the message waits, and the command does not. */
    @Test
    @Order(3)
    void aBrokerThatStandsStillHoldsItUpNoLonger() throws Exception {
        long broker = stack.process("mosquitto").pid();
        Tools.run(stack.dir, List.of("kill", "-STOP", Long.toString(broker)));
        try {
            Goodbye said = goodbye();
            assertThat(said.ran.err()).containsAnyOf("LNK-TIMEOUT", "LNK-DOWN");
            assertThat(said.took).isLessThan(UNIT);
        } finally {
            Tools.run(stack.dir, List.of("kill", "-CONT", Long.toString(broker)));
        }
    }

    @Test
    @Order(4)
    void aBrokerThatIsAwayHoldsUpNothing() throws Exception {
        stack.kill("mosquitto");
        Tools.until(
                LIMIT,
                "the agent noticed",
                () -> !stack.status().path("connected").asBoolean(true));
        Goodbye said = goodbye();
        assertThat(said.ran.status()).as(said.ran.out() + said.ran.err()).isEqualTo(69);
        assertThat(said.ran.err()).contains("LNK-DOWN");
        assertThat(said.took).isLessThan(Duration.ofSeconds(5));
    }

    /** An agent that ended before, or hangs: the command says so, and does not wait for it. */
    @Test
    @Order(5)
    void anAgentThatIsGoneHoldsUpNothing() throws Exception {
        Process agent = stack.process("agent");
        stack.kill("agent");
        assertThat(agent.waitFor(1, TimeUnit.SECONDS)).isTrue();
        Goodbye said = goodbye();
        assertThat(said.ran.status()).as(said.ran.out() + said.ran.err()).isEqualTo(69);
        assertThat(said.took).isLessThan(Duration.ofSeconds(5));
    }
}
