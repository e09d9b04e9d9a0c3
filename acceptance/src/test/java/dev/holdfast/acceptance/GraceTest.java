package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A program that built its index with {@code embed@1.0.0} gets vectors of that release after the swap, and none when its time is over. */
@Tag("full")
class GraceTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);
    private static final String NONCE = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    private static final String OLD = "embed@1.0.0";
    /** Compiled code may add floats in another order than interpreted code. */
    private static final double SAME = 1e-5;
    /** Bytes of the demo encoder's last tensor, a bias of floats. */
    private static final int LAST_TENSOR = 512;

    @TempDir
    Path dir;

    private Stack stack;

    @BeforeEach
    void prepare() throws Exception {
        stack = Stack.prepare(dir.resolve("s"), true);
    }

    @AfterEach
    void stop() {
        stack.assertNoTraces();
        stack.close();
    }

    @Test
    void anIndexOfTheOldVersionIsServedUntilItsTimeIsOver() throws Exception {
        publish("1.0.0", Stack.DEMO.resolve("sentence-1.0.0.gguf"));
        publish("2.0.0", other());
        stack.startBroker();
        stack.startFleet();
        stack.startInference();
        stack.startAgent();
        stack.desire("1.0.0");
        stack.awaitCommitted("1.0.0");
        stack.fleet("desire", "device-1", "embed", "1.0.0");
        stack.awaitCommitted("embed", "1.0.0");
        Tools.until(LIMIT, "enrolled", () -> stack.status().path("enrolled").asBoolean());

        List<Double> indexed = vector(OLD);
        long one = used();
        String said = stack.fleet("desire", "device-1", "embed", "2.0.0", "--grace", "PT2H");
        assertThat(said).contains("embed 2.0.0, embed@1.0.0 until ");
        stack.awaitCommitted("embed", "2.0.0");

        assertThat(distance(vector(OLD), indexed)).isLessThan(SAME);
        List<Double> next = vector("embed");
        assertThat(distance(next, indexed)).isGreaterThan(100 * SAME);
        assertThat(distance(next, vector("embed@2.0.0"))).isLessThan(SAME);
        assertThat(ids()).containsExactly("intent@1.0.0", "intent", "embed@2.0.0", "embed", OLD);
        long both = used();
        assertThat(both).isGreaterThan(one);
        tellsOfIt();
        isProven(true);

        comesBackAfterRestarts(indexed);

        ends(next, both);
        isProven(false);
    }

    private void publish(String version, Path file) throws Exception {
        stack.fleet(
                "publish",
                "embed",
                version,
                file.toString(),
                "--template",
                Stack.DEMO.resolve("sentence-template.json").toString());
    }

    /** The demo's encoder with another bias in its last norm, so that all of its vectors differ. */
    private Path other() throws IOException {
        byte[] bytes = Files.readAllBytes(Stack.DEMO.resolve("sentence-1.0.0.gguf"));
        ByteBuffer bias =
                ByteBuffer.wrap(bytes, bytes.length - LAST_TENSOR, LAST_TENSOR).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = bias.position(); at < bytes.length; at += Float.BYTES) {
            bias.putFloat(at, bias.getFloat(at) + (at % 3) * 0.1f);
        }
        return Files.write(stack.dir.resolve("sentence-2.0.0.gguf"), bytes);
    }

    private JsonNode embed(String model) throws IOException {
        ObjectNode body = Json.object().put("model", model).put("input", "turn on the kitchen light");
        return UnixSocket.postJson(stack.socket("inference"), "/v1/embeddings", body);
    }

    private List<Double> vector(String model) throws IOException {
        JsonNode answer = embed(model);
        List<Double> vector = new ArrayList<>();
        answer.at("/data/0/embedding").forEach(value -> vector.add(value.doubleValue()));
        assertThat(vector).as(answer.toString()).isNotEmpty();
        if (model.contains("@")) {
            assertThat(answer.path("model").asText()).isEqualTo(model);
        }
        return vector;
    }

    /** The largest difference of two values in one place. */
    private static double distance(List<Double> one, List<Double> other) {
        double most = 0;
        for (int i = 0; i < one.size(); i++) {
            most = Math.max(most, Math.abs(one.get(i) - other.get(i)));
        }
        return most;
    }

    private List<String> ids() throws IOException {
        return UnixSocket.getJson(stack.socket("inference"), "/v1/models")
                .path("data")
                .findValuesAsText("id");
    }

    /** What the models have reserved. */
    private long used() throws IOException {
        return UnixSocket.getJson(stack.socket("inference-control"), "/control/v1/status")
                .at("/memory/usedBytes")
                .asLong();
    }

    private JsonNode reported() throws IOException {
        for (JsonNode model : stack.status().path("models")) {
            if (model.path("model").asText().equals("embed")) {
                return model.path("grace");
            }
        }
        return Json.object();
    }

    private void tellsOfIt() throws Exception {
        JsonNode grace = reported();
        assertThat(grace).hasSize(1);
        assertThat(grace.at("/0/version").asText()).isEqualTo("1.0.0");
        assertThat(grace.at("/0/code").asText("served")).isEqualTo("served");
        Instant until = Instant.parse(grace.at("/0/until").asText());
        assertThat(until)
                .isBetween(Instant.now().plusSeconds(3600), Instant.now().plusSeconds(7200));
        assertThat(stack.holdfastOk("ps")).contains("until " + until);
        assertThat(stack.holdfastOk("doctor")).contains("release in its grace");
        assertThat(stack.command(
                                Stack.FLEET,
                                "devices",
                                "--dir",
                                stack.dir.resolve("fleet").toString())
                        .out())
                .contains("embed 2.0.0");
    }

    private JsonNode isProven(boolean inGrace) throws Exception {
        Path evidence = stack.dir.resolve("grace.cbor");
        Path policy = stack.dir.resolve("policy.json");
        Files.writeString(policy, """
                {"format":1, "minAssurance":"emulated", "models":["intent","embed"], "fleet":"fleet"}
                """);
        JsonNode[] result = new JsonNode[1];
        Tools.until(LIMIT, "an appraisal that could ask what serves", () -> {
            stack.holdfastOk("attest", "--nonce", NONCE, "--out", evidence.toString());
            Tools.Ran ran = stack.command(
                    Stack.FLEET,
                    "verify",
                    evidence.toString(),
                    "--nonce",
                    NONCE,
                    "--policy",
                    policy.toString(),
                    "--json");
            result[0] = Json.read(ran.out().getBytes(StandardCharsets.UTF_8), 1 << 22)
                    .orThrow();
            return !ran.out().contains("did not answer");
        });
        assertThat(result[0].path("status").asText()).as(result[0].toString()).isEqualTo("affirming");
        JsonNode models = result[0].at("/claims/models");
        assertThat(models.findValuesAsText("version"))
                .isEqualTo(inGrace ? List.of("2.0.0", "1.0.0", "1.0.0") : List.of("2.0.0", "1.0.0"));
        assertThat(models.path(1).path("grace").asBoolean()).isEqualTo(inGrace);
        assertThat(models.path(1).path("state").asText()).isEqualTo("confirmed");
        return models;
    }

    private void comesBackAfterRestarts(List<Double> indexed) throws Exception {
        stack.kill("inference");
        stack.startInference();
        Tools.until(LIMIT, "the inference process loads it again", () -> ids().contains(OLD));
        assertThat(distance(vector(OLD), indexed)).isLessThan(SAME);
        stack.kill("agent");
        stack.startAgent();
        Tools.until(
                LIMIT,
                "another agent tells of it",
                () -> reported().at("/0/version").asText().equals("1.0.0"));
        assertThat(distance(vector(OLD), indexed)).isLessThan(SAME);
    }

    /** Its time is shortened, and then nobody can order anything any more. */
    private void ends(List<Double> next, long both) throws Exception {
        String before = reported().at("/0/until").asText();
        stack.fleet("desire", "device-1", "embed", "2.0.0", "--grace", "PT45S");
        Tools.until(
                LIMIT,
                "the device knows the new end",
                () -> !reported().at("/0/until").asText().equals(before));
        assertThat(vector(OLD)).isNotEmpty();
        stack.stop("fleet");
        stack.kill("mosquitto");
        Tools.until(
                LIMIT,
                "nobody answers to the old name",
                () -> embed(OLD).at("/error/code").asText().equals("model_not_found"));
        assertThat(distance(vector("embed"), next)).isLessThan(SAME);
        assertThat(ids()).doesNotContain(OLD);
        assertThat(reported().size()).isZero();
        Tools.until(LIMIT, "its memory is free", () -> used() < both);
    }
}
