package dev.holdfast.tee.tpm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.BridgeContract;
import dev.holdfast.tee.Enroller;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeDescription;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.software.SoftwareState;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.interfaces.ECPublicKey;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Tpm2BridgeTest extends BridgeContract {
    private static final Tpm2Options OPTIONS = Tpm2Options.DEFAULT.authorized(AuthValue.of("a random value"));

    @TempDir
    Path temp;

    private Swtpm swtpm;
    private Tpm2Bridge bridge;

    @BeforeEach
    void open() throws Exception {
        swtpm = Swtpm.start(temp);
        bridge = Tpm2Bridge.open(swtpm.address(), OPTIONS);
    }

    @AfterEach
    void close() throws Exception {
        if (bridge != null) {
            bridge.close();
        }
        if (swtpm != null) {
            swtpm.close();
        }
    }

    @Override
    public TeeBridge bridge() {
        return bridge;
    }

    @Override
    public TeeBridge reopen() throws Exception {
        bridge.close();
        bridge = Tpm2Bridge.open(swtpm.address(), OPTIONS);
        return bridge;
    }

    @Test
    void callsAnEmulatorAnEmulator() {
        System.out.println(bridge.describe());
        assertThat(bridge.describe().kind()).isEqualTo(TeeDescription.Kind.TPM2);
        assertThat(bridge.describe().assurance()).isEqualTo(Assurance.EMULATED);
    }

    @Test
    void survivesFivePowerCutsInARow() throws Exception {
        ECPublicKey key = bridge.signer().orElseThrow().publicKey();
        provision(bridge, DIGEST);
        long first = bridge.stateCounter().orElseThrow().read();
        bridge.stateCounter().orElseThrow().advanceTo(first + 2);
        long resets = bridge.register().orElseThrow().resetCount();
        for (int cut = 1; cut <= 5; cut++) {
            bridge.register().orElseThrow().extend(DIGEST);
            swtpm.powerCut();
            assertThat(bridge.register().orElseThrow().read()).isEqualTo(SoftwareState.ZERO);
            assertThat(P256.verify(key, DIGEST, bridge.signer().orElseThrow().sign(DIGEST)))
                    .isTrue();
            assertThat(bridge.quoter().orElseThrow().quote(QUALIFYING).attest().length())
                    .isPositive();
            bridge.stateCounter().orElseThrow().advanceTo(first + 2 + cut);
            assertThat(bridge.register().orElseThrow().resetCount()).isEqualTo(resets + cut);
        }
        assertThat(bridge.stateCounter().orElseThrow().read()).isEqualTo(first + 7);
        assertThat(bridge.sealer().orElseThrow().seal(new byte[16])).isNotEmpty();
    }

    @Test
    void leaksNoHandlesOverManyOperations() throws Exception {
        byte[] sealed = bridge.sealer().orElseThrow().seal(new byte[32]);
        for (int i = 0; i < 10; i++) {
            bridge.quoter().orElseThrow().quote(QUALIFYING);
            bridge.signer().orElseThrow().sign(DIGEST);
            bridge.enroller().orElseThrow().certifySigner(QUALIFYING);
            bridge.sealer().orElseThrow().unseal(sealed);
            assertThatThrownBy(() -> bridge.enroller()
                            .orElseThrow()
                            .activate(Binary.copyOf(new byte[52]), Binary.copyOf(new byte[68])))
                    .isInstanceOf(TeeException.class);
        }
    }

    @Test
    void saysThatTheTpmIsGoneAndFindsItAgain() throws Exception {
        swtpm.kill();
        assertThatThrownBy(() -> bridge.quoter().orElseThrow().quote(QUALIFYING))
                .isInstanceOfSatisfying(
                        TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_UNAVAILABLE));
        swtpm.powerCut();
        assertThat(bridge.quoter().orElseThrow().quote(QUALIFYING).attest().length())
                .isPositive();
    }

    /** The default templates, byte for byte, and the certificates' indexes, of which the curve's comes first. */
    @Test
    void itsEndorsementKeyIsTheOneThatHasACertificateAndThatTpm2ToolsMake() throws Exception {
        assertThat(bridge.enroller().orElseThrow().endorsementPublic()).isEqualTo(createdByTools("ecc"));
        storeCertificate("0x1c00002");
        assertThat(bridge.enroller().orElseThrow().endorsementPublic()).isEqualTo(createdByTools("rsa"));
        assertThat(bridge.enroller().orElseThrow().endorsementCertificate().length())
                .isEqualTo(600);
        storeCertificate("0x1c0000a");
        assertThat(bridge.enroller().orElseThrow().endorsementPublic()).isEqualTo(createdByTools("ecc"));
    }

    private void storeCertificate(String index) throws Exception {
        bridge.close();
        new TpmTools(temp, swtpm).storeCertificate(index, new byte[600]);
        bridge = Tpm2Bridge.open(swtpm.address(), OPTIONS);
    }

    private Binary createdByTools(String kind) throws Exception {
        bridge.close();
        Path area = temp.resolve("created.pub");
        String context = temp.resolve("created.ctx").toString();
        new TpmTools(temp, swtpm).run("tpm2_createek", "-c", context, "-G", kind, "-u", area.toString());
        bridge = Tpm2Bridge.open(swtpm.address(), OPTIONS);
        return new TpmReader(Files.readAllBytes(area)).sized(TpmConnection.MAX_BYTES);
    }

    @Test
    void certifiesTheSignerByTheAttestationKey() throws Exception {
        Enroller enroller = bridge.enroller().orElseThrow();
        TpmPublic ak = accepted(TpmPublic.parse(enroller.attestationPublic()));
        TpmPublic ek = accepted(TpmPublic.parse(enroller.endorsementPublic()));
        TpmPublic signer = accepted(TpmPublic.parse(enroller.signerPublic()));
        assertThat(ak.isAttestationKey()).isTrue();
        assertThat(ek.isEndorsementKey()).isTrue();
        assertThat(signer.isDeviceSigner()).isTrue();
        assertThat(signer.isAttestationKey()).isFalse();
        assertThat(enroller.endorsementCertificate()).isEqualTo(Binary.empty());

        Quoter.Quote certificate = enroller.certifySigner(QUALIFYING);
        TpmAttest attest = accepted(TpmAttest.parse(certificate.attest()));
        assertThat(attest.body())
                .isInstanceOfSatisfying(
                        TpmAttest.Certified.class, c -> assertThat(c.name()).isEqualTo(signer.name()));
        assertThat(P256.verify(
                        ak.key(),
                        Sha256.of(certificate.attest().toArray()),
                        accepted(TpmSignature.toP1363(certificate.signature())).toArray()))
                .isTrue();
    }

    @Test
    void tpm2CheckquoteAcceptsTheQuoteAndRefusesAnotherNonce() throws Exception {
        Swtpm.require("tpm2_checkquote");
        bridge.register().orElseThrow().extend(DIGEST);
        Quoter.Quote quote = bridge.quoter().orElseThrow().quote(QUALIFYING);
        Files.write(temp.resolve("quote.msg"), quote.attest().toArray());
        Files.write(temp.resolve("quote.sig"), quote.signature().toArray());
        Files.writeString(
                temp.resolve("ak.pem"), P256.toPem(bridge.quoter().orElseThrow().attestationKey()));
        assertThat(checkquote(QUALIFYING.hex())).isZero();
        assertThat(checkquote("00" + QUALIFYING.hex().substring(2))).isNotZero();
    }

    private int checkquote(String qualifyingHex) throws Exception {
        return Swtpm.run(
                temp.resolve("checkquote.log"),
                "tpm2_checkquote",
                "-u",
                temp.resolve("ak.pem").toString(),
                "-m",
                temp.resolve("quote.msg").toString(),
                "-s",
                temp.resolve("quote.sig").toString(),
                "-g",
                "sha256",
                "-q",
                qualifyingHex);
    }

    @Test
    void saysWhichRegistersSoftwareCanReset() throws Exception {
        assertThat(bridge.register().orElseThrow().resettable()).isFalse();
        bridge.close();
        bridge = Tpm2Bridge.open(swtpm.address(), new Tpm2Options(new TpmRegister.Pcr(23), Duration.ofSeconds(10)));
        assertThat(bridge.register().orElseThrow().resettable()).isTrue();
        assertThatThrownBy(() -> new Tpm2Options(new TpmRegister.Pcr(17), Duration.ofSeconds(10)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void holdsItsOperationsWithinMilliseconds() throws Exception {
        Quoter quoter = bridge.quoter().orElseThrow();
        quoter.quote(QUALIFYING);
        int rounds = 50;
        long start = System.nanoTime();
        for (int i = 0; i < rounds; i++) {
            quoter.quote(QUALIFYING);
        }
        long micros = (System.nanoTime() - start) / 1000 / rounds;
        System.out.println("quote on swtpm, with context load, flush and register read: " + micros + " us");
        assertThat(micros).isLessThan(1_000_000);
    }
}
