package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** A chat model and an encoder on one device, from order to evidence; one stack for all, in this order. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class SeveralModelsTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);
    private static final String NONCE = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    private static final int STREAMS = 8;

    @TempDir
    static Path dir;

    private static Stack stack;

    @BeforeAll
    static void start() throws Exception {
        stack = Stack.prepare(dir.resolve("s"), true);
        stack.publishEncoder("1.0.0");
        stack.startBroker();
        stack.startFleet();
        stack.startInference();
        stack.startAgent();
        stack.desire("1.0.0");
        stack.awaitCommitted("1.0.0");
        stack.fleet("desire", "device-1", "sentence", "1.0.0");
        stack.awaitCommitted("sentence", "1.0.0");
        Tools.until(LIMIT, "enrolled", () -> stack.status().path("enrolled").asBoolean());
    }

    @AfterAll
    static void stop() {
        if (stack != null) {
            stack.assertNoTraces();
            stack.close();
        }
    }

    private static JsonNode json(String text) throws Exception {
        return Json.read(text.getBytes(StandardCharsets.UTF_8), 1 << 22).orThrow();
    }

    /** Asks again where the machine was too busy for the inference process to answer the agent. */
    private static Tools.Ran attest(String... more) throws Exception {
        List<String> arguments = new ArrayList<>(List.of(
                "attest",
                "--dir",
                stack.dir.resolve("fleet").toString(),
                "--min-assurance",
                "emulated",
                "device-1",
                "--json"));
        arguments.addAll(List.of(more));
        Tools.Ran[] ran = new Tools.Ran[1];
        Tools.until(LIMIT, "an appraisal that could ask what serves", () -> {
            ran[0] = stack.command(Stack.FLEET, arguments.toArray(String[]::new));
            return !ran[0].out().contains("did not answer");
        });
        return ran[0];
    }

    private static List<String> ids() throws IOException {
        List<String> ids = new ArrayList<>();
        UnixSocket.getJson(stack.socket("inference"), "/v1/models")
                .path("data")
                .forEach(model -> ids.add(model.path("id").asText()));
        return ids;
    }

    @Test
    @Order(1)
    void bothAreListedAndAnswerByName() throws Exception {
        assertThat(ids()).containsExactly("intent@1.0.0", "intent", "sentence@1.0.0", "sentence");
        assertThat(UnixSocket.getJson(stack.socket("inference"), "/v1/models/sentence")
                        .path("id")
                        .asText())
                .isEqualTo("sentence");
        assertThat(UnixSocket.getJson(stack.socket("inference"), "/v1/models/sentence@9.9.9")
                        .at("/error/code")
                        .asText())
                .isEqualTo("model_not_found");
        assertThat(stack.answer("lock the front door")).contains("lock_door");
        double same = cosine("turn on the kitchen light", "Lights on in the kitchen, please");
        double other = cosine("turn on the kitchen light", "play jazz in the bathroom");
        assertThat(same).isGreaterThan(0.8);
        assertThat(other).isLessThan(0.4);
    }

    private static double cosine(String one, String two) throws IOException {
        ObjectNode body = Json.object().put("model", "sentence");
        body.putArray("input").add(one).add(two);
        JsonNode data = UnixSocket.postJson(stack.socket("inference"), "/v1/embeddings", body)
                .path("data");
        double sum = 0;
        for (int i = 0; i < data.at("/0/embedding").size(); i++) {
            sum += data.at("/0/embedding/" + i).asDouble()
                    * data.at("/1/embedding/" + i).asDouble();
        }
        return sum;
    }

    @Test
    @Order(2)
    void evidenceNamesBothAndAPolicyJudgesTheSet() throws Exception {
        Tools.Ran ran = attest();
        assertThat(ran.status()).as(ran.out() + ran.err()).isZero();
        JsonNode result = json(ran.out());
        assertThat(result.at("/claims/models")).hasSize(2);
        assertThat(result.at("/claims/models/0/name").asText()).isEqualTo("intent");
        assertThat(result.at("/claims/models/1/name").asText()).isEqualTo("sentence");
        Path evidence = stack.dir.resolve("set.cbor");
        stack.holdfastOk("attest", "--nonce", NONCE, "--out", evidence.toString());
        assertThat(verify(evidence, "[\"intent\",\"sentence\"]", 0)
                        .path("status")
                        .asText())
                .isEqualTo("affirming");
        JsonNode unlisted = verify(evidence, "[\"intent\"]", 1);
        assertThat(unlisted.path("status").asText()).isEqualTo("contraindicated");
        JsonNode missing = verify(evidence, "{\"intent\":{},\"sentence\":{},\"speech\":{}}", 1);
        assertThat(missing.path("status").asText()).isEqualTo("warning");
        assertThat(missing.toString()).contains("missing-model").contains("speech");
        assertThat(verify(evidence, "{\"intent\":{\"minEpoch\":9},\"sentence\":{}}", 1)
                        .path("status")
                        .asText())
                .isEqualTo("contraindicated");
    }

    private static JsonNode verify(Path evidence, String models, int status) throws Exception {
        Path policy = stack.dir.resolve("set-policy.json");
        Files.writeString(policy, """
                {"format":1, "minAssurance":"emulated", "models":%s, "fleet":"fleet"}
                """.formatted(models));
        Tools.Ran ran = stack.command(
                Stack.FLEET, "verify", evidence.toString(), "--nonce", NONCE, "--policy", policy.toString(), "--json");
        assertThat(ran.status()).as(ran.out() + ran.err()).isEqualTo(status);
        return json(ran.out());
    }

    /** The same bytes with another template and a raised epoch: a change of slot, without a download. */
    @Test
    @Order(3)
    void theEncoderIsSwappedUnderStreamsOnTheOtherAndNothingIsDropped() throws Exception {
        stack.publishEncoder("1.0.1", "--epoch", "4");
        Tools.Ran before = attest();
        assertThat(before.status())
                .as("the older release stays a valid reference: " + before.out())
                .isZero();
        AtomicBoolean done = new AtomicBoolean();
        AtomicInteger answered = new AtomicInteger();
        List<String> dropped = new ArrayList<>();
        List<Thread> streams = new ArrayList<>();
        for (int i = 0; i < STREAMS; i++) {
            streams.add(Thread.ofVirtual().start(() -> {
                while (!done.get()) {
                    String reply = stream();
                    if (reply.contains("data: [DONE]") && reply.contains("lock_door")) {
                        answered.incrementAndGet();
                    } else {
                        synchronized (dropped) {
                            dropped.add(reply);
                        }
                    }
                }
            }));
        }
        Tools.until(LIMIT, "every stream answered", () -> answered.get() >= STREAMS);
        stack.fleet("desire", "device-1", "sentence", "1.0.1");
        stack.awaitCommitted("sentence", "1.0.1");
        int then = answered.get();
        Tools.until(LIMIT, "they go on", () -> answered.get() >= then + STREAMS);
        done.set(true);
        for (Thread stream : streams) {
            stream.join();
        }
        assertThat(dropped).isEmpty();
        assertThat(ids()).contains("sentence@1.0.1").doesNotContain("sentence@1.0.0");
        List<String> plans = new ArrayList<>();
        for (JsonNode line : stack.history()) {
            if (line.path("version").asText().equals("1.0.1")
                    && line.path("state").asText().equals("PLANNED")) {
                plans.add(line.path("note").asText());
            }
        }
        assertThat(plans).as("no download").containsExactly("present");
        Tools.Ran after = attest();
        assertThat(after.status()).as(after.out() + after.err()).isZero();
        JsonNode model = json(after.out()).at("/claims/models/1");
        assertThat(model.path("version").asText()).isEqualTo("1.0.1");
        assertThat(model.path("epoch").asInt()).isEqualTo(4);
        assertThat(json(after.out()).at("/claims/epochFloors/sentence").asInt()).isEqualTo(4);
        assertThat(json(after.out()).at("/claims/epochFloors/intent").asInt()).isEqualTo(1);
    }

    /** One streamed answer with all that came; a failure is told as such. */
    private static String stream() {
        ObjectNode body = Json.object().put("stream", true);
        body.putArray("messages").addObject().put("role", "user").put("content", "lock the front door");
        String post = UnixSocket.post("/v1/chat/completions", new String(Json.write(body), StandardCharsets.UTF_8));
        try {
            String reply = new String(
                    UnixSocket.exchange(stack.socket("inference"), post.getBytes(StandardCharsets.UTF_8)),
                    StandardCharsets.UTF_8);
            StringBuilder text = new StringBuilder();
            for (String line : reply.split("\\R")) {
                if (line.startsWith("data: {")) {
                    text.append(json(line.substring("data: ".length()))
                            .at("/choices/0/delta/content")
                            .asText());
                } else if (line.startsWith("data: ") || line.startsWith("HTTP/1.1")) {
                    text.append(line).append('\n');
                }
            }
            return text.toString();
        } catch (Exception e) {
            return e.toString();
        }
    }

    /** The floor of one model shuts out no other: the encoder is at 4, the chat model goes to 2 and not back. */
    @Test
    @Order(4)
    void aReleaseBelowItsOwnFloorIsRefusedAndTheOtherModelServes() throws Exception {
        stack.fleet("desire", "device-1", "sentence", "1.0.0");
        stack.awaitRejection("UPD-EPOCH");
        assertThat(ids()).contains("intent@1.0.0", "sentence@1.0.1");
        stack.desire("2.0.0");
        stack.awaitCommitted("intent", "2.0.0");
        assertThat(ids()).contains("intent@2.0.0", "sentence@1.0.1");
        stack.fleet("desire", "device-1", "sentence", "1.0.1");
        Tools.until(LIMIT, "nothing is rejected any more", () -> !stack.status().has("lastRejection"));
    }

    @Test
    @Order(5)
    void aSetThatDoesNotFitIsRefusedWithNumbers() throws Exception {
        stack.stop("agent");
        long needed = 0;
        for (JsonNode model : json(Files.readString(stack.dir.resolve("device/store/serving.json")))
                .path("models")) {
            needed += model.at("/serving/memoryBytes").asLong();
        }
        assertThat(needed).as("signed by publish").isPositive();
        Files.writeString(
                stack.config(), Files.readString(stack.config()) + "memory-budget = " + (needed + 1024) + "\n");
        stack.startAgent();
        stack.fleet(
                "publish",
                "third",
                "1.0.0",
                Stack.DEMO.resolve("intent-1.0.0.gguf").toString(),
                "--template",
                Stack.DEMO.resolve("template.json").toString());
        stack.fleet("desire", "device-1", "third", "1.0.0");
        stack.awaitRejection("INS-MEMORY");
        JsonNode rejection = stack.status().path("lastRejection");
        assertThat(rejection.path("detail").asText()).matches("third@1\\.0\\.0 needs .* MiB, .* the budget is .*");
        assertThat(ids()).contains("intent@2.0.0", "sentence@1.0.1").doesNotContain("third@1.0.0");
        stack.fleet("desire", "device-1", "--remove", "third");
        Tools.until(LIMIT, "nothing is rejected any more", () -> !stack.status().has("lastRejection"));
    }

    @Test
    @Order(6)
    void aModelThatIsNoLongerDesiredIsRetired() throws Exception {
        stack.fleet("desire", "device-1", "--remove", "sentence");
        Tools.until(LIMIT, "it is not listed", () -> ids().equals(List.of("intent@2.0.0", "intent")));
        assertThat(stack.answer("lock the front door")).contains("lock_door");
        Tools.until(LIMIT, "evidence names one model", () -> {
            Tools.Ran ran = attest();
            return ran.status() == 0
                    && json(ran.out()).at("/claims/model/name").asText().equals("intent");
        });
        assertThat(Stack.lastOf(stack.history()).path("state").asText()).isEqualTo("RETIRED");
    }
}
