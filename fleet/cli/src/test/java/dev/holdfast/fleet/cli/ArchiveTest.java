package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.ArchivedCase;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.DeviceMemory;
import dev.holdfast.attestation.verify.DeviceTime;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.SeenReferences;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.fleet.attest.KeptArchives;
import dev.holdfast.fleet.attest.SignedArchive;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** An archive gives its verdict again, by itself, whatever became of the fleet since. */
class ArchiveTest extends VerifyFixture {
    private static final String POLICY = """
            {"format":1, "id":"audit", "minAssurance":"software", "freshnessSeconds":60, "models":{"chat":{"minEpoch":5}},
             "minEpoch":1}
            """;

    private AppraisalPolicy policy() throws Exception {
        return AppraisalPolicy.parse(POLICY.getBytes(StandardCharsets.UTF_8)).orThrow();
    }

    private EnrolledDevice record() throws Exception {
        return new DeviceRecords(directory).read("cam-7");
    }

    /** What fleet attest does once it has the evidence. */
    private byte[] archive(Path evidence) throws Exception {
        byte[] bytes = Files.readAllBytes(evidence);
        EnrolledDevice device = record();
        Binary nonce = Binary.fromHex(NONCE).orThrow();
        var question = new EvidenceVerifier.Question(
                nonce,
                Optional.of(Duration.ofNanos(59_999_999_999L)),
                new EvidenceVerifier.Asked.After(device.memory().newest()));
        SeenReferences references = new SeenReferences(repository.references());
        AttestationResult result = new AttestationResult(
                EvidenceVerifier.verify(bytes, question, device, references, policy()),
                "cam-7",
                nonce,
                Sha256.of(bytes),
                Instant.parse("2026-06-01T00:00:00Z"));
        return SignedArchive.write(
                ArchivedCase.of(bytes, question, device, references, result), VerifierKey.open(directory));
    }

    /** On a machine that has no fleet. */
    private int elsewhere(Path archive, String... more) {
        List<String> all = new ArrayList<>(List.of("verify", "--archive", archive.toString()));
        all.addAll(List.of("--dir", dir.resolve("nowhere").toString()));
        all.addAll(List.of(more));
        return run(all);
    }

    private int run(List<String> arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int status = FleetCommand.run(
                new PrintWriter(out, true), new PrintWriter(err, true), arguments.toArray(new String[0]));
        output = out.toString();
        errors = err.toString();
        return status;
    }

    /** Later looks: the counters rise, and with them what evidence is held against. */
    private void tenMoreChallenges() throws Exception {
        DeviceMemory later = new DeviceMemory(
                new DeviceTime(17, 5),
                Optional.of(Instant.parse("2026-07-01T00:00:00Z")),
                new TreeMap<>(Map.of("chat", new DeviceMemory.Floor(9, new DeviceTime(16, 0)))));
        Files.write(directory.device("cam-7"), Json.write(record().with(later).toJson()));
    }

    private static void erase(Path folder) throws Exception {
        try (var files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    @Test
    void theVerdictIsTheSameAfterTheFleetWentOnAndOnAMachineWithoutIt() throws Exception {
        Path evidence = evidence(publish("chat", "2.0.0", Json.object(), Optional.of(5L)));
        Path archive = Files.write(dir.resolve("cam-7.json"), archive(evidence));
        assertThat(elsewhere(archive, "--json")).as(errors).isZero();
        JsonNode then = json();
        assertThat(then.path("status").asText()).isEqualTo("affirming");
        assertThat(then.path("iat").asLong())
                .isEqualTo(Instant.parse("2026-06-01T00:00:00Z").getEpochSecond());

        tenMoreChallenges();
        assertThat(run(List.of(
                        "verify",
                        evidence.toString(),
                        "--nonce",
                        NONCE,
                        "--dir",
                        directory.root().toString())))
                .as("the evidence alone is an old one now")
                .isEqualTo(1);
        assertThat(run(List.of(
                        "root",
                        "draft",
                        "--dir",
                        directory.root().toString(),
                        dir.resolve("next").toString(),
                        "--rotate",
                        "targets")))
                .as(errors)
                .isZero();
        assertThat(elsewhere(archive, "--json")).as(errors).isZero();
        assertThat(json()).isEqualTo(then);
        erase(directory.root());
        assertThat(elsewhere(archive, "--json")).as(errors).isZero();
        assertThat(json()).isEqualTo(then);
    }

    @Test
    void whoseArchiveItIsIsSaidAndCanBeAskedFor() throws Exception {
        Path archive = Files.write(
                dir.resolve("cam-7.json"), archive(evidence(publish("chat", "2.0.0", Json.object(), Optional.of(5L)))));
        assertThat(run(List.of("verifier", "--dir", directory.root().toString(), "--json")))
                .isZero();
        String id = json().path("verifier").asText();
        assertThat(id).hasSize(64);

        assertThat(elsewhere(archive)).isZero();
        assertThat(errors).contains(id).contains("nobody vouched for");
        assertThat(elsewhere(archive)).isZero();
        assertThat(output).contains("NOT CHECKED", "fleet verifier", "--verifier");
        assertThat(elsewhere(archive, "--verifier", id, "--json")).isZero();
        assertThat(errors).doesNotContain("nobody vouched for");
        assertThat(json().at("/archive/anchored").asBoolean()).isTrue();
        assertThat(json().at("/archive/recorded").asText()).isEqualTo("affirming");
        assertThat(run(List.of(
                        "verify",
                        "--archive",
                        archive.toString(),
                        "--dir",
                        directory.root().toString(),
                        "--json")))
                .isZero();
        assertThat(json().at("/archive/anchored").asBoolean())
                .as("the fleet knows its own")
                .isTrue();

        FleetDirectory other = new FleetDirectory(dir.resolve("other"));
        assertThat(run(List.of(
                        "init", "--dir", other.root().toString(), "--name", "o", "--broker", "tcp://127.0.0.1:1")))
                .isZero();
        String stranger = VerifierKey.open(other).publicHalf().id().hex();
        assertThat(elsewhere(archive, "--verifier", stranger)).isEqualTo(1);
        assertThat(errors).startsWith("ATT-ARCHIVE").contains("expected an archive by verifier " + stranger);
        assertThat(output).as("no verdict of a stranger's archive").isEmpty();
    }

    @Test
    void anotherPolicyCanBeAskedOfThen() throws Exception {
        Path archive = Files.write(
                dir.resolve("cam-7.json"), archive(evidence(publish("chat", "2.0.0", Json.object(), Optional.of(5L)))));
        assertThat(elsewhere(archive, "--min-assurance", "firmware", "--json")).isEqualTo(1);
        assertThat(errors).startsWith("ATT-ASSURANCE: expected at least firmware");
        assertThat(json().at("/archive/recorded").asText()).isEqualTo("affirming");
    }

    @Test
    void whatTheArchiveHoldsIsNotNamedBesideIt() throws Exception {
        Path archive = Files.writeString(dir.resolve("cam-7.json"), "{}");
        assertThat(elsewhere(archive, "--nonce", NONCE)).isEqualTo(2);
        assertThat(run(List.of("verify", "--nonce", NONCE))).isEqualTo(2);
        assertThat(run(List.of("verify", archive.toString(), "--nonce", NONCE, "--verifier", "00")))
                .isEqualTo(2);
        assertThat(elsewhere(archive)).isEqualTo(1);
        assertThat(errors).startsWith("ATT-ARCHIVE: " + archive);
    }

    @Test
    void aSignedResultIsWrittenWhereItIsAskedFor() throws Exception {
        ModelTarget chat = publish("chat", "2.0.0", Json.object(), Optional.of(5L));
        Path jwt = dir.resolve("result.jwt");
        Path cwt = dir.resolve("result.cwt");
        assertThat(verify(evidence(chat), "--ear", jwt.toString(), "--ear-cwt", cwt.toString()))
                .as(errors)
                .isZero();
        assertThat(Files.readString(jwt).strip().split("\\.")).hasSize(3);
        assertThat(Files.readAllBytes(cwt)[0]).as("COSE_Sign1").isEqualTo((byte) 0xd2);
    }

    @Test
    void theFleetKeepsThoseOfEachDeviceForAsLongAsItSays() throws Exception {
        byte[] archive = archive(evidence(publish("chat", "2.0.0", Json.object(), Optional.of(5L))));
        KeptArchives kept = new KeptArchives(directory);
        assertThat(run(List.of(
                        "settings",
                        "--keep-archives",
                        "P10D",
                        "--dir",
                        directory.root().toString())))
                .as(errors)
                .isZero();
        Instant first = Instant.parse("2026-06-01T00:00:00Z");
        for (int day = 0; day < 20; day++) {
            kept.keep("cam-7", first.plus(Duration.ofDays(day)), archive);
        }
        kept.keep("cam-8", first, archive);
        assertThat(kept.of("cam-7")).hasSize(11);
        assertThat(kept.of("cam-7").get(0).getFileName().toString()).startsWith("20260610T000000.000Z-");
        assertThat(kept.of("cam-8")).hasSize(1);
        assertThat(elsewhere(kept.of("cam-7").get(10))).as(errors).isZero();
        kept.keep("cam-7", Instant.parse("2099-01-01T00:00:00Z"), archive);
        assertThat(kept.of("cam-7")).as("a clock that jumped costs a few").hasSize(8);
        Files.writeString(kept.of("cam-7").get(0).resolveSibling("notes.json"), "of somebody");
        assertThat(kept.of("cam-7")).hasSize(8);
    }
}
