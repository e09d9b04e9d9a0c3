package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * An archive gives its verdict again whatever became of fleet and device since. One stack for all, in this order: ten more looks,
 * another root, a device that lost its power, and then ten years in which nobody published, so that timestamp, snapshot, targets and root
 * are expired. At last the fleet's folder is gone.
 */
@Tag("full")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class EvidenceKeptTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);

    @TempDir
    static Path dir;

    private static Stack stack;
    private static Path fleet;
    private static Path archive;
    private static String verifier;
    private static JsonNode then;

    @BeforeAll
    static void start() throws Exception {
        stack = Stack.prepare(dir.resolve("s"), true);
        fleet = stack.dir.resolve("fleet");
        archive = stack.dir.resolve("kept.json");
        stack.startBroker();
        stack.startFleet();
        stack.startInference();
        stack.startAgent();
        stack.desire("1.0.0");
        stack.awaitCommitted("1.0.0");
        Path ear = stack.dir.resolve("result.jwt");
        Tools.until(
                LIMIT,
                "an affirming device",
                () -> attest("--archive", archive.toString(), "--ear", ear.toString())
                                .status()
                        == 0);
        assertThat(Files.readString(ear).strip().split("\\.")).hasSize(3);
        verifier = json(stack.fleet("verifier", "--json")).path("verifier").asText();
        then = again();
        assertThat(then.at("/status").asText()).isEqualTo("affirming");
        assertThat(then.at("/claims/model/version").asText()).isEqualTo("1.0.0");
        System.out.println(
                "one archive: " + Files.size(archive) + " bytes, of it evidence: " + evidence(archive).length);
    }

    @AfterAll
    static void stop() {
        if (stack != null) {
            stack.close();
        }
    }

    private static Tools.Ran attest(String... more) throws Exception {
        List<String> line = new ArrayList<>(List.of("attest", "--dir", fleet.toString()));
        line.addAll(List.of("--min-assurance", "emulated", "--timeout", "10"));
        line.addAll(List.of(more));
        line.add("device-1");
        return stack.command(Stack.FLEET, line.toArray(String[]::new));
    }

    /** What fleet verify says in a folder without a fleet. */
    private static Tools.Ran verify(Path file, String id) throws Exception {
        Path elsewhere = Files.createDirectories(stack.dir.resolve("auditor"));
        Path copy = Files.copy(file, elsewhere.resolve("cam.json"), StandardCopyOption.REPLACE_EXISTING);
        String nowhere = elsewhere.resolve("none").toString();
        return stack.command(
                Stack.FLEET, "verify", "--archive", copy.toString(), "--dir", nowhere, "--verifier", id, "--json");
    }

    private static JsonNode again() throws Exception {
        Tools.Ran ran = verify(archive, verifier);
        assertThat(ran.status()).as(ran.out() + ran.err()).isZero();
        return json(ran.out());
    }

    private static JsonNode json(String text) throws Exception {
        return Json.read(text.getBytes(StandardCharsets.UTF_8), 1 << 20).orThrow();
    }

    private static byte[] evidence(Path file) throws Exception {
        String text = json(Files.readString(file)).at("/signed/case/evidence").asText();
        return Base64.getDecoder().decode(text);
    }

    private static long resets() throws Exception {
        return json(Files.readString(fleet.resolve("devices/device-1.json")))
                .path("lastResetCount")
                .asLong();
    }

    private static void fleetOk(String... arguments) throws Exception {
        Tools.Ran ran = stack.command(Stack.FLEET, arguments);
        assertThat(ran.status()).as(ran.out() + ran.err()).isZero();
    }

    @Test
    @Order(1)
    void afterTenMoreLooks() throws Exception {
        for (int i = 0; i < 10; i++) {
            Tools.Ran ran = attest();
            assertThat(ran.status()).as(ran.out() + ran.err()).isZero();
        }
        assertThat(again()).isEqualTo(then);
        try (var kept = Files.list(fleet.resolve("archive/device-1"))) {
            assertThat(kept.count()).isGreaterThanOrEqualTo(11L);
        }
        assertThat(stack.fleet("devices", "--json")).contains("lastVerdict", "expectedBy");
    }

    @Test
    @Order(2)
    void afterAnotherRoot() throws Exception {
        String draft = stack.dir.resolve("next-root.json").toString();
        fleetOk("root", "draft", "--dir", fleet.toString(), draft, "--rotate", "snapshot");
        fleetOk("root", "sign", "--keys", fleet.resolve("keys").toString(), draft);
        fleetOk("root", "publish", "--dir", fleet.toString(), draft);
        assertThat(fleet.resolve("metadata/2.root.json")).exists();
        assertThat(again()).isEqualTo(then);
    }

    /** Its log begins anew, its clock starts at zero, and the evidence of before is older than what was seen since. */
    @Test
    @Order(3)
    void afterTheDeviceLostItsPower() throws Exception {
        long before = resets();
        stack.powerCut();
        stack.awaitServing("1.0.0");
        Path later = stack.dir.resolve("later.json");
        Tools.until(
                LIMIT,
                "an affirming device after the power cut",
                () -> attest("--archive", later.toString()).status() == 0);
        assertThat(resets()).isGreaterThan(before);
        Tools.Ran ran = verify(later, verifier);
        assertThat(ran.status()).as(ran.out() + ran.err()).isZero();
        assertThat(json(ran.out()).at("/claims/model/version").asText()).isEqualTo("1.0.0");
        assertThat(again()).isEqualTo(then);

        Path alone = Files.write(stack.dir.resolve("alone.cbor"), evidence(archive));
        String nonce = json(Files.readString(archive)).at("/signed/case/nonce").asText();
        Tools.Ran old = stack.command(
                Stack.FLEET,
                "verify",
                alone.toString(),
                "--nonce",
                nonce,
                "--dir",
                fleet.toString(),
                "--min-assurance",
                "emulated");
        assertThat(old.out() + old.err()).as("the evidence without its archive").contains("ATT-CLOCK");
    }

    @Test
    @Order(4)
    void afterAllSignaturesOfTheFleetExpiredAndItsFolderIsGone() throws Exception {
        stack.clock(Duration.ofDays(3653));
        Tools.Ran dates = stack.command(Stack.FLEET, "root", "status", "--dir", fleet.toString());
        assertThat(dates.status()).as(dates.out() + dates.err()).isEqualTo(1);
        assertThat(dates.out()).containsPattern("timestamp .*SIGN AGAIN");
        assertThat(again()).isEqualTo(then);
        stack.stop("fleet");
        Files.move(fleet, stack.dir.resolve("gone"));
        assertThat(again()).isEqualTo(then);
        stack.clock(Duration.ZERO);
        assertThat(again()).isEqualTo(then);
    }

    @Test
    @Order(5)
    void andNotWhenItWasChangedOrIsOfAnotherVerifier() throws Exception {
        Tools.Ran other = verify(archive, "0".repeat(64));
        assertThat(other.status()).isNotZero();
        assertThat(other.out() + other.err()).contains("ATT-ARCHIVE");
        String text = Files.readString(archive);
        Path changed = Files.writeString(
                stack.dir.resolve("changed.json"),
                text.replace("\"minAssurance\":\"emulated\"", "\"minAssurance\":\"software\""));
        assertThat(Files.readString(changed)).isNotEqualTo(text);
        Tools.Ran ran = verify(changed, verifier);
        assertThat(ran.status()).isNotZero();
        assertThat(ran.out() + ran.err()).contains("ATT-ARCHIVE");
    }
}
