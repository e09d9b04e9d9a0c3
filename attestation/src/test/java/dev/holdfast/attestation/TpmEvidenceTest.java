package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.Tpm2Options;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.tee.tpm.TpmTools;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TpmEvidenceTest extends EvidenceContract {
    private @Nullable Swtpm swtpm;

    private Swtpm swtpm() {
        return Objects.requireNonNull(swtpm);
    }

    @Override
    TeeBridge openBridge() throws Exception {
        swtpm = Swtpm.start(temp);
        return Tpm2Bridge.open(swtpm().address());
    }

    @Override
    TeeBridge reboot() throws Exception {
        swtpm().powerCut();
        return Tpm2Bridge.open(swtpm().address());
    }

    @Override
    Assurance assurance() {
        return Assurance.EMULATED;
    }

    @AfterEach
    void stop() {
        if (swtpm != null) {
            swtpm.close();
        }
    }

    @Test
    void rejectsALogFromBeforeTheTpmWasReset() throws Exception {
        swtpm().powerCut();
        Attester blind = new Attester(bridge, log, Models.around(() -> {
            throw new IOException("the inference process hangs");
        }));
        assertRefused(blind.attest(Models.NONCE), Code.ATT_LOG);
    }

    @Test
    void measuresWhatServesAgainAfterTheTpmWasReset() throws Exception {
        swtpm().powerCut();
        assertThat(appraise(attester.attest(Models.NONCE)).isAffirming()).isTrue();
    }

    /** 16 and 23 are the only ones that software resets; the model's register stands. */
    @Test
    void theModelsRegisterCannotBeReset() throws Exception {
        Swtpm.require("tpm2_pcrreset");
        bridge.close();
        String tcti = "swtpm:path=" + ((dev.holdfast.tee.tpm.TpmAddress.Unix) swtpm().address()).path();
        Path out = temp.resolve("reset.log");
        assertThat(Swtpm.run(out, "tpm2_pcrreset", "-T", tcti, "14")).isNotZero();
        assertThat(Swtpm.run(out, "tpm2_pcrreset", "-T", tcti, "23")).isZero();
        bridge = Tpm2Bridge.open(swtpm().address());
        log.close();
        log = EventLog.open(temp.resolve("log"), bridge.register().orElseThrow());
        attester = new Attester(bridge, log, Models.around(Models.as(log)));
        assertThat(appraise(attester.attest(Models.NONCE)).isAffirming()).isTrue();
    }

    @Test
    void rejectsTheQuoteOfAnotherTpm() throws Exception {
        try (Swtpm other = Swtpm.start(temp.resolve("other"));
                TeeBridge thief = Tpm2Bridge.open(other.address());
                EventLog stolen =
                        EventLog.open(temp.resolve("stolen"), thief.register().orElseThrow())) {
            stolen.ensureServing(List.of(Models.V1));
            EvidenceClaims claims = claims(Models.V1.digest(), false);
            Quoter.Quote quote = thief.quoter().orElseThrow().quote(claims.qualifyingData());
            assertRefused(signed(claims, quote, stolen.contents()), Code.ATT_QUOTE);
        }
    }

    @Test
    void rejectsARegisterThatSoftwareCanReset() throws Exception {
        log.close();
        bridge.close();
        bridge = Tpm2Bridge.open(swtpm().address(), new Tpm2Options(new TpmRegister.Pcr(23), Duration.ofSeconds(10)));
        log = EventLog.open(temp.resolve("log23"), bridge.register().orElseThrow());
        attester = new Attester(bridge, log, Models.around(Models.as(log)));
        swap(Models.V1);
        byte[] evidence = attester.attest(Models.NONCE);
        assertRefused(evidence, Code.ATT_ASSURANCE);
        EvidenceClaims denial = claims(Models.V1.digest(), false); // says that nothing can reset PCR 23
        assertRefused(
                signed(denial, bridge.quoter().orElseThrow().quote(denial.qualifyingData()), log.contents()),
                Code.ATT_ASSURANCE);
        AppraisalPolicy lenient = Models.accepted(AppraisalPolicy.parse("""
                {"format":1, "minAssurance":"emulated", "register":23, "allowResettableRegister":true}
                """.getBytes(StandardCharsets.UTF_8)));
        assertThat(EvidenceVerifier.verify(evidence, Models.question(), device, Models.PUBLISHED, lenient)
                        .status())
                .isEqualTo(Status.WARNING);
    }

    /** The register that the policy asks for leads to the log: only what the device says of itself is not so. */
    @Test
    void rejectsADeviceThatSaysItMeasuresIntoAnotherRegister() throws Exception {
        List<EvidenceClaims.Measured> models = Models.accepted(EvidenceVerifier.open(attester.attest(Models.NONCE)))
                .claims()
                .models();
        for (int register : new int[] {measured().index(), 15}) {
            EvidenceClaims claims = claims(register, models, false);
            byte[] evidence =
                    signed(claims, bridge.quoter().orElseThrow().quote(claims.qualifyingData()), log.contents());
            assertThat(appraise(evidence).checks().stream()
                            .filter(check -> !check.passed())
                            .map(Appraisal.Check::name))
                    .containsExactlyElementsOf(register == 15 ? List.of("register") : List.of());
        }
    }

    @Test
    void tpm2CheckquoteReadsWhatWeExport() throws Exception {
        Path out = temp.resolve("out");
        Models.accepted(TpmQuoteFiles.write(
                out,
                attester.attest(Models.NONCE),
                bridge.quoter().orElseThrow().attestationKey()));
        String qualifying =
                java.nio.file.Files.readString(out.resolve("qualifying.hex")).strip();
        assertThat(checkquote(out, qualifying)).isZero();
        assertThat(checkquote(out, Models.hash("another").hex())).isNotZero();
        java.nio.file.Files.write(out.resolve("quote.pcrs"), new byte[32]);
        assertThat(checkquote(out, qualifying)).isNotZero();
    }

    private int checkquote(Path out, String qualifying) throws Exception {
        return TpmTools.checkquote(temp.resolve("checkquote.log"), out, qualifying);
    }

    @Test
    void measuresItsOwnSpeed() throws Exception {
        Speed.bareQuote(bridge);
        Speed.report("swtpm", attester, this::appraise);
    }
}
