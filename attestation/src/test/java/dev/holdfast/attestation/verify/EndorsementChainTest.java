package dev.holdfast.attestation.verify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.EnrolmentMessage;
import dev.holdfast.attestation.Models;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.TpmKeyArea;
import dev.holdfast.tee.tpm.TpmPublic;
import dev.holdfast.tee.tpm.TpmTools;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Endorsement certificates by a certificate authority that swtpm_localca makes: a root, an issuer, a TPM's certificate. */
class EndorsementChainTest {
    @TempDir
    Path temp;

    private Swtpm swtpm;
    private Tpm2Bridge bridge;
    private TpmPublic endorsement;
    private Path certificate;

    @BeforeEach
    void manufacture() throws Exception {
        Swtpm.require("swtpm_localca");
        swtpm = Swtpm.start(temp);
        bridge = Tpm2Bridge.open(swtpm.address());
        endorsement =
                Models.accepted(TpmPublic.parse(bridge.enroller().orElseThrow().endorsementPublic()));
        certificate = localca("ca");
    }

    @AfterEach
    void stop() {
        bridge.close();
        swtpm.close();
    }

    /** Makes an authority in {@code name} and lets it certify this TPM's endorsement key. */
    private Path localca(String name) throws Exception {
        Path ca = Files.createDirectories(temp.resolve(name));
        Path config = temp.resolve(name + ".conf");
        Files.writeString(
                config,
                "statedir = %1$s%nsigningkey = %1$s/signkey.pem%nissuercert = %1$s/issuercert.pem%ncertserial = %1$s/serial%n"
                        .formatted(ca));
        String xy = P256.encode(endorsement.key()).hex();
        int status = Swtpm.run(
                temp.resolve(name + ".log"),
                "swtpm_localca",
                "--type",
                "ek",
                "--ek",
                "x=" + xy.substring(0, 64) + ",y=" + xy.substring(64) + ",id=secp256r1",
                "--dir",
                ca.toString(),
                "--tpm-spec-family",
                "2.0",
                "--tpm-spec-level",
                "0",
                "--tpm-spec-revision",
                "164",
                "--tpm-manufacturer",
                "id:00001014",
                "--tpm-model",
                "swtpm",
                "--tpm-version",
                "id:20191023",
                "--tpm2",
                "--configfile",
                config.toString(),
                "--optsfile",
                "/dev/null");
        assertThat(status).as(Files.readString(temp.resolve(name + ".log"))).isZero();
        return ca.resolve("ek.cert");
    }

    private EnrolmentPolicy policy(String json) throws Exception {
        Path file = temp.resolve("enrolment.json");
        Files.writeString(file, json);
        return Models.accepted(EnrolmentPolicy.read(file));
    }

    private EnrolmentPolicy pinned(String grants) throws Exception {
        return policy("""
                {"format":1, "others":"refuse", "intermediates":["ca/issuercert.pem"],
                 "roots":[{"certificate":"ca/swtpm-localca-rootca-cert.pem", "grants":"%s"}]}
                """.formatted(grants));
    }

    private EnrolmentMessage.Request request() throws Exception {
        return EnrolmentMessage.Request.parse(new DeviceEnrolment(bridge, "device-1").request());
    }

    private Verdict<EnrolmentPolicy.Grant> grant(EnrolmentPolicy policy, byte[] der, Assurance declared, Instant now)
            throws Exception {
        EnrolmentMessage.Request r = request();
        EnrolmentMessage.Request asked = new EnrolmentMessage.Request(
                r.device(),
                declared,
                r.nonce(),
                r.signer(),
                r.attestation(),
                r.endorsement(),
                Binary.copyOf(der),
                r.certifyAttest(),
                r.certifySignature());
        return Verdict.of(() -> policy.grant(
                asked, EnrolmentAuthority.endorsement(asked.endorsement()), Clock.fixed(now, ZoneOffset.UTC)));
    }

    private EnrolmentPolicy.Grant granted(EnrolmentPolicy policy, byte[] der, Assurance declared, Instant now)
            throws Exception {
        return Models.accepted(grant(policy, der, declared, now));
    }

    /** What is not chained is as good as what nobody vouches for. */
    private void assertNobody(EnrolmentPolicy policy, byte[] der, Instant now, String why) throws Exception {
        EnrolmentPolicy.Grant grant = granted(policy, der, Assurance.HARDWARE, now);
        assertThat(grant.basis()).isEqualTo(EnrolmentPolicy.Basis.NOBODY);
        assertThat(grant.assurance()).isEqualTo(Assurance.EMULATED);
        assertThat(grant.why()).contains(why);
    }

    private byte[] der() throws Exception {
        return Files.readAllBytes(certificate);
    }

    /** The whole way: the certificate in the TPM's NV, read by the bridge, checked by the authority, the proof by the TPM. */
    @Test
    void aCertificateInTheTpmEnrolsItsDevice() throws Exception {
        bridge.close();
        TpmTools tools = new TpmTools(temp, swtpm);
        tools.storeCertificate("0x1c0000a", der());
        bridge = Tpm2Bridge.open(swtpm.address());
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
        EnrolmentAuthority.Attempt attempt =
                Models.accepted(EnrolmentAuthority.begin(mine.request(), pinned("emulated"), Clock.systemUTC()));
        EnrolledDevice device = Models.accepted(attempt.complete(Models.accepted(mine.prove(attempt.challenge()))));
        assertThat(device.assurance()).isEqualTo(Assurance.EMULATED);
    }

    @Test
    void anEmulatorsCertificateNeverGrantsHardware() throws Exception {
        assertThat(granted(pinned("hardware"), der(), Assurance.HARDWARE, Instant.now()))
                .isEqualTo(new EnrolmentPolicy.Grant(Assurance.EMULATED, EnrolmentPolicy.Basis.CHAINED, ""));
    }

    @Test
    void withoutACertificateNobodyVouchesForATpmWhateverItSaysOfItself() throws Exception {
        assertNobody(pinned("hardware"), new byte[0], Instant.now(), "no certificate of its maker");
        assertNobody(EnrolmentPolicy.DEFAULT, der(), Instant.now(), "pins no maker's root");
    }

    @Test
    void anotherAuthorityOfTheSameNameIsRefused() throws Exception {
        byte[] forged = Files.readAllBytes(localca("forger"));
        assertNobody(pinned("hardware"), forged, Instant.now(), "no pinned root");
    }

    @Test
    void aCertificateForAnotherKeyIsRefused() throws Exception {
        try (Swtpm other = Swtpm.start(temp.resolve("other"));
                Tpm2Bridge thief = Tpm2Bridge.open(other.address())) {
            bridge.close();
            bridge = thief;
            assertNobody(pinned("hardware"), der(), Instant.now(), "for another key");
        }
    }

    @Test
    void aCertificateOutsideItsDatesIsRefused() throws Exception {
        Instant past = Instant.now().minus(Duration.ofDays(400));
        assertNobody(pinned("hardware"), der(), past, "no pinned root");
    }

    @Test
    void paddingBehindACertificateIsPassedOver() throws Exception {
        byte[] padded = Arrays.copyOf(der(), (int) Files.size(certificate) + 300);
        assertThat(granted(pinned("emulated"), padded, Assurance.FIRMWARE, Instant.now())
                        .basis())
                .isEqualTo(EnrolmentPolicy.Basis.CHAINED);
    }

    @Test
    void theListComesFirstAndTheRestIsUpToThePolicy() throws Exception {
        String key =
                dev.holdfast.wire.Sha256.of(endorsement.encoded().toArray()).hex();
        EnrolmentPolicy listed =
                policy("{\"format\":1, \"others\":\"refuse\", \"endorsementKeys\":{\"" + key + "\":\"hardware\"}}");
        assertThat(granted(listed, new byte[0], Assurance.FIRMWARE, Instant.now()))
                .isEqualTo(new EnrolmentPolicy.Grant(Assurance.HARDWARE, EnrolmentPolicy.Basis.LISTED, ""));
        assertThat(granted(listed, new byte[0], Assurance.EMULATED, Instant.now())
                        .assurance())
                .isEqualTo(Assurance.EMULATED);
        assertThat(listed.pending()).isFalse();
        EnrolmentPolicy silent = policy("{\"format\":1}");
        assertThat(silent).isEqualTo(EnrolmentPolicy.DEFAULT);
        for (String bad : List.of(
                "\"rooots\":[]", "\"others\":\"firmware\"", "\"others\":\"emulated\"", "\"software\":\"yes\"")) {
            Path file = Files.writeString(temp.resolve("bad.json"), "{\"format\":1, " + bad + "}");
            assertThat(EnrolmentPolicy.read(file))
                    .as(bad)
                    .isInstanceOfSatisfying(
                            Verdict.Rejected.class,
                            refused -> assertThat(refused.reason().code()).isEqualTo(Code.CFG_INVALID));
        }
    }

    /** Nothing is trusted before it is parsed, so depth is the first thing that an attacker may choose. */
    @Test
    void deeplyNestedBytesAreRefused() throws Exception {
        TpmKeyArea key = endorsement;
        byte[] open = new byte[8192];
        for (int i = 0; i < open.length; i += 2) {
            open[i] = 0x30;
            open[i + 1] = (byte) 0x80; // of indefinite length
        }
        byte[] nested = new byte[0];
        while (nested.length < 8000) {
            byte[] length = nested.length < 128
                    ? new byte[] {0x30, (byte) nested.length}
                    : new byte[] {0x30, (byte) 0x82, (byte) (nested.length >> 8), (byte) nested.length};
            byte[] outer = Arrays.copyOf(length, length.length + nested.length);
            System.arraycopy(nested, 0, outer, length.length, nested.length);
            nested = outer;
        }
        for (byte[] hostile : new byte[][] {open, nested}) {
            assertThat(EndorsementChain.check(Binary.copyOf(hostile), key, pinned("hardware"), Instant.now())
                            .isAccepted())
                    .isFalse();
        }
    }

    @Test
    void mutatedCertificatesNeverThrowAndNeverVouchForSomethingElse() throws Exception {
        EnrolmentPolicy policy = pinned("hardware");
        byte[] good = der();
        TpmKeyArea key = endorsement;
        EndorsementChain.Vouched vouched =
                Models.accepted(EndorsementChain.check(Binary.copyOf(good), key, policy, Instant.now()));
        Random random = new Random(12);
        int accepted = 0;
        for (int i = 0; i < 3000; i++) {
            byte[] bad = Arrays.copyOf(good, random.nextInt(6) == 0 ? random.nextInt(good.length) : good.length);
            if (bad.length > 0) {
                bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
            }
            // Reading leniently, a true that is spelt otherwise is still that true; what was signed is the same.
            if (EndorsementChain.check(Binary.copyOf(bad), key, policy, Instant.now())
                    instanceof Verdict.Accepted<EndorsementChain.Vouched>(EndorsementChain.Vouched value)) {
                assertThat(value).isEqualTo(vouched);
                accepted++;
            }
        }
        assertThat(accepted).isLessThan(60);
    }
}
