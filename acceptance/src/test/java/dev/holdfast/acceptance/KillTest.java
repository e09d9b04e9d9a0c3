package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code kill -9} of the agent and of the inference process in every state of a delta install, with a real TPM emulator, a
 * real broker and the real fleet service. Afterwards the device serves a verified model, ends the install and attests.
 */
class KillTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);
    private static final List<String> STATES = List.of(
            "ANNOUNCED",
            "PLANNED",
            "DOWNLOADING",
            "PATCH_VERIFIED",
            "RECONSTRUCTING",
            "VERIFIED",
            "STAGED",
            "CANDIDATE",
            "MEASURED",
            "PROBATION",
            "COMMITTED");

    /** Those after which something else must go on: bytes, what is loaded, and what was flipped. */
    private static final List<String> TURNING_POINTS = List.of("DOWNLOADING", "MEASURED", "PROBATION");

    @TempDir
    static Path dir;

    /** A device that serves version 1, stopped, and a fleet that wants version 2 of it. */
    private static Stack rest;

    private static String v2;
    /** The slot of the encoder, which no install of the other model may touch. */
    private static String beside;

    @BeforeAll
    static void aDeviceServesVersionOne() throws Exception {
        rest = Stack.prepare(dir.resolve("rest"), true);
        rest.startBroker();
        rest.startFleet();
        rest.startInference();
        rest.startAgent();
        rest.desire("1.0.0");
        rest.awaitCommitted("1.0.0");
        rest.publishEncoder("1.0.0");
        rest.fleet("desire", "device-1", "sentence", "1.0.0");
        rest.awaitCommitted("sentence", "1.0.0");
        beside = rest.status().at("/models/1/slot").asText();
        rest.stop("agent");
        rest.stop("inference");
        rest.stop("swtpm");
        rest.desire("2.0.0");
        v2 = Sha256.ofFile(Stack.DEMO.resolve("intent-2.0.0.gguf")).hex();
    }

    @AfterAll
    static void stop() {
        if (rest != null) {
            rest.assertNoTraces();
            rest.close();
        }
    }

    @TestFactory
    Stream<DynamicTest> theAgentKilledAtATurningPointComesBackAndFinishes() {
        return TURNING_POINTS.stream().map(KillTest::theAgentKilled);
    }

    @TestFactory
    @Tag("full")
    Stream<DynamicTest> theAgentKilledInAnyStateComesBackAndFinishes() {
        return STATES.stream().filter(state -> !TURNING_POINTS.contains(state)).map(KillTest::theAgentKilled);
    }

    private static DynamicTest theAgentKilled(String state) {
        return DynamicTest.dynamicTest("agent killed at " + state, () -> {
            try (Stack stack = begin("agent-" + state, state)) {
                stack.kill("agent");
                assertThat(stack.serves()).as("while the agent is dead").startsWith("intent@");
                assertThat(stack.answer("lock the front door")).contains("lock");
                assertThat(encoderAnswers(stack))
                        .as("the encoder, while the agent is dead")
                        .isTrue();
                stack.startAgent();
                ends(stack);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> inferenceKilledAtATurningPointComesBackServingAVerifiedModel() {
        return TURNING_POINTS.stream().map(KillTest::inferenceKilled);
    }

    @TestFactory
    @Tag("full")
    Stream<DynamicTest> inferenceKilledInAnyStateComesBackServingAVerifiedModel() {
        return STATES.stream().filter(state -> !TURNING_POINTS.contains(state)).map(KillTest::inferenceKilled);
    }

    private static DynamicTest inferenceKilled(String state) {
        return DynamicTest.dynamicTest("inference killed at " + state, () -> {
            try (Stack stack = begin("inference-" + state, state)) {
                stack.kill("inference");
                stack.startInference();
                Tools.until(LIMIT, "a model serves", () -> stack.serves().startsWith("intent@"));
                stack.release();
                settles(stack);
            }
        });
    }

    @Test
    void bothKilledAndTheTpmLosesPowerAmidTheSwap() throws Exception {
        try (Stack stack = begin("power", "MEASURED")) {
            stack.kill("agent");
            stack.kill("inference");
            stack.kill("swtpm");
            stack.startTpm();
            stack.startInference();
            stack.startAgent();
            ends(stack);
        }
    }

    private static boolean encoderAnswers(Stack stack) throws Exception {
        ObjectNode body = Json.object().put("model", "sentence@1.0.0").put("input", "lock the front door");
        return UnixSocket.postJson(stack.socket("inference"), "/v1/embeddings", body)
                        .at("/data/0/embedding")
                        .size()
                > 0;
    }

    /** Whatever became of the one model: the other serves the release that it did, in words, bytes and evidence. */
    private static void untouched(Stack stack) throws Exception {
        Tools.until(LIMIT, "the encoder answers", () -> encoderAnswers(stack));
        JsonNode other = stack.status().at("/models/1");
        assertThat(other.path("model").asText()).isEqualTo("sentence");
        assertThat(other.path("slot").asText()).isEqualTo(beside);
        assertThat(other.has("lastFailure")).isFalse();
        Path blob = stack.dir
                .resolve("device/store/blobs")
                .resolve(other.path("digest").asText());
        assertThat(Sha256.ofFile(blob).hex()).isEqualTo(other.path("digest").asText());
    }

    /** Brings a copy of the device to a standstill in one state of the install of version 2. */
    private static Stack begin(String name, String state) throws Exception {
        Stack stack = rest.copyTo(dir.resolve(name));
        stack.startTpm();
        stack.startInference();
        stack.startAgentThatWaitsAt(state);
        stack.awaitServing(state.compareTo("COMMITTED") == 0 || state.equals("PROBATION") ? "2.0.0" : "1.0.0");
        stack.awaitStandstill(state);
        return stack;
    }

    /** Version 2 is committed, and these bytes are on the disk. */
    private static void ends(Stack stack) throws Exception {
        stack.awaitCommitted("2.0.0");
        stack.awaitServing("2.0.0");
        verified(stack, v2);
        untouched(stack);
        attests(stack, "2.0.0");
    }

    /** Either the install is carried through, or it is rolled back with a reason; a verified model serves. */
    private static void settles(Stack stack) throws Exception {
        Tools.until(
                LIMIT,
                "the install ends",
                () -> List.of("COMMITTED", "ROLLED_BACK", "FAILED")
                                .contains(Stack.lastOf(stack.history(), "intent")
                                        .path("state")
                                        .asText())
                        && !stack.status().at("/state").asText().equals("installing"));
        JsonNode end = Stack.lastOf(stack.history(), "intent");
        String serving = stack.status().at("/serving/version").asText();
        if (end.path("state").asText().equals("COMMITTED")) {
            assertThat(serving).isEqualTo("2.0.0");
        } else {
            assertThat(serving).isEqualTo("1.0.0");
            assertThat(end.path("code").asText()).as("reason of the way back").isNotEmpty();
        }
        stack.awaitServing(serving);
        verified(stack, stack.status().at("/serving/digest").asText());
        untouched(stack);
        attests(stack, serving);
    }

    private static void verified(Stack stack, String digest) throws Exception {
        try (var files = Files.walk(stack.dir.resolve("device"))) {
            List<Path> models = files.filter(Files::isRegularFile)
                    .filter(file -> file.getFileName().toString().startsWith(digest))
                    .filter(file -> file.toFile().length() > 1_000_000)
                    .toList();
            assertThat(models).as("the serving model's file").hasSize(1);
            assertThat(Sha256.ofFile(models.getFirst()).hex()).isEqualTo(digest);
        }
    }

    private static void attests(Stack stack, String version) throws Exception {
        Tools.until(
                LIMIT,
                "the device is enrolled",
                () -> stack.status().path("enrolled").asBoolean());
        // On a busy machine the evidence may say that inference was too slow to be asked; then a verifier asks again.
        Tools.Ran[] ran = new Tools.Ran[1];
        Tools.until(LIMIT, "an appraisal that could ask what serves", () -> {
            ran[0] = stack.command(
                    Stack.FLEET,
                    "attest",
                    "--dir",
                    stack.dir.resolve("fleet").toString(),
                    "--min-assurance",
                    "emulated",
                    "device-1");
            return !ran[0].err().contains("ATT-SERVING");
        });
        assertThat(ran[0].status()).as(ran[0].err()).isZero();
        assertThat(ran[0].out())
                .contains("affirming")
                .contains(version)
                .contains("sentence")
                .containsIgnoringCase("emulated");
    }
}
