package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.SampleRelease;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is ordered and what is listed, as an operator types and reads it. */
class DesireCommandTest {
    @TempDir
    Path dir;

    private FleetDirectory directory;
    private String output = "";
    private String errors = "";

    @BeforeEach
    void publish() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        FleetRepository repository = new FleetRepository(directory, Clock.systemUTC());
        repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        for (String model : List.of("chat", "embed", "rank")) {
            publish(repository, model, "1.0.0");
        }
    }

    private void publish(FleetRepository repository, String model, String version) throws Exception {
        SampleRelease.sign(repository, model, version, new byte[100]);
    }

    private int run(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> all = new ArrayList<>(List.of(args));
        all.add(1, "--dir");
        all.add(2, directory.root().toString());
        int code = FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), all.toArray(new String[0]));
        output = out.toString();
        errors = err.toString();
        return code;
    }

    private int desire(String... args) {
        List<String> all = new ArrayList<>(List.of("desire", "--no-hint", "cam-7"));
        all.addAll(List.of(args));
        return run(all.toArray(new String[0]));
    }

    private JsonNode json() throws Exception {
        return Json.read(output.getBytes(StandardCharsets.UTF_8), 1 << 20).orThrow();
    }

    @Test
    void everyChangeTellsTheWholeSet() {
        assertThat(desire("chat", "1.0.0")).as(errors).isZero();
        assertThat(output).isEqualTo("desired of cam-7: chat 1.0.0 (default); order 1\n");
        assertThat(desire("embed", "1.0.0", "--default")).isZero();
        assertThat(output).isEqualTo("desired of cam-7: chat 1.0.0, embed 1.0.0 (default); order 2\n");
        assertThat(desire("--remove", "embed")).isZero();
        assertThat(output).isEqualTo("desired of cam-7: chat 1.0.0 (default); order 3\n");
        assertThat(desire("--remove", "chat")).isZero();
        assertThat(output).isEqualTo("desired of cam-7: no model, so that it retires all; order 4\n");
    }

    @Test
    void theSetIsJsonForPrograms() throws Exception {
        desire("chat", "1.0.0");
        assertThat(desire("embed", "1.0.0", "--rollout", "r1", "--spread", "PT4H", "--json"))
                .as(errors)
                .isZero();
        assertThat(json().path("device").asText()).isEqualTo("cam-7");
        assertThat(json().path("counter").asLong()).isEqualTo(2);
        assertThat(json().path("default").asText()).isEqualTo("chat");
        assertThat(json().at("/models/chat/version").asText()).isEqualTo("1.0.0");
        assertThat(json().at("/models/chat").has("rollout")).isFalse();
        assertThat(json().at("/models/embed/rollout/spreadSeconds").asLong()).isEqualTo(14_400);
    }

    @Test
    void anotherModelOfTheDeviceGuesses() throws Exception {
        desire("chat", "1.0.0");
        assertThat(desire("chat", "1.0.0", "--draft", "rank")).isNotZero();
        assertThat(errors).contains("CFG-INVALID").contains("another model that is desired of the device");
        assertThat(desire("chat", "1.0.0", "--draft", "chat")).isNotZero();
        desire("rank", "1.0.0");
        assertThat(desire("chat", "1.0.0", "--draft", "rank")).as(errors).isZero();
        assertThat(output).isEqualTo("desired of cam-7: chat 1.0.0 (default), rank guesses, rank 1.0.0; order 3\n");
        assertThat(desire("chat", "1.0.0", "--json")).isZero();
        assertThat(json().at("/models/chat/draft").asText()).as("as before").isEqualTo("rank");
        assertThat(desire("chat", "1.0.0", "--no-draft", "--draft", "rank")).isNotZero();
        assertThat(desire("chat", "1.0.0", "--no-draft")).isZero();
        assertThat(output).doesNotContain("guesses");
        desire("chat", "1.0.0", "--draft", "rank");
        assertThat(desire("--remove", "rank")).as(errors).isZero();
        assertThat(output).isEqualTo("desired of cam-7: chat 1.0.0 (default); order 7\n");
    }

    @Test
    void theVersionBeforeStaysForAsLongAsIsTyped() throws Exception {
        publish(new FleetRepository(directory, Clock.systemUTC()), "embed", "2.0.0");
        assertThat(desire("embed", "1.0.0", "--grace", "P7D")).isNotZero();
        assertThat(errors).contains("CFG-INVALID").contains("nothing can stay");
        desire("embed", "1.0.0");
        assertThat(desire("embed", "2.0.0", "--grace", "P7D")).as(errors).isZero();
        assertThat(output)
                .matches("desired of cam-7: embed 2\\.0\\.0 \\(default\\), embed@1\\.0\\.0 until \\S+Z; order 2\n");
        assertThat(desire("embed", "2.0.0", "--json")).isZero();
        assertThat(json().at("/models/embed/grace/0/version").asText()).isEqualTo("1.0.0");
        assertThat(json().at("/models/embed/grace/0/until").asLong())
                .isGreaterThan(Clock.systemUTC().instant().getEpochSecond() + 600_000);
        assertThat(desire("embed", "2.0.0", "--grace", "PT0S")).isZero();
        assertThat(output).isEqualTo("desired of cam-7: embed 2.0.0 (default); order 4\n");
        assertThat(desire("--remove", "embed", "--grace", "P7D"))
                .as("nothing of it stays")
                .isNotZero();
    }

    @Test
    void removingTheDefaultOfSeveralSaysWhatToTypeFirst() {
        desire("chat", "1.0.0");
        desire("embed", "1.0.0");
        desire("rank", "1.0.0");
        assertThat(desire("--remove", "chat")).isEqualTo(1);
        assertThat(errors).startsWith("CFG-INVALID").contains("fleet desire cam-7 embed 1.0.0 --default");
        assertThat(desire("--remove", "other")).isEqualTo(1);
        assertThat(errors).startsWith("FLT-ABSENT");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "chat", "chat 1.0.0 --remove chat", "--remove chat --default", "--remove chat --rollout r"})
    void otherLinesAreWrongUsage(String line) {
        assertThat(desire(line.isEmpty() ? new String[0] : line.split(" "))).isEqualTo(2);
        assertThat(errors).startsWith("CFG-INVALID").contains("--remove");
        assertThat(directory.root().resolve("desired")).isEmptyDirectory();
    }

    @Test
    void aDeviceWithADotIsRefusedWithWhatToDo() {
        assertThat(run("desire", "--no-hint", "cam.7", "chat", "1.0.0")).isEqualTo(1);
        assertThat(errors).startsWith("CFG-INVALID: cam.7: ").contains("use cam-7");
    }

    // --- fleet devices ---

    private void enrol() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            DeviceEnrolment mine = new DeviceEnrolment(bridge, "cam-7");
            EnrolmentAuthority.Attempt attempt = EnrolmentAuthority.begin(
                            mine.request(), EnrolmentPolicy.DEFAULT.withSoftware(), Clock.systemUTC())
                    .orThrow();
            byte[] proof = mine.prove(attempt.challenge()).orThrow();
            Files.write(
                    directory.device("cam-7"),
                    Json.write(attempt.complete(proof).orThrow().toJson()));
        }
    }

    @Test
    void allModelsOfADeviceAreListedWithTheLastFailureOfEach() throws Exception {
        enrol();
        desire("chat", "1.0.0");
        Files.writeString(directory.report("cam-7"), """
            {"model":"chat","version":"1.0.0","state":"COMMITTED","models":[
             {"model":"chat","version":"1.0.0","default":true,"state":"COMMITTED","fallback":{"version":"0.9.0"}},
             {"model":"embed","version":"2.0.0","state":"FAILED",
              "lastRejection":{"code":"GATE-CANARY","detail":"2 of 3 failed"}}]}\
            """);
        assertThat(run("devices")).as(errors).isZero();
        assertThat(output.lines())
                .containsExactly(
                        "DEVICE  ASSURANCE  LINK     MODEL  VERSION  STATE      NOTE",
                        "cam-7   software   offline  chat   1.0.0    COMMITTED  default; fallback 0.9.0",
                        "                            embed  2.0.0    FAILED     last failure GATE-CANARY: 2 of 3"
                                + " failed");
        assertThat(run("devices", "--json")).isZero();
        assertThat(json().at("/0/desired/model").asText()).isEqualTo("chat");
        assertThat(json().at("/0/desired/models/chat/version").asText()).isEqualTo("1.0.0");
        assertThat(json().at("/0/report/models").size()).isEqualTo(2);
    }

    @Test
    void aHostileReportSteersNoTerminalAndFillsNoScreen() throws Exception {
        enrol();
        String model = "{\"model\":\"\\u001b[2J\\u009b\\u202e\",\"version\":7,\"state\":{},\"default\":\"yes\","
                + "\"fallback\":[],\"lastRejection\":{\"code\":[],\"detail\":\"" + "x".repeat(5000) + "\\n\"}}";
        Files.writeString(
                directory.report("cam-7"),
                "{\"model\":[1],\"version\":{},\"state\":null,\"models\":[7,null,[],"
                        + String.join(",", java.util.Collections.nCopies(9, model)) + "]}");
        assertThat(run("devices")).as(errors).isZero();
        assertThat(output).doesNotContainPattern("[\\p{Cc}\\p{Cf}&&[^\\n]]");
        assertThat(output.lines().count()).isLessThan(1 + 2 * 16);
        assertThat(output.lines()).allSatisfy(line -> assertThat(line.length()).isLessThan(400));
        for (String models : List.of("{}", "7", "\"text\"", "null")) {
            Files.writeString(directory.report("cam-7"), "{\"models\":" + models + "}");
            assertThat(run("devices")).as(errors).isZero();
            assertThat(output.lines()).hasSize(2);
        }
    }

    @Test
    void aRecordWithADotIsNotPassedOver() throws Exception {
        Files.writeString(directory.device("cam.7"), "{}");
        assertThat(run("devices")).isEqualTo(1);
        assertThat(errors).startsWith("CFG-INVALID: cam.7: ").contains("use cam-7");
    }
}
