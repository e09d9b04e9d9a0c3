package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.LastVerdict;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A device at which nobody looked for too long is seen. */
class VerdictAgeTest extends VerifyFixture {
    private static final Instant NOW = Instant.now();

    private void looked(Instant at, Assurance least) throws Exception {
        byte[] evidence = Files.readAllBytes(dir.resolve("evidence.cbor"));
        Binary nonce = Binary.fromHex(NONCE).orThrow();
        var appraisal = EvidenceVerifier.verify(
                evidence,
                new EvidenceVerifier.Question(nonce, Optional.empty()),
                new DeviceRecords(directory).read("cam-7"),
                repository.references(),
                AppraisalPolicy.atLeast(least));
        LastVerdict.keep(
                directory,
                new AttestationResult(appraisal, "cam-7", nonce, Sha256.of(evidence), at),
                Optional.empty(),
                Optional.empty());
    }

    private int run(String... more) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> all = new ArrayList<>(List.of(more));
        all.addAll(List.of("--dir", directory.root().toString()));
        int status =
                FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), all.toArray(String[]::new));
        output = out.toString();
        errors = err.toString();
        return status;
    }

    private JsonNode list() throws Exception {
        assertThat(run("devices", "--json")).as(errors).isZero();
        return Json.read(output.getBytes(StandardCharsets.UTF_8), 1 << 20)
                .orThrow()
                .path(0);
    }

    @Test
    void theLastLookAndTheNextOneAreListedAndAnOldOneIsAnAlarm() throws Exception {
        evidence(publish("chat", "1.0.0", Json.object(), Optional.of(1L)));
        assertThat(list().has("lastVerdict")).isFalse();
        assertThat(list().path("overdue").asBoolean()).as("nobody ever looked").isTrue();

        looked(NOW.minus(Duration.ofDays(2)), Assurance.SOFTWARE);
        assertThat(list().at("/lastVerdict/status").asText()).isEqualTo("affirming");
        assertThat(Instant.parse(list().path("expectedBy").asText())).isEqualTo(NOW.plus(Duration.ofDays(5)));
        assertThat(list().has("overdue")).isFalse();
        assertThat(run("devices", "--overdue")).as(output).isZero();
        assertThat(run("devices")).isZero();
        assertThat(output).doesNotContain("evidence");

        assertThat(run("settings", "--attest-every", "1d")).as(errors).isZero();
        assertThat(output).contains("every PT24H");
        assertThat(run("settings", "--broker", "tcp://127.0.0.1:2")).isZero();
        assertThat(output).as("another broker changes nothing of that").contains("every PT24H");
        assertThat(list().path("overdue").asBoolean()).isTrue();
        assertThat(run("devices", "--overdue")).isEqualTo(1);
        assertThat(output).contains("cam-7", "the next was expected", "fleet attest cam-7");

        looked(NOW, Assurance.SOFTWARE);
        assertThat(run("devices", "--overdue")).as(output).isZero();
        looked(NOW.minus(Duration.ofDays(9)), Assurance.SOFTWARE);
        assertThat(run("devices", "--overdue"))
                .as("an earlier one changes nothing")
                .isZero();
    }

    @Test
    void aDeviceOfItsOwnIntervalIsOverdueByThat() throws Exception {
        evidence(publish("chat", "1.0.0", Json.object(), Optional.of(1L)));
        looked(NOW.minus(Duration.ofDays(2)), Assurance.SOFTWARE);
        assertThat(run("settings", "--attest-every", "1d", "--of", "cam-7,cam-8"))
                .isNotZero();
        assertThat(errors).contains("cam-8 is not enrolled; nothing was changed");
        assertThat(list().has("overdue")).isFalse();
        assertThat(run("settings", "--attest-every", "1d", "--of", "cam-7"))
                .as(errors)
                .isZero();
        assertThat(output).isEqualTo("cam-7: evidence is expected every PT24H\n");
        assertThat(list().path("overdue").asBoolean()).isTrue();
        assertThat(list().path("attestEverySeconds").asLong()).isEqualTo(86_400);
        assertThat(run("settings", "--json")).isZero();
        assertThat(json().path("attestEverySeconds").asLong())
                .as("of all others")
                .isEqualTo(7 * 86_400);
        assertThat(run("settings", "--of", "cam-7")).as(errors).isZero();
        assertThat(list().has("overdue")).isFalse();
        assertThat(Files.readString(directory.audit()))
                .contains("\"act\":\"attest-every\",\"device\":\"cam-7\",\"attestEverySeconds\":86400");
    }

    @Test
    void aLookThatDidNotAffirmIsAnAlarmAndKeepsWhenItLastDid() throws Exception {
        evidence(publish("chat", "1.0.0", Json.object(), Optional.of(1L)));
        looked(NOW.minus(Duration.ofHours(2)), Assurance.SOFTWARE);
        looked(NOW.minus(Duration.ofHours(1)), Assurance.FIRMWARE);
        assertThat(list().at("/lastVerdict/status").asText()).isEqualTo("contraindicated");
        assertThat(list().at("/lastVerdict/code").asText()).isEqualTo("ATT-ASSURANCE");
        assertThat(Instant.parse(list().at("/lastVerdict/affirmedAt").asText()))
                .isEqualTo(NOW.minus(Duration.ofHours(2)));
        assertThat(run("devices", "--overdue")).isEqualTo(1);
        assertThat(output).contains("contraindicated (ATT-ASSURANCE)");
        new DeviceRecords(directory).forget("cam-7", Clock.systemUTC());
        assertThat(LastVerdict.read(directory, "cam-7")).isEmpty();
    }
}
