package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A device that is enrolled and serves, and an attacker with root: the device signs whatever they like. */
abstract class EvidenceFixture {
    @TempDir
    Path temp;

    TeeBridge bridge;
    EventLog log;
    Attester attester;
    EnrolledDevice device;

    abstract TeeBridge openBridge() throws Exception;

    abstract Assurance assurance();

    /** The register that the bridge measures into. */
    TpmRegister measured() {
        return TpmRegister.DEFAULT;
    }

    @BeforeEach
    void enrolAndServe() throws Exception {
        bridge = openBridge();
        log = EventLog.open(temp.resolve("log"), bridge.register().orElseThrow());
        attester = new Attester(bridge, log, Models.around(Models.as(log)));
        device = enrol(bridge);
        log.agentStarted("holdfast", "0.1.0");
        swap(Models.V1);
    }

    @AfterEach
    void close() throws Exception {
        if (log != null) {
            log.close();
        }
        if (bridge != null) {
            bridge.close();
        }
    }

    static EnrolledDevice enrol(TeeBridge bridge) throws Exception {
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        EnrolmentAuthority.Attempt attempt = Models.accepted(Models.begin(mine.request()));
        return Models.accepted(attempt.complete(Models.accepted(mine.prove(attempt.challenge()))));
    }

    void swap(ModelEvent event) throws Exception {
        log.beforeServe(event);
        log.afterServe(event.model());
    }

    Appraisal appraise(byte[] evidence) {
        return EvidenceVerifier.verify(
                evidence,
                Models.question(),
                device,
                Models.PUBLISHED,
                AppraisalPolicy.atLeast(assurance()).withRegister(measured()));
    }

    void assertRefused(byte[] evidence, Code code) {
        Appraisal appraisal = appraise(evidence);
        assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(appraisal.checks())
                .as(appraisal.toJson(Instant.EPOCH).toString())
                .anySatisfy(check -> {
                    assertThat(check.passed()).isFalse();
                    assertThat(check.code()).contains(code);
                });
    }

    abstract TeeBridge reboot() throws Exception;

    /** Changes the log that goes with a genuine quote, and signs the result with the device's own key. */
    byte[] withLog(byte[] evidence, UnaryOperator<List<Binary>> change) throws Exception {
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(evidence));
        TpmEvidence tpm = message.tpm();
        return signed(message.claims(), quoteOf(tpm), change.apply(new ArrayList<>(tpm.log())));
    }

    static Quoter.Quote quoteOf(TpmEvidence tpm) {
        return new Quoter.Quote(tpm.attest(), tpm.signature(), tpm.registers(), tpm.nv());
    }

    byte[] signed(EvidenceClaims claims, Quoter.Quote quote, List<Binary> events) throws Exception {
        TpmEvidence tpm = TpmEvidence.of(quote, events, Optional.empty(), Optional.empty());
        return signed(claims.entries().put(EvidenceClaims.SUBMODS, tpm.encode()).build());
    }

    byte[] signed(Cbor claims) throws Exception {
        Binary payload = Binary.copyOf(CborWriter.write(claims));
        Binary header = Cose.protectedHeader(
                P256.thumbprint(bridge.signer().orElseThrow().publicKey()));
        return Cose.encode(header, payload, bridge.signer().orElseThrow().sign(Cose.toBeSigned(header, payload)));
    }

    /** Claims that the one model in service has these bytes. */
    EvidenceClaims claims(Sha256 model, boolean resettable) throws Exception {
        return claims(
                log.serving().values().stream()
                        .map(event -> new Measured(Models.withDigest(event, model), Serving.CONFIRMED))
                        .toList(),
                resettable);
    }

    EvidenceClaims claims(List<Measured> models, boolean resettable) throws Exception {
        return claims(bridge.register().orElseThrow().index(), models, resettable);
    }

    EvidenceClaims claims(int register, List<Measured> models, boolean resettable) throws Exception {
        return new EvidenceClaims(
                Models.NONCE,
                P256.thumbprint(bridge.signer().orElseThrow().publicKey()),
                bridge.register().orElseThrow().resetCount(),
                "holdfast",
                "0.1.0",
                Assurance.HARDWARE,
                register,
                resettable,
                models,
                new TreeMap<>(),
                Optional.empty(),
                Map.of(),
                Map.of());
    }

    AppraisalPolicy policy(String more) {
        String json = "{\"format\":1, \"minAssurance\":\"" + assurance() + "\", " + more + "}";
        return Models.accepted(AppraisalPolicy.parse(json.getBytes(StandardCharsets.UTF_8)))
                .withRegister(measured());
    }

    Appraisal appraise(byte[] evidence, AppraisalPolicy policy) {
        return EvidenceVerifier.verify(evidence, Models.question(), device, Models.PUBLISHED, policy);
    }

    Appraisal withReferences(byte[] evidence, ReferenceModels references) {
        return EvidenceVerifier.verify(
                evidence,
                Models.question(),
                device,
                references,
                AppraisalPolicy.atLeast(assurance()).withRegister(measured()));
    }
}
