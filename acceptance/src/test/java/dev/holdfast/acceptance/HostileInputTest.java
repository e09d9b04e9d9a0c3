package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * Anything on any topic, socket and file of a running stack. Each test ends with the same three processes still running,
 * still serving, and with no trace of an exception in a log; the last one shows that an update still comes through.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class HostileInputTest {
    private static final long SEED = 20261125;
    private static final Duration LIMIT = Duration.ofSeconds(120);
    private static final String CODED_LINE = "[A-Z]{2,4}-[A-Z0-9-]+: [^\\n]*\\n(  -> [^\\n]*\\n)?";

    @TempDir
    static Path dir;

    private static Stack stack;
    private static List<Long> pids;

    @BeforeAll
    static void aDeviceServesVersionOne() throws Exception {
        stack = Stack.prepare(dir, false);
        stack.startBroker();
        stack.startFleet();
        stack.startInference();
        stack.startAgent();
        stack.desire("1.0.0");
        stack.awaitCommitted("1.0.0");
        pids = pids();
    }

    @AfterAll
    static void stop() {
        if (stack != null) {
            stack.close();
        }
    }

    @Test
    @Order(1)
    void anyBytesOnAnyTopicAreRefusedWithACode() throws Exception {
        try (Tap tap = Tap.open(stack.broker())) {
            tap.say(topic("desired"), new byte[0]);
            stack.fleet("attest", "device-1");
            Tools.until(
                    LIMIT,
                    "something to mutate",
                    () -> tap.heard("ask").size() >= 4
                            && tap.heard("answer").size() >= 4
                            && !tap.heard("evidence").isEmpty());
            Random random = new Random(SEED);
            int said = 0;
            for (String leaf :
                    List.of("ask", "answer", "challenge", "evidence", "status", "online", "desired", "x/y")) {
                List<byte[]> payloads = new ArrayList<>(garbage(random));
                for (byte[] real : first(tap.heard(leaf), 6)) {
                    payloads.addAll(mutations(random, real));
                }
                for (byte[] payload : payloads) {
                    tap.say(topic(leaf), payload);
                    said++;
                }
                tap.say("holdfast/v1/demo/d/device-2/" + leaf, payloads.getFirst());
                tap.say("holdfast/v1/other/d/device-1/" + leaf, payloads.getFirst());
            }
            System.out.println("hostile messages: " + said + ", processes that stopped: 0");
        }
        assertUnharmed();
        assertThat(stack.log("agent")).containsPattern("(WIRE|LNK)-[A-Z]+");
        assertThat(stack.log("fleet")).containsPattern("(WIRE|LNK)-[A-Z]+");
    }

    @Test
    @Order(2)
    void replayedAndRepeatedAnswersChangeNothing() throws Exception {
        try (Tap tap = Tap.open(stack.broker())) {
            tap.say(topic("desired"), new byte[0]);
            Tools.until(
                    LIMIT,
                    "an order and its metadata",
                    () -> tap.heard("answer").size() >= 2);
            List<byte[]> recorded = List.copyOf(tap.heard("answer"));
            stack.desire("2.0.0");
            for (int round = 0; round < 3; round++) {
                for (byte[] answer : recorded) {
                    tap.say(topic("answer"), answer);
                }
            }
            stack.awaitCommitted("2.0.0");
            stack.desire("1.0.0");
            stack.awaitCommitted("1.0.0");
        }
        assertUnharmed();
    }

    @Test
    @Order(3)
    void anyBytesOnAnySocketEndInAnAnswerOrAHangUp() throws Exception {
        Random random = new Random(SEED);
        List<byte[]> requests = new ArrayList<>(garbage(random));
        requests.add(ascii("GET / HTTP/1.1\r\n"));
        requests.add(ascii("GET /v1/models HTTP/9.9\r\nHost: x\r\n\r\n"));
        requests.add(ascii("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"));
        requests.add(ascii("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{}"));
        requests.add(
                ascii("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
        requests.add(ascii("GET /" + "a".repeat(100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n"));
        requests.add(ascii("GET / HTTP/1.1\r\n" + "x: y\r\n".repeat(20_000) + "\r\n"));
        for (String socket : List.of("inference", "inference-control", "control")) {
            for (byte[] request : requests) {
                UnixSocket.exchangeHalfClosed(stack.socket(socket), request);
            }
        }
        assertUnharmed();
    }

    @Test
    @Order(4)
    void wellFormedRequestsOfTheWrongKindAreRefusedWithACode() throws Exception {
        List<String> bodies = List.of(
                "",
                "null",
                "[]",
                "{}",
                "{\"messages\":5}",
                "{\"messages\":[{\"role\":7,\"content\":{}}]}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":-1}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":\"hot\"}",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"model\":\"../../etc/passwd\"}",
                "{\"messages\":[" + "[".repeat(5000),
                "{\"messages\":[{\"role\":\"user\",\"content\":\"" + "x".repeat(2_000_000) + "\"}]}");
        List<String> routes = List.of(
                "inference /v1/chat/completions",
                "inference /v1/nothing",
                "inference-control /control/v1/candidate",
                "inference-control /control/v1/flip",
                "inference-control /control/v1/evidence",
                "control /v1/attestation",
                "control /v1/nothing");
        for (String route : routes) {
            String[] parts = route.split(" ");
            for (String body : bodies) {
                String reply = new String(
                        UnixSocket.exchange(stack.socket(parts[0]), ascii(UnixSocket.post(parts[1], body))),
                        StandardCharsets.UTF_8);
                assertThat(reply)
                        .as(route + " with " + body.substring(0, Math.min(40, body.length())))
                        .startsWith("HTTP/1.1 4")
                        .containsPattern("\"[A-Z]{2,4}-[A-Z0-9-]+\"")
                        .doesNotContain("Exception");
            }
        }
        assertUnharmed();
    }

    @Test
    @Order(5)
    void anyBytesInAFileEndInOneCodedLineAndNoTrace() throws Exception {
        Path garbage = Files.write(dir.resolve("garbage"), random(new Random(SEED), 4096));
        Path flipped = dir.resolve("flipped.gguf");
        byte[] model = Files.readAllBytes(Stack.DEMO.resolve("intent-1.0.0.gguf"));
        model[9] ^= 0x40;
        Files.write(flipped, model);
        Path cut = Files.write(dir.resolve("cut.gguf"), Arrays.copyOf(model, 5000));
        Path base = Stack.DEMO.resolve("intent-1.0.0.gguf");
        List<List<String>> commands = List.of(
                List.of(Stack.HOLDFAST, "agent", "--config", garbage.toString()),
                List.of(
                        Stack.HOLDFAST,
                        "inference",
                        "--config",
                        dir.resolve("absent.toml").toString()),
                List.of(Stack.HOLDFAST, "model", "inspect", garbage.toString(), "--json"),
                List.of(Stack.HOLDFAST, "model", "inspect", flipped.toString(), "--json"),
                List.of(Stack.HOLDFAST, "model", "inspect", cut.toString(), "--json"),
                List.of(Stack.FLEET, "delta", "inspect", garbage.toString(), "--json"),
                List.of(
                        Stack.FLEET,
                        "delta",
                        "apply",
                        "--base",
                        base.toString(),
                        "--patch",
                        garbage.toString(),
                        "--out",
                        dir.resolve("out").toString(),
                        "--json"));
        for (List<String> command : commands) {
            String[] arguments = command.subList(1, command.size()).toArray(String[]::new);
            Tools.Ran ran = stack.command(command.getFirst(), arguments);
            String said = ran.err().replaceFirst("WARNING: Using incubator modules: jdk.incubator.vector\n", "");
            assertThat(ran.status()).as(command.toString()).isNotZero();
            assertThat(said).as(command.toString()).matches(CODED_LINE);
        }
        assertThat(dir.resolve("out")).doesNotExist();
    }

    @Test
    @Order(6)
    void damagedMetadataIsRefusedAndTheDeviceServesOn() throws Exception {
        Path timestamp = dir.resolve("fleet/metadata/timestamp.json");
        byte[] good = Files.readAllBytes(timestamp);
        List<byte[]> damaged = new ArrayList<>(mutations(new Random(SEED), good).subList(0, 6));
        damaged.add(ascii("{\"signed\":[],\"signatures\":{}}"));
        damaged.add(ascii("[".repeat(20_000)));
        try (Tap tap = Tap.open(stack.broker())) {
            for (byte[] bad : damaged) {
                Files.write(timestamp, good);
                tap.say(topic("desired"), new byte[0]);
                Tools.until(LIMIT, "the device is content", () -> rejection().isEmpty());
                Files.write(timestamp, bad);
                tap.say(topic("desired"), new byte[0]);
                Tools.until(LIMIT, "a rejection", () -> rejection().matches("(UPD|WIRE|LNK|FLT)-.*"));
                assertThat(stack.serves()).isEqualTo("intent@1.0.0");
            }
        } finally {
            Files.write(timestamp, good);
        }
        assertUnharmed();
    }

    @Test
    @Order(7)
    void afterAllThisAnUpdateStillComesThrough() throws Exception {
        stack.desire("2.0.0");
        stack.awaitCommitted("2.0.0");
        stack.awaitServing("2.0.0");
        assertUnharmed();
    }

    private static String rejection() throws Exception {
        return stack.status().at("/lastRejection/code").asText();
    }

    private static void assertUnharmed() throws Exception {
        assertThat(pids()).as("the same processes").isEqualTo(pids);
        assertThat(stack.status().path("device").asText()).isEqualTo("device-1");
        assertThat(stack.answer("lock the front door")).contains("lock");
        stack.assertNoTraces();
    }

    private static List<Long> pids() {
        List<Long> running = new ArrayList<>();
        for (String name : List.of("agent", "inference", "fleet")) {
            assertThat(stack.process(name).isAlive()).as(name + " runs").isTrue();
            running.add(stack.process(name).pid());
        }
        return running;
    }

    private static String topic(String leaf) {
        return "holdfast/v1/demo/d/device-1/" + leaf;
    }

    private static List<byte[]> garbage(Random random) {
        byte[] nested = new byte[5000];
        Arrays.fill(nested, (byte) 0x81);
        return List.of(
                new byte[] {0},
                random(random, 10),
                random(random, 1000),
                random(random, 100_000),
                nested,
                ascii("[".repeat(5000)),
                ascii("{\"state\":7,\"serving\":[]}"),
                new byte[] {(byte) 0x5b, -1, -1, -1, -1, -1, -1, -1, -1},
                new byte[] {(byte) 0x9b, 0, 0, 0, 127, -1, -1, -1, -1},
                new byte[200_000]);
    }

    /** Cut short, with a bit flipped, with bytes inserted, twice over; and as it is. */
    private static List<byte[]> mutations(Random random, byte[] real) {
        List<byte[]> all = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            all.add(Arrays.copyOf(real, random.nextInt(real.length + 1)));
            byte[] flipped = real.clone();
            if (flipped.length > 0) {
                flipped[random.nextInt(flipped.length)] ^= (byte) (1 << random.nextInt(8));
            }
            all.add(flipped);
            int at = random.nextInt(real.length + 1);
            byte[] longer = Arrays.copyOf(real, real.length + 7);
            System.arraycopy(real, at, longer, at + 7, real.length - at);
            all.add(longer);
        }
        byte[] twice = Arrays.copyOf(real, 2 * real.length);
        System.arraycopy(real, 0, twice, real.length, real.length);
        all.add(twice);
        all.add(real);
        all.add(real);
        return all;
    }

    private static List<byte[]> first(List<byte[]> all, int count) {
        return all.subList(0, Math.min(count, all.size()));
    }

    private static byte[] random(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
