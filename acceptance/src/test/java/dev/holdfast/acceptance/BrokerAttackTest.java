package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.testkit.HostileBroker;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real agent at brokers that are not what they should be, and clients that a real broker should not have let in. */
class BrokerAttackTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int HINTS = 1_400;
    private static final String DESIRED = "holdfast/v1/demo/d/device-1/desired";

    @TempDir
    Path dir;

    @Test
    void hintsMakeAFewLooksAndTheAgentTellsWhatItsBrokerDoes() throws Exception {
        try (Stack stack = Stack.prepare(dir, false)) {
            stack.startBroker();
            stack.startFleet();
            stack.startAgent();
            hints(stack);
            stack.stop("agent");
            lies(stack);
            refusedAddress(stack);
            stack.assertNoTraces();
        }
    }

    private static void hints(Stack stack) throws Exception {
        try (Tap tap = Tap.open(stack.broker())) {
            Tools.until(LIMIT, "enrolled", () -> stack.status().path("enrolled").asBoolean());
            tap.forget();
            long began = System.nanoTime();
            for (int i = 0; i < HINTS; i++) {
                tap.say(DESIRED, "1".getBytes(StandardCharsets.US_ASCII));
            }
            double seconds = (System.nanoTime() - began) / 1e9;
            int questions = tap.heard("ask").size();
            System.out.printf("%d hints in %.1f s: %d questions%n", HINTS, seconds, questions);
            // A look makes some three questions, and comes every 4 to 5 s by itself.
            assertThat((double) questions).isLessThan(5 * (seconds / 3.75 + 2));
        }
    }

    private static void lies(Stack stack) throws Exception {
        try (HostileBroker broker = HostileBroker.start(HostileBroker.disconnecting(0x8e))) {
            stack.devicePort = broker.port();
            stack.configure();
            stack.startAgent();
            Tools.until(
                    LIMIT,
                    "the takeover is told",
                    () -> stack.status().at("/link/takeovers").asInt() > 0);
            assertThat(broker.clientIds()).allSatisfy(id -> assertThat(id).matches("device1[0-9A-Za-z]{15}"));
            Tools.Ran doctor = stack.holdfast("doctor");
            assertThat(doctor.status()).isEqualTo(1);
            assertThat(doctor.out())
                    .containsPattern("FAIL {2}session +LNK-TAKEN-OVER")
                    .contains("-> holdfast explain LNK-TAKEN-OVER");
            assertThat(stack.command(Stack.HOLDFAST, "explain", "LNK-TAKEN-OVER")
                            .out())
                    .contains("fleet devices");

            broker.become(HostileBroker.garbage(1));
            Tools.until(
                    LIMIT,
                    "garbage is told",
                    () -> stack.status().at("/link/lost/code").asText().equals("LNK-PROTOCOL"));
            JsonNode status = stack.status();
            assertThat(status.path("state").asText()).isEqualTo("offline");
            assertThat(status.at("/waiting/for").asText()).isEqualTo("the broker");
            assertThat(Instant.parse(status.at("/waiting/until").asText()))
                    .isBeforeOrEqualTo(Instant.now().plus(Duration.ofMinutes(5)));
            stack.stop("agent");
            stack.devicePort = stack.port;
        }
    }

    /** Started like that by a service manager, it must end and say why, not stay without a link. */
    private static void refusedAddress(Stack stack) throws Exception {
        stack.configure();
        String config = Files.readString(stack.config());
        for (String broker : List.of("127.0.0.1:" + stack.port, "http://127.0.0.1")) {
            Files.writeString(stack.config(), config.replaceAll("broker = .*", "broker = \"" + broker + "\""));
            Tools.Ran ran = stack.holdfast("agent");
            assertThat(ran.status()).isEqualTo(78);
            assertThat(ran.err()).contains("CFG-INVALID").contains("broker").contains("mqtt://HOST");
        }
        Files.writeString(stack.config(), config.replace("tcp://", "mqtt://"));
        stack.startAgent();
        Tools.until(
                LIMIT,
                "mqtt:// is taken",
                () -> stack.status().path("connected").asBoolean());
    }

    /** A disk that was copied: both devices keep their connection, and the fleet says that there are two. */
    @Test
    @Tag("full")
    void aClonedDeviceIsSuspectedAndThrowsNobodyOff() throws Exception {
        try (Stack stack = Stack.prepare(dir.resolve("one"), false)) {
            stack.startBroker();
            stack.startFleet();
            try (Stack clone = stack.copyTo(dir.resolve("two"))) {
                stack.startAgent();
                clone.startAgent();
                Tools.until(
                        LIMIT,
                        "the fleet suspects a clone",
                        () -> stack.fleet("devices").contains("FLT-CLONE"));
                for (Stack one : List.of(stack, clone)) {
                    assertThat(one.status().path("connected").asBoolean()).isTrue();
                    assertThat(one.log("agent").split("connected to", -1)).hasSize(2);
                }
            }
        }
    }
}
