package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.Tpm2Options;
import dev.holdfast.tee.tpm.TpmAttest;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.tee.tpm.TpmSignature;
import dev.holdfast.tee.tpm.TpmTools;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.security.KeyPair;
import java.security.interfaces.ECPublicKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every attack once more with models measured into an NV index, and those that only such an index invites. */
class NvRegisterEvidenceTest extends EvidenceContract {
    private static final TpmRegister.Nv REGISTER = new TpmRegister.Nv(15);
    private static final String INDEX = "0x18f4806";

    private @Nullable Swtpm swtpm;

    private Swtpm swtpm() {
        return Objects.requireNonNull(swtpm);
    }

    private Tpm2Bridge open() throws TeeException {
        return Tpm2Bridge.open(swtpm().address(), Tpm2Options.DEFAULT.with(REGISTER));
    }

    @Override
    TeeBridge openBridge() throws Exception {
        swtpm = Swtpm.start(temp);
        return open();
    }

    @Override
    TeeBridge reboot() throws Exception {
        swtpm().powerCut();
        return open();
    }

    @Override
    Assurance assurance() {
        return Assurance.EMULATED;
    }

    @Override
    TpmRegister measured() {
        return REGISTER;
    }

    @AfterEach
    void stop() {
        if (swtpm != null) {
            swtpm.close();
        }
    }

    /** Runs tools while the bridge is away, and leaves the bridge as it is after a restart of the agent. */
    private void withTools(String script, int expected) throws Exception {
        bridge.close();
        assertThat(new TpmTools(temp, swtpm()).script(script)).as(script).isEqualTo(expected);
        bridge = open();
    }

    @Test
    void anIndexThatIsRemovedAndDefinedAgainTakesNothingUntilTheTpmIsReset() throws Exception {
        withTools("tpm2_nvundefine -C o " + INDEX, 0);
        assertThat(bridge.register().orElseThrow().read()).isEqualTo(Event.ZERO);
        assertThatThrownBy(() -> bridge.register().orElseThrow().extend(Models.hash("another history")))
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_REFUSED));
        assertThatThrownBy(() -> bridge.quoter().orElseThrow().quote(Models.NONCE))
                .isInstanceOf(TeeException.class);
    }

    /** A policy of the attacker's own lets everything in, but it is part of the name. */
    @Test
    void anIndexWithAnotherPolicyIsRefusedByDeviceAndVerifier() throws Exception {
        byte[] good = attester.attest(Models.NONCE);
        withTools(
                "tpm2_nvundefine -C o " + INDEX + " && tpm2_nvdefine -C o -s 32 -g sha256 -a"
                        + " 'nt=extend|authwrite|authread|ownerread|no_da|orderly|clear_stclear' " + INDEX,
                0);
        assertThatThrownBy(() -> bridge.register().orElseThrow().read())
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_STATE));
        assertThat(appraise(good).isAffirming()).isTrue();
    }

    @Test
    void rejectsAQuoteWithoutTheRegistersCertificate() throws Exception {
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(attester.attest(Models.NONCE)));
        Quoter.Quote whole = quoteOf(message.tpm());
        Quoter.Quote bare = new Quoter.Quote(whole.attest(), whole.signature(), whole.registers());
        assertRefused(signed(message.claims(), bare, message.tpm().log()), Code.ATT_QUOTE);
    }

    @Test
    void rejectsTheRegistersCertificateOfAnEarlierMoment() throws Exception {
        EvidenceVerifier.Message before = Models.accepted(EvidenceVerifier.open(attester.attest(Models.NONCE)));
        swap(Models.V2);
        EvidenceVerifier.Message after = Models.accepted(EvidenceVerifier.open(attester.attest(Models.NONCE)));
        Quoter.Quote fresh = quoteOf(after.tpm());
        Quoter.Quote mixed = new Quoter.Quote(
                fresh.attest(),
                fresh.signature(),
                fresh.registers(),
                before.tpm().nv());
        assertThat(mixed.nv()).isPresent();
        assertRefused(signed(after.claims(), mixed, after.tpm().log()), Code.ATT_QUOTE);
    }

    @Test
    void rejectsAChangedCertificateOfTheRegister() throws Exception {
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(attester.attest(Models.NONCE)));
        Quoter.Quote quote = quoteOf(message.tpm());
        Quoter.Certificate nv = quote.nv().orElseThrow();
        for (int at = 0; at < nv.attest().length(); at++) {
            byte[] changed = nv.attest().toArray();
            changed[at] ^= 1;
            Quoter.Quote forged = new Quoter.Quote(
                    quote.attest(),
                    quote.signature(),
                    quote.registers(),
                    Optional.of(new Quoter.Certificate(Binary.copyOf(changed), nv.signature())));
            assertRefused(signed(message.claims(), forged, message.tpm().log()), Code.ATT_QUOTE);
        }
    }

    /** Whoever has the attestation key says what they like: each thing that the certificate says is wrong alone, and all else is right. */
    @ParameterizedTest
    @ValueSource(strings = {"name", "offset", "data", "reset", "restart", "clock", "signature"})
    void rejectsACertificateOfWhichOneThingIsNotSo(String wrong) throws Exception {
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(attester.attest(Models.NONCE)));
        KeyPair mine = P256.generate();
        device = new EnrolledDevice(
                device.deviceId(),
                device.signer(),
                (ECPublicKey) mine.getPublic(),
                device.endorsement(),
                device.assurance(),
                device.memory(),
                false);
        Quoter.Quote genuine = quoteOf(message.tpm());
        TpmAttest right = TpmAttest.parse(genuine.nv().orElseThrow().attest()).orThrow();
        assertThat(appraise(signed(message, genuine, mine, right, mine)).isAffirming())
                .isTrue();
        TpmAttest quote = TpmAttest.parse(genuine.attest()).orThrow();
        TpmAttest.NvCertified body = (TpmAttest.NvCertified) right.body();
        TpmAttest said = switch (wrong) {
            case "name" ->
                with(
                        right,
                        new TpmAttest.NvCertified(new TpmRegister.Nv(14).name(), 0, body.contents()),
                        right.clockMillis(),
                        right.resetCount(),
                        right.restartCount());
            case "offset" ->
                with(
                        right,
                        new TpmAttest.NvCertified(body.name(), 1, body.contents()),
                        right.clockMillis(),
                        right.resetCount(),
                        right.restartCount());
            case "reset" -> with(right, body, right.clockMillis(), right.resetCount() + 1, right.restartCount());
            case "restart" -> with(right, body, right.clockMillis(), right.resetCount(), right.restartCount() + 1);
            case "clock" -> with(right, body, quote.clockMillis() - 1, right.resetCount(), right.restartCount());
            case "data" ->
                new TpmAttest(
                        right.qualifiedSigner(),
                        Models.hash("other claims").value(),
                        right.clockMillis(),
                        right.resetCount(),
                        right.restartCount(),
                        right.clockSafe(),
                        right.firmwareVersion(),
                        body);
            default -> right;
        };
        KeyPair certifier = wrong.equals("signature") ? P256.generate() : mine;
        assertRefused(signed(message, genuine, mine, said, certifier), Code.ATT_QUOTE);
    }

    private static TpmAttest with(TpmAttest right, TpmAttest.Body body, long clock, long resets, long restarts) {
        return new TpmAttest(
                right.qualifiedSigner(),
                right.extraData(),
                clock,
                resets,
                restarts,
                right.clockSafe(),
                right.firmwareVersion(),
                body);
    }

    private byte[] signed(
            EvidenceVerifier.Message message,
            Quoter.Quote genuine,
            KeyPair quoter,
            TpmAttest certificate,
            KeyPair certifier)
            throws Exception {
        Binary attest = certificate.encode();
        Quoter.Quote quote = new Quoter.Quote(
                genuine.attest(),
                signature(quoter, genuine.attest()),
                genuine.registers(),
                Optional.of(new Quoter.Certificate(attest, signature(certifier, attest))));
        return signed(message.claims(), quote, message.tpm().log());
    }

    private static Binary signature(KeyPair key, Binary attest) {
        return TpmSignature.fromP1363(P256.sign(key.getPrivate(), Sha256.of(attest.toArray())));
    }

    /** Root begins the index with tools and leaves the guard at zero, so that it can be begun anew in the same boot. */
    @Test
    void rejectsAnIndexWhoseGuardIsOpen() throws Exception {
        Binary event = log.contents().get(0);
        log.close();
        bridge.close();
        bridge = reboot();
        assertThat(bridge.register().orElseThrow().read()).isEqualTo(Event.ZERO);
        Files.write(temp.resolve("event"), Sha256.of(event.toArray()).toArray());
        withTools("""
                set -e; cd %s
                tpm2_startauthsession -S s
                tpm2_policynvwritten -S s -L later s
                tpm2_flushcontext s
                tpm2_startauthsession --policy-session -S s
                tpm2_policynvwritten -S s c
                tpm2_policypcr -S s -l sha256:15 -L first
                tpm2_policyor -S s -L either sha256:first,later
                tpm2_nvextend -P session:s -i event %s
                """.formatted(temp, INDEX), 0);
        log = EventLog.open(temp.resolve("fresh"), bridge.register().orElseThrow());
        EvidenceClaims claims = claims(Models.V1.digest(), false);
        Quoter.Quote quote = bridge.quoter().orElseThrow().quote(claims.qualifyingData());
        Appraisal appraisal = appraise(signed(claims, quote, List.of(event)));
        assertThat(appraisal.status()).isEqualTo(Appraisal.Status.CONTRAINDICATED);
        assertThat(appraisal.checks().stream().filter(check -> !check.passed()).map(Appraisal.Check::name))
                .containsExactly("register-guard");
    }

    @Test
    void isNoPcrAndAPcrIsNoIndex() throws Exception {
        byte[] evidence = attester.attest(Models.NONCE);
        for (TpmRegister asked : List.of(new TpmRegister.Pcr(14), new TpmRegister.Pcr(15), new TpmRegister.Nv(14))) {
            assertThat(appraise(evidence, AppraisalPolicy.atLeast(assurance()).withRegister(asked))
                            .isAffirming())
                    .as(asked.toString())
                    .isFalse();
        }
    }

    @Test
    void aPowerCutBeginsItAnew() throws Exception {
        List<Sha256> values = new ArrayList<>();
        for (int boot = 0; boot < 3; boot++) {
            values.add(bridge.register().orElseThrow().read());
            bridge.close();
            bridge = reboot();
            assertThat(bridge.register().orElseThrow().read()).isEqualTo(Event.ZERO);
            bridge.register().orElseThrow().extend(Models.hash("event"));
            bridge.register().orElseThrow().extend(Models.hash("event"));
        }
        assertThat(values.get(1)).isEqualTo(values.get(2));
    }
}
