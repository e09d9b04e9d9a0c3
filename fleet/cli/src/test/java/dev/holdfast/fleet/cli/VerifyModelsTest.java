package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.DeviceMemory;
import dev.holdfast.attestation.verify.DeviceTime;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** The verifying command judges all models that a device runs, each by what was signed of its release. */
class VerifyModelsTest extends VerifyFixture {
    private static final ObjectNode MENDED = Json.object().put("generation", "mended");

    @Test
    void evidenceOfAFileIsRefusedUnlessSomebodyAsksForThatLittle() throws Exception {
        Path evidence = evidence(publish("chat", "1.0.0", Json.object(), Optional.of(1L)));
        assertThat(verify(evidence, "--min-assurance", "firmware", "--json")).isEqualTo(1);
        assertThat(errors).startsWith("ATT-ASSURANCE: expected at least firmware, enrolment granted software");
        JsonNode refused = json();
        assertThat(refused.path("status").asText()).isEqualTo("contraindicated");
        List<String> plain = List.of(
                "verify",
                evidence.toString(),
                "--nonce",
                NONCE,
                "--dir",
                directory.root().toString());
        StringWriter err = new StringWriter();
        assertThat(FleetCommand.run(
                        new PrintWriter(new StringWriter()), new PrintWriter(err, true), plain.toArray(String[]::new)))
                .as("firmware is the default")
                .isEqualTo(1);
        assertThat(err.toString()).isEqualTo(errors);

        assertThat(verify(evidence, "--min-assurance", "software", "--json"))
                .as(errors)
                .isZero();
        JsonNode affirming = json();
        assertThat(affirming
                        .at("/submods/holdfast/ear.trustworthiness-vector/hardware")
                        .asInt(-9))
                .as("nobody saw hardware")
                .isZero();
        assertThat(affirming
                        .at("/submods/holdfast/ear.trustworthiness-vector/instance-identity")
                        .asInt(-9))
                .isZero();
        assertThat(verify(evidence, "--min-assurance", "software")).isZero();
        assertThat(output).contains("software at least").contains("ties the evidence to no one machine");
    }

    @Test
    void everyModelIsPrintedWithItsStateEpochAndSlot() throws Exception {
        ModelTarget chat = publish("chat", "2.0.0", Json.object(), Optional.of(5L));
        ModelTarget embed = publish("embed", "1.0.0", Json.object(), Optional.of(1L));
        Path evidence = evidence(chat, embed);
        assertThat(verify(evidence)).as(output + errors).isZero();
        assertThat(output.lines())
                .containsExactly(
                        "Appraisal",
                        "  device            cam-7",
                        "  status            affirming",
                        "  assurance         software",
                        "  asked for         software at least, which ties the evidence to no one machine",
                        "  compared          with nothing seen before",
                        "",
                        "Model chat",
                        "  model             chat 2.0.0",
                        "  state             confirmed",
                        "  epoch             5",
                        "  digest            sha256:"
                                + chat.file().sha256().hex().substring(0, 16),
                        "  slot              " + serves(chat).slot().hex().substring(0, 16),
                        "",
                        "Model embed",
                        "  model             embed 1.0.0",
                        "  state             confirmed",
                        "  epoch             1",
                        "  digest            sha256:"
                                + embed.file().sha256().hex().substring(0, 16),
                        "  slot              " + serves(embed).slot().hex().substring(0, 16));
        assertThat(verify(evidence, "--json")).isZero();
        assertThat(json().at("/claims/models")).hasSize(2);
        assertThat(json().at("/claims/models/1/slot").asText())
                .isEqualTo(serves(embed).slot().hex());
    }

    @Test
    void theWholeSetIsJudgedWhereModelsAreNamed() throws Exception {
        ModelTarget chat = publish("chat", "2.0.0", Json.object(), Optional.empty());
        ModelTarget embed = publish("embed", "1.0.0", Json.object(), Optional.empty());
        Path evidence = evidence(chat, embed);
        assertThat(verify(evidence, "--model", "chat", "--model", "embed"))
                .as(errors)
                .isZero();
        assertThat(verify(evidence, "--model", "chat"))
                .as("one that serves is not listed")
                .isEqualTo(1);
        assertThat(errors).startsWith("ATT-REFERENCE").contains("embed");
        assertThat(verify(evidence, "--model", "chat", "--model", "embed", "--model", "rank"))
                .as("a listed one is missing")
                .isEqualTo(1);
        assertThat(output).containsPattern("status +warning");
        assertThat(errors).startsWith("ATT-SERVING").contains("rank");
    }

    @Test
    void namesOfModelsAreCheckedAndNotMixedWithAPolicy() throws Exception {
        Path evidence = evidence(publish("chat", "2.0.0", Json.object(), Optional.empty()));
        assertThat(verify(evidence, "--model", "ch@t")).isEqualTo(1);
        assertThat(errors).startsWith("CFG-INVALID").contains("ch@t");
        Path policy = Files.writeString(dir.resolve("policy.json"), "{\"format\":1,\"minAssurance\":\"software\"}");
        assertThat(verify(evidence, "--policy", policy.toString())).as(errors).isZero();
        assertThat(verify(evidence, "--policy", policy.toString(), "--model", "chat"))
                .isEqualTo(1);
        assertThat(errors).startsWith("CFG-INVALID").contains("--model");
    }

    @Test
    void aDeviceOnAnOlderReleaseOfTheSameBytesStaysAffirming() throws Exception {
        ModelTarget old = publish("chat", "2.0.0", Json.object(), Optional.of(1L));
        Path before = evidence(old);
        assertThat(verify(before)).as(errors).isZero();
        ModelTarget mended = publish("chat", "2.0.1", MENDED, Optional.of(1L));
        ModelTarget raised = publish("chat", "2.0.2", MENDED, Optional.of(2L));
        assertThat(mended.file().sha256()).isEqualTo(old.file().sha256());
        assertThat(verify(before)).as(errors).isZero();
        for (ModelTarget next : List.of(mended, raised)) {
            assertThat(verify(evidence(next))).as(errors).isZero();
            assertThat(output)
                    .contains(
                            "chat " + next.version(), serves(next).slot().hex().substring(0, 16));
        }
    }

    @Test
    void anOldTemplateUnderANewReleasesNameIsRefused() throws Exception {
        publish("chat", "2.0.0", Json.object(), Optional.empty());
        ModelTarget mended = publish("chat", "2.0.1", MENDED, Optional.empty());
        ModelTarget lie = new ModelTarget(
                mended.file(),
                mended.blocks(),
                mended.model(),
                mended.version(),
                mended.release(),
                mended.epoch(),
                Json.object(),
                mended.gate(),
                mended.minAgent(),
                0,
                List.of());
        assertThat(verify(evidence(lie))).isEqualTo(1);
        assertThat(errors).startsWith("ATT-REFERENCE").contains("template");
    }

    private void seen(DeviceTime newest, Instant at) throws Exception {
        SortedMap<String, DeviceMemory.Floor> floors =
                new TreeMap<>(Map.of("chat", new DeviceMemory.Floor(3, new DeviceTime(0, 0))));
        EnrolledDevice device = new DeviceRecords(directory).read("cam-7");
        Files.write(
                directory.device("cam-7"),
                Json.write(device.with(new DeviceMemory(newest, Optional.of(at), floors))
                        .toJson()));
    }

    @Test
    void aFloorBelowTheRememberedOneIsRefusedAndTheWordSaysWhatToDo() throws Exception {
        ModelTarget chat = publish("chat", "2.0.0", Json.object(), Optional.of(3L));
        seen(DeviceTime.START, Instant.EPOCH);
        assertThat(verify(evidence(Map.of("chat", 3L), chat))).as(errors).isZero();
        assertThat(output)
                .containsPattern("compared +with boot 0, clock 0 ms, seen 1970-01-01T00:00:00Z; epoch floors chat 3");
        assertThat(verify(evidence(Map.of("chat", 2L), chat))).isEqualTo(1);
        assertThat(output).containsPattern("status +contraindicated");
        assertThat(errors).startsWith("ATT-FLOOR: chat has floor 2, 3 was seen in boot 0");
        assertThat(errors).contains("fleet devices forget");
    }

    /** From an archive: evidence that was made before the fleet saw something newer. */
    @Test
    void evidenceOfAnArchiveIsHeldAgainstWhatWasKnownWhenItWasAskedFor() throws Exception {
        ModelTarget chat = publish("chat", "2.0.0", Json.object(), Optional.of(3L));
        Path old = evidence(Map.of("chat", 3L), chat);
        seen(new DeviceTime(7, 0), Instant.parse("2026-06-01T00:00:00Z"));
        assertThat(verify(old)).isEqualTo(1);
        assertThat(output).containsPattern("status +warning");
        assertThat(errors)
                .startsWith("ATT-CLOCK: boot ")
                .contains("before the newest that was seen, boot 7", "--issued");
        assertThat(verify(old, "--issued", "2026-05-01T00:00:00Z")).as(errors).isZero();
        assertThat(verify(old, "--issued", "2026-06-02T00:00:00Z"))
                .as("asked after boot 7 was seen: the TPM was put back")
                .isEqualTo(1);
        assertThat(output).containsPattern("status +contraindicated");
    }
}
