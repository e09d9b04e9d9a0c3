package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.ArchivedCase;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.SeenReferences;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.fleet.attest.KeptArchives;
import dev.holdfast.fleet.attest.ServedThen;
import dev.holdfast.fleet.attest.SignedArchive;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What served at a moment is what two looks leave open, and no more. */
class ServedThenTest extends VerifyFixture {
    private static final Instant MONDAY = Instant.parse("2027-03-01T00:00:00Z");
    private static final Instant TUESDAY = MONDAY.plus(Duration.ofDays(1));
    private static final Instant WEDNESDAY = MONDAY.plus(Duration.ofDays(2));
    private static final Instant THURSDAY = MONDAY.plus(Duration.ofDays(3));

    private ModelTarget one;
    private ModelTarget two;

    @BeforeEach
    void releases() throws Exception {
        one = publish("chat", "1.0.0", Json.object(), Optional.of(1L));
        two = publish("chat", "2.0.0", Json.object().put("generation", "mended"), Optional.of(2L));
    }

    private void look(Instant at, VerifierKey key, ModelTarget... serving) throws Exception {
        byte[] evidence = Files.readAllBytes(evidence(serving));
        EnrolledDevice device = new DeviceRecords(directory).read("cam-7");
        Binary nonce = Binary.fromHex(NONCE).orThrow();
        var question = new EvidenceVerifier.Question(nonce, Optional.of(Duration.ofSeconds(1)));
        SeenReferences references = new SeenReferences(repository.references());
        AttestationResult result = new AttestationResult(
                EvidenceVerifier.verify(
                        evidence, question, device, references, AppraisalPolicy.atLeast(Assurance.SOFTWARE)),
                "cam-7",
                nonce,
                Sha256.of(evidence),
                at);
        new KeptArchives(directory)
                .keep(
                        "cam-7",
                        at,
                        SignedArchive.write(ArchivedCase.of(evidence, question, device, references, result), key));
    }

    private void look(Instant at, ModelTarget... serving) throws Exception {
        look(at, VerifierKey.open(directory), serving);
    }

    private ServedThen at(Instant moment) throws Exception {
        return ServedThen.of(directory, "cam-7", moment);
    }

    private int run(String moment, String... more) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> all = new ArrayList<>(List.of(
                "attest", "cam-7", "--at", moment, "--dir", directory.root().toString()));
        all.addAll(List.of(more));
        int status =
                FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), all.toArray(String[]::new));
        output = out.toString();
        errors = err.toString();
        return status;
    }

    @Test
    void twoLooksOfOneBootWithoutAnEventBetweenProveWhatServed() throws Exception {
        look(MONDAY, one);
        look(WEDNESDAY, one);
        ServedThen then = at(TUESDAY);
        assertThat(then.sets()).containsExactly(List.of("chat@1.0.0"));
        assertThat(run("2027-03-02T10:00Z")).as(errors + output).isZero();
        assertThat(output).contains("chat@1.0.0", "proved: no model changed");
        assertThat(run("2027-03-02T11:00:00+01:00", "--json")).isZero();
        JsonNode json = json();
        assertThat(json.path("proved").asBoolean()).isTrue();
        assertThat(json.at("/served/0/0").asText()).isEqualTo("chat@1.0.0");
        assertThat(json.at("/before/at").asText()).isEqualTo(MONDAY.toString());
    }

    @Test
    void aSwapBetweenTheLooksLeavesTwoSetsInTheirOrder() throws Exception {
        look(MONDAY, one);
        look(WEDNESDAY, two);
        look(THURSDAY, two);
        assertThat(at(TUESDAY).sets()).containsExactly(List.of("chat@1.0.0"), List.of("chat@2.0.0"));
        assertThat(run("2027-03-02T10:00Z")).isEqualTo(1);
        assertThat(output).contains("one of these 2 in this order");
        assertThat(at(WEDNESDAY.plusSeconds(60)).sets()).containsExactly(List.of("chat@2.0.0"));
    }

    @Test
    void nothingIsProvedOutsideTheLooksOrAcrossAReset() throws Exception {
        look(MONDAY, one);
        assertThat(at(TUESDAY).sets()).isEmpty();
        assertThat(at(TUESDAY).says()).contains("nobody looked after");
        assertThat(at(MONDAY.minusSeconds(5)).says()).contains("nobody looked before");
        bridge.close();
        bridge = SoftwareBridge.open(dir.resolve("tee"), "the next boot");
        look(WEDNESDAY, one);
        assertThat(at(TUESDAY).sets()).isEmpty();
        assertThat(at(TUESDAY).says()).contains("the device was reset between the two looks");
        assertThat(run("2027-03-02T10:00Z")).isEqualTo(1);
        look(THURSDAY, one);
        assertThat(at(WEDNESDAY.plusSeconds(60)).isProved()).isTrue();
    }

    @Test
    void anotherVerifiersArchiveInTheFolderIsPassedOver() throws Exception {
        FleetDirectory other = new FleetDirectory(dir.resolve("other"));
        new FleetRepository(other, Clock.systemUTC()).init(new FleetDirectory.Config("o", "tcp://127.0.0.1:1"));
        look(MONDAY, one);
        look(WEDNESDAY, VerifierKey.open(other), one);
        assertThat(at(TUESDAY).after()).isEmpty();
        Files.writeString(new KeptArchives(directory).of("cam-7").get(1), "{}");
        assertThat(at(TUESDAY).sets()).isEmpty();
    }
}
