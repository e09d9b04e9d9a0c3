package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.testkit.HostileInference;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
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

/** Evidence from the running stack, judged by tpm2-tools and by the fleet's command; one stack for all, in this order. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class EvidenceTest {
    private static final String NONCE = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    private static final String OTHER = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    private static final Duration LIMIT = Duration.ofSeconds(120);

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
        Files.writeString(stack.dir.resolve("policy.json"), """
                {"format":1, "minAssurance":"emulated", "models":["intent"], "minEpoch":1, "fleet":"fleet"}
                """);
    }

    @AfterAll
    static void stop() {
        if (stack != null) {
            stack.close();
        }
    }

    /** Says when it was asked for: the fleet, which asks by itself, too, may have seen newer evidence since. */
    private static JsonNode verify(Path evidence, String nonce, Instant asked, int status) throws Exception {
        Tools.Ran ran = stack.command(
                Stack.FLEET,
                "verify",
                evidence.toString(),
                "--nonce",
                nonce,
                "--issued",
                asked.toString(),
                "--policy",
                stack.dir.resolve("policy.json").toString(),
                "--json");
        assertThat(ran.status()).as(ran.out() + ran.err()).isEqualTo(status);
        return Json.read(ran.out().getBytes(StandardCharsets.UTF_8), 1 << 20).orThrow();
    }

    private static int checkquote(Path out, String qualifying) throws Exception {
        return Tools.run(
                        stack.dir,
                        List.of(
                                Tools.path("tpm2_checkquote", "tpm2-tools"),
                                "-u",
                                out.resolve("ak.pem").toString(),
                                "-m",
                                out.resolve("quote.msg").toString(),
                                "-s",
                                out.resolve("quote.sig").toString(),
                                "-f",
                                out.resolve("quote.pcrs").toString(),
                                "-F",
                                "values",
                                "-l",
                                Files.readString(out.resolve("pcrs.txt")).strip(),
                                "-g",
                                "sha256",
                                "-q",
                                qualifying))
                .status();
    }

    @Test
    @Order(1)
    void tpm2CheckquoteAcceptsTheCommandsFilesAndNoOtherNonce() throws Exception {
        Path evidence = stack.dir.resolve("evidence.cbor");
        Path out = stack.dir.resolve("tpm");
        Instant asked = Instant.now();
        stack.holdfastOk("attest", "--nonce", NONCE, "--out", evidence.toString(), "--tpm-out", out.toString());
        assertThat(checkquote(
                        out, Files.readString(out.resolve("qualifying.hex")).strip()))
                .isZero();
        assertThat(checkquote(out, OTHER)).isNotZero();
        Path second = stack.dir.resolve("tpm-other");
        stack.holdfastOk("attest", "--nonce", OTHER, "--out", evidence + "2", "--tpm-out", second.toString());
        assertThat(checkquote(
                        out, Files.readString(second.resolve("qualifying.hex")).strip()))
                .isNotZero();
        JsonNode good = verify(evidence, NONCE, asked, 0);
        assertThat(good.at("/submods/holdfast/ear.status").asText()).isEqualTo("affirming");
        assertThat(good.at("/claims/model/version").asText()).isEqualTo("1.0.0");
        assertThat(good.at("/claims/model/tokenizer").asText()).hasSize(64);
        assertThat(good.at("/claims/sandbox/seccomp").asText()).isNotEmpty();
        assertThat(verify(evidence, OTHER, asked, 1).path("status").asText()).isEqualTo("contraindicated");
    }

    @Test
    @Order(2)
    void aLocalProgramGetsEvidenceFromTheInferenceSocket() throws Exception {
        Instant asked = Instant.now();
        JsonNode answer = UnixSocket.getJson(stack.socket("inference"), "/v1/attestation?nonce=" + OTHER);
        Path evidence = Files.write(
                stack.dir.resolve("local.cbor"),
                Binary.fromHex(answer.path("evidence").asText()).orThrow().toArray());
        assertThat(verify(evidence, OTHER, asked, 0).path("status").asText()).isEqualTo("affirming");
        JsonNode control = UnixSocket.getJson(stack.socket("control"), "/v1/attestation?nonce=" + NONCE);
        Files.write(
                evidence,
                Binary.fromHex(control.path("evidence").asText()).orThrow().toArray());
        assertThat(verify(evidence, NONCE, asked, 0).path("status").asText()).isEqualTo("affirming");
    }

    private static Tools.Ran attest() throws Exception {
        return stack.command(
                Stack.FLEET,
                "attest",
                "--dir",
                stack.dir.resolve("fleet").toString(),
                "--min-assurance",
                "emulated",
                "--timeout",
                "5",
                "device-1");
    }

    /** Sixteen programs that ask again as soon as they were answered or refused, and a client of the broker that asks without end. */
    @Test
    @Order(3)
    void aFloodOfChallengesFromTwoSidesLeavesTheModelAndTheFleetAnswered() throws Exception {
        AtomicBoolean flooding = new AtomicBoolean(true);
        AtomicInteger local = new AtomicInteger();
        AtomicInteger remote = new AtomicInteger();
        List<Thread> hostile = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            hostile.add(Thread.ofVirtual().start(() -> {
                while (flooding.get()) {
                    String nonce = String.format("%064x", local.incrementAndGet());
                    try {
                        UnixSocket.getJson(stack.socket("inference"), "/v1/attestation?nonce=" + nonce);
                        Thread.sleep(100);
                    } catch (IOException e) {
                        // refused or cut off: both are answers to a flood
                    } catch (InterruptedException e) {
                        return;
                    }
                }
            }));
        }
        try (Tap tap = Tap.open(stack.broker())) {
            hostile.add(Thread.ofPlatform().start(() -> {
                while (flooding.get()) {
                    byte[] nonce = ByteBuffer.allocate(16)
                            .putInt(remote.incrementAndGet())
                            .array();
                    try {
                        tap.say("holdfast/v1/demo/d/device-1/challenge", new Challenge(Binary.copyOf(nonce)).encode());
                    } catch (Exception e) {
                        return;
                    }
                }
            }));
            Tools.until(LIMIT, "a flood", () -> local.get() > 100 && remote.get() > 500);
            assertThat(stack.answer("dim the lounge lights to 40%")).isNotEmpty();
            for (int i = 0; i < 4; i++) {
                Tools.Ran ran = attest();
                assertThat(ran.status()).as(ran.out() + ran.err()).isZero();
            }
            flooding.set(false);
            for (Thread thread : hostile) {
                thread.join();
            }
        }
    }

    /** Somebody at the broker answers each challenge before the device does, whole and in parts. */
    @Test
    @Order(3)
    void whatOthersSayInTheDevicesPlaceIsPassedOver() throws Exception {
        String topic = "holdfast/v1/demo/d/device-1/evidence";
        AtomicBoolean answering = new AtomicBoolean(true);
        AtomicInteger said = new AtomicInteger();
        try (Tap tap = Tap.open(stack.broker())) {
            Thread impostor = Thread.ofPlatform().start(() -> {
                while (answering.get()) {
                    for (byte[] heard : tap.heard("challenge")) {
                        Binary junk = Binary.copyOf(new byte[] {1, 2, 3});
                        try {
                            Binary nonce = Challenge.decode(heard).orThrow().nonce();
                            tap.say(topic, new Evidence(nonce, 1000, 0, junk).encode());
                            tap.say(topic, new Evidence(nonce, 3, 0, junk).encode());
                            said.incrementAndGet();
                        } catch (Exception e) {
                            return;
                        }
                    }
                }
            });
            Tools.Ran ran = attest();
            answering.set(false);
            impostor.join();
            assertThat(said.get()).isPositive();
            assertThat(ran.status()).as(ran.out() + ran.err()).isZero();
        }
    }

    private static long agentBytes() throws Exception {
        return Files.readAllLines(Path.of("/proc/" + stack.process("agent").pid() + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElseThrow();
    }

    /** Two things that a taken process did to the agent: its memory grew by 500 MB in four seconds, and no evidence came. */
    @Test
    @Order(5)
    void aTakenInferenceProcessCostsTheAgentNeitherItsMemoryNorItsEvidence() throws Exception {
        long before = agentBytes();
        long pid = stack.process("agent").pid();
        stack.kill("inference");
        try (HostileInference hostile = HostileInference.open(stack.socket("inference-control"))) {
            for (HostileInference.Behaviour behaviour :
                    List.of(HostileInference.Behaviour.ENDLESS_BODY, HostileInference.Behaviour.HANGS)) {
                hostile.behave(behaviour);
                int asked = hostile.requests();
                Tools.Ran ran = attest();
                assertThat(hostile.requests()).isGreaterThan(asked);
                // Nobody says which model answers, so it is less than affirming; but it is the device's word.
                assertThat(ran.err()).as(behaviour.toString()).doesNotContain("ATT-TIMEOUT");
                assertThat(ran.out()).contains("warning");
                assertThat(agentBytes() - before).as(behaviour.toString()).isLessThan(150L << 20);
            }
        }
        stack.startInference();
        Tools.until(LIMIT, "an affirming device", () -> attest().status() == 0);
        assertThat(stack.process("agent").pid()).isEqualTo(pid);
    }

    @Test
    @Order(4)
    void theFleetsCertificatesAreOnTheDevice() throws Exception {
        Path certificates = stack.dir.resolve("device/certificates");
        Tools.Ran ran = Tools.run(
                stack.dir,
                List.of(
                        Tools.path("openssl", "openssl"),
                        "verify",
                        "-purpose",
                        "sslclient",
                        "-CAfile",
                        certificates.resolve("authority.crt").toString(),
                        certificates.resolve("tls.crt").toString()));
        assertThat(ran.status()).as(ran.err()).isZero();
    }

    /** Root replaces the model's bytes under its name and starts the engine again: nothing serves, and evidence says so. */
    @Test
    @Order(6)
    void aModelThatWasSwappedOnTheDiskIsNotAttested() throws Exception {
        Instant asked = Instant.now();
        String digest = stack.status().at("/serving/digest").asText();
        Path blob = stack.dir.resolve("device/store/blobs").resolve(digest);
        Files.copy(Stack.DEMO.resolve("intent-2.0.0.gguf"), blob, StandardCopyOption.REPLACE_EXISTING);
        stack.kill("inference");
        stack.startInference();
        Path evidence = stack.dir.resolve("swapped.cbor");
        Tools.until(LIMIT, "evidence without a model", () -> {
            stack.holdfastOk("attest", "--nonce", NONCE, "--out", evidence.toString());
            return stack.command(
                                    Stack.FLEET,
                                    "verify",
                                    evidence.toString(),
                                    "--nonce",
                                    NONCE,
                                    "--policy",
                                    stack.dir.resolve("policy.json").toString())
                            .status()
                    == 1;
        });
        assertThat(verify(evidence, NONCE, asked, 1).path("status").asText()).isIn("none", "warning");
    }
}
