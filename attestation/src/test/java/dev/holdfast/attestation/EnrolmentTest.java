package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.TpmAttest;
import dev.holdfast.tee.tpm.TpmKdf;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.interfaces.ECPublicKey;
import java.time.Clock;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EnrolmentTest {
    @TempDir
    Path temp;

    private static void assertRefused(Verdict<?> verdict) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.ATT_ENROL));
    }

    @Test
    void aTpmProvesThatItsKeysLiveTogether() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            EnrolledDevice device = EvidenceContract.enrol(bridge);
            assertThat(device.assurance()).isEqualTo(Assurance.EMULATED);
            assertThat(device.signer()).isEqualTo(bridge.signer().orElseThrow().publicKey());
            assertThat(device.attestationKey())
                    .isEqualTo(bridge.quoter().orElseThrow().attestationKey());
            EnrolledDevice again = Models.accepted(EnrolledDevice.fromJson(Json.write(device.toJson())));
            assertThat(again).isEqualTo(device);
        }
    }

    @Test
    void aTpmThatClaimsHardwareIsGrantedEmulatedWhereNobodyVouchesForIt() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
            EnrolmentMessage.Request r = EnrolmentMessage.Request.parse(mine.request());
            byte[] boast = new EnrolmentMessage.Request(
                            r.device(),
                            Assurance.HARDWARE,
                            r.nonce(),
                            r.signer(),
                            r.attestation(),
                            r.endorsement(),
                            r.endorsementCertificate(),
                            r.certifyAttest(),
                            r.certifySignature())
                    .encode();
            EnrolmentAuthority.Attempt attempt = Models.accepted(Models.begin(boast));
            EnrolmentMessage.Challenge asked = EnrolmentMessage.Challenge.parse(attempt.challenge());
            byte[] secret = bridge.enroller()
                    .orElseThrow()
                    .activate(asked.blob(), asked.encryptedSecret())
                    .toArray();
            byte[] hmac = TpmKdf.hmac(
                    secret,
                    EnrolmentMessage.transcript(boast, attempt.challenge()).toArray());
            EnrolledDevice device =
                    Models.accepted(attempt.complete(new EnrolmentMessage.Proof(Binary.copyOf(hmac)).encode()));
            assertThat(device.assurance()).isEqualTo(Assurance.EMULATED);
        }
    }

    @Test
    void refusesKeysWithTheWrongAttributes() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            EnrolmentMessage.Request r =
                    EnrolmentMessage.Request.parse(new DeviceEnrolment(bridge, "device-1").request());
            // An unrestricted key would sign a forged quote; a storage key would not sign at all.
            assertRefused(Models.begin(with(r, r.signer(), r.signer(), r.endorsement())));
            assertRefused(Models.begin(with(r, r.signer(), r.endorsement(), r.endorsement())));
            assertRefused(Models.begin(with(r, r.attestation(), r.attestation(), r.endorsement())));
            assertRefused(Models.begin(with(r, r.signer(), r.attestation(), r.attestation())));
        }
    }

    /** TPMA_OBJECT bit by bit: what would let the key sign a forged quote, or leave its TPM. */
    @Test
    void refusesAnAttestationKeyWithAnyAttributeChanged() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            EnrolmentMessage.Request r =
                    EnrolmentMessage.Request.parse(new DeviceEnrolment(bridge, "device-1").request());
            Map<String, Integer> bits = Map.of(
                    "fixedTPM",
                    1,
                    "fixedParent",
                    4,
                    "sensitiveDataOrigin",
                    5,
                    "restricted",
                    16,
                    "decrypt",
                    17,
                    "sign",
                    18);
            for (Map.Entry<String, Integer> bit : bits.entrySet()) {
                ByteBuffer area = ByteBuffer.wrap(r.attestation().toArray());
                area.putInt(4, area.getInt(4) ^ 1 << bit.getValue());
                assertThat(Models.begin(with(r, r.signer(), Binary.copyOf(area.array()), r.endorsement())))
                        .as(bit.getKey())
                        .isInstanceOfSatisfying(Verdict.Rejected.class, refused -> {
                            assertThat(refused.reason().code()).isEqualTo(Code.ATT_ENROL);
                            assertThat(refused.reason().detail()).startsWith("the attestation key is not restricted");
                        });
            }
            assertThat(Models.begin(with(r, r.signer(), r.attestation(), r.endorsement()))
                            .isAccepted())
                    .isTrue();
        }
    }

    /** The same of the signer: what would let its key leave the TPM, or make it a key of another kind. */
    @Test
    void refusesASignerWithAnyAttributeChanged() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            EnrolmentMessage.Request r =
                    EnrolmentMessage.Request.parse(new DeviceEnrolment(bridge, "device-1").request());
            for (int bit : new int[] {1, 4, 5, 16, 17, 18}) {
                ByteBuffer area = ByteBuffer.wrap(r.signer().toArray());
                area.putInt(4, area.getInt(4) ^ 1 << bit);
                assertThat(Models.begin(with(r, Binary.copyOf(area.array()), r.attestation(), r.endorsement())))
                        .as("bit " + bit)
                        .isInstanceOfSatisfying(
                                Verdict.Rejected.class,
                                refused -> assertThat(refused.reason().detail())
                                        .startsWith("the signer can leave its TPM"));
            }
        }
    }

    @Test
    void softwareKeysThatClaimATpmAreRefused() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(temp.resolve("tee"))) {
            EnrolmentMessage.Request r =
                    EnrolmentMessage.Request.parse(new DeviceEnrolment(bridge, "device-1").request());
            for (Assurance claimed : List.of(Assurance.HARDWARE, Assurance.FIRMWARE, Assurance.EMULATED)) {
                assertRefused(Models.begin(new EnrolmentMessage.Request(
                                r.device(),
                                claimed,
                                r.nonce(),
                                r.signer(),
                                r.attestation(),
                                r.endorsement(),
                                r.endorsementCertificate(),
                                r.certifyAttest(),
                                r.certifySignature())
                        .encode()));
            }
        }
    }

    private static byte[] with(EnrolmentMessage.Request r, Binary signer, Binary attestation, Binary endorsement) {
        return new EnrolmentMessage.Request(
                        r.device(),
                        r.declared(),
                        r.nonce(),
                        signer,
                        attestation,
                        endorsement,
                        r.endorsementCertificate(),
                        r.certifyAttest(),
                        r.certifySignature())
                .encode();
    }

    @Test
    void refusesACertificateFromAnotherRequest() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            EnrolmentMessage.Request first =
                    EnrolmentMessage.Request.parse(new DeviceEnrolment(bridge, "device-1").request());
            EnrolmentMessage.Request second =
                    EnrolmentMessage.Request.parse(new DeviceEnrolment(bridge, "device-2").request());
            assertRefused(Models.begin(new EnrolmentMessage.Request(
                            second.device(),
                            second.declared(),
                            second.nonce(),
                            second.signer(),
                            second.attestation(),
                            second.endorsement(),
                            second.endorsementCertificate(),
                            first.certifyAttest(),
                            first.certifySignature())
                    .encode()));
        }
    }

    @Test
    void anotherTpmCannotOpenTheCredential() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp.resolve("a"));
                Swtpm other = Swtpm.start(temp.resolve("b"));
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address());
                Tpm2Bridge thief = Tpm2Bridge.open(other.address())) {
            DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
            EnrolmentAuthority.Attempt attempt = Models.accepted(Models.begin(mine.request()));
            Assertions.assertThatThrownBy(() -> new DeviceEnrolment(thief, "device-1").prove(attempt.challenge()))
                    .isInstanceOfSatisfying(
                            TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_REFUSED));
        }
    }

    @Test
    void refusesAProofThatIsReplayedOrForAnotherChallenge() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(temp.resolve("tee"))) {
            DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
            EnrolmentAuthority.Attempt first = Models.accepted(Models.begin(mine.request()));
            EnrolmentAuthority.Attempt second = Models.accepted(Models.begin(mine.request()));
            byte[] proof = Models.accepted(mine.prove(first.challenge()));
            assertRefused(second.complete(proof));
            EnrolledDevice device = Models.accepted(first.complete(proof));
            assertThat(device.assurance()).isEqualTo(Assurance.SOFTWARE);
            assertRefused(first.complete(proof));
        }
    }

    @Test
    void mutatedMessagesAreRefusedAndNeverThrow() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(temp.resolve("tee"))) {
            DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
            byte[] request = mine.request();
            Random random = new Random(11);
            int begun = 0;
            for (int i = 0; i < 5000; i++) {
                byte[] bad = Arrays.copyOf(
                        request, random.nextInt(4) == 0 ? random.nextInt(request.length) : request.length);
                if (bad.length > 0) {
                    bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
                }
                // A flipped nonce or id still is a well-formed request; the proof then does not answer its challenge.
                if (Models.begin(bad)
                        instanceof Verdict.Accepted<EnrolmentAuthority.Attempt>(EnrolmentAuthority.Attempt attempt)) {
                    begun++;
                    assertThat(attempt.complete(Models.accepted(mine.prove(attempt.challenge())))
                                    .isAccepted())
                            .isFalse();
                }
            }
            assertThat(begun).isPositive();
        }
    }

    /** A challenge that this TPM could answer, answered with something else. */
    @Test
    void onlyTheHmacUnderTheActivatedSecretIsAProof() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            DeviceEnrolment mine = new DeviceEnrolment(bridge, "device-1");
            byte[] request = mine.request();
            for (String wrong :
                    List.of("any 32 bytes", "another secret", "another transcript", "a byte more", "none")) {
                EnrolmentAuthority.Attempt attempt = Models.accepted(Models.begin(request));
                EnrolmentMessage.Challenge asked = EnrolmentMessage.Challenge.parse(attempt.challenge());
                byte[] secret = bridge.enroller()
                        .orElseThrow()
                        .activate(asked.blob(), asked.encryptedSecret())
                        .toArray();
                byte[] transcript = EnrolmentMessage.transcript(request, attempt.challenge())
                        .toArray();
                byte[] proof = switch (wrong) {
                    case "any 32 bytes" -> new byte[32];
                    case "another secret" -> TpmKdf.hmac(new byte[secret.length], transcript);
                    case "another transcript" -> TpmKdf.hmac(secret, new byte[32]);
                    case "a byte more" -> Arrays.copyOf(TpmKdf.hmac(secret, transcript), 33);
                    default -> TpmKdf.hmac(secret, transcript);
                };
                Verdict<EnrolledDevice> verdict =
                        attempt.complete(new EnrolmentMessage.Proof(Binary.copyOf(proof)).encode());
                if (wrong.equals("none")) {
                    assertThat(verdict.isAccepted()).isTrue();
                } else {
                    assertRefused(verdict);
                }
            }
        }
    }

    /** What the attestation key says of the signer: each part of it wrong alone, of a request that is honest otherwise. */
    @Test
    void theAttestationKeyCertifiesThisSignerAndSignsThat() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp);
                Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
            EnrolmentMessage.Request r =
                    EnrolmentMessage.Request.parse(new DeviceEnrolment(bridge, "device-1").request());
            assertThat(Models.begin(r.encode()).isAccepted()).isTrue();
            byte[] other = r.signer().toArray();
            byte[] xy = P256.encode((ECPublicKey) P256.generate().getPublic()).toArray();
            System.arraycopy(xy, 0, other, other.length - 66, 32);
            System.arraycopy(xy, 32, other, other.length - 32, 32);
            Binary stranger = Binary.copyOf(other);
            assertRefused(Models.begin(with(r, stranger, r.attestation(), r.endorsement())));
            byte[] flipped = r.certifySignature().toArray();
            flipped[flipped.length - 1] ^= 1;
            assertRefused(Models.begin(with(r, r.certifyAttest(), Binary.copyOf(flipped))));
            TpmAttest said = TpmAttest.parse(r.certifyAttest()).orThrow();
            TpmAttest elsewhere = new TpmAttest(
                    said.qualifiedSigner(),
                    said.extraData(),
                    said.clockMillis() + 1,
                    said.resetCount(),
                    said.restartCount(),
                    said.clockSafe(),
                    said.firmwareVersion(),
                    said.body());
            assertRefused(Models.begin(with(r, elsewhere.encode(), r.certifySignature())));
        }
    }

    private static byte[] with(EnrolmentMessage.Request r, Binary certifyAttest, Binary certifySignature) {
        return new EnrolmentMessage.Request(
                        r.device(),
                        r.declared(),
                        r.nonce(),
                        r.signer(),
                        r.attestation(),
                        r.endorsement(),
                        r.endorsementCertificate(),
                        certifyAttest,
                        certifySignature)
                .encode();
    }

    @Test
    void devicesWithoutATpmComeOnlyWhereTheFleetSaysSo() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(temp.resolve("tee"))) {
            byte[] request = new DeviceEnrolment(bridge, "device-1").request();
            assertRefused(EnrolmentAuthority.begin(request, EnrolmentPolicy.DEFAULT, Clock.systemUTC()));
            assertThat(EnrolmentAuthority.begin(request, EnrolmentPolicy.DEFAULT.withSoftware(), Clock.systemUTC())
                            .isAccepted())
                    .isTrue();
        }
    }
}
