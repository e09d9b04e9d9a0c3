package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.Credential;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.EnrolmentMessage;
import dev.holdfast.attestation.EnrolmentToken;
import dev.holdfast.attestation.Es256;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.tpm.TpmAttest;
import dev.holdfast.tee.tpm.TpmKdf;
import dev.holdfast.tee.tpm.TpmKeyArea;
import dev.holdfast.tee.tpm.TpmPublic;
import dev.holdfast.tee.tpm.TpmSignature;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.Optional;

/**
 * The fleet's side of enrolment: request, challenge, proof. Messages are bytes, so any transport will do.
 *
 * <p>For a TPM the proof says that the attestation key, whose attributes are checked, lives in the same TPM as the
 * endorsement key (TPM 2.0 Library Part 1, 24), and that the signer, which the attestation key certifies, does too. Whose
 * endorsement key it is, only its maker's certificate or a list can say: {@link EnrolmentPolicy} decides what is granted.
 * A software bridge proves that it holds the signer, and gets {@code SOFTWARE}.
 */
public final class EnrolmentAuthority {
    private static final SecureRandom RANDOM = new SecureRandom();
    private static final int SECRET_BYTES = 32;

    private EnrolmentAuthority() {}

    /** A challenge in flight: kept by the fleet until the proof comes, or dropped. Not thread-safe. */
    public interface Attempt {
        /** The id that the device asks for. */
        String deviceId();

        /** What to send to the device. */
        byte[] challenge();

        /** What the device may be granted, and who vouches for that. */
        EnrolmentPolicy.Grant grant();

        /** What the device says of its TEE, which may lower a grant and never raises one. */
        Assurance declared();

        /** The device, when the proof holds: whether it is let in is another question. A proof is looked at once. */
        Verdict<EnrolledDevice> complete(byte[] proof);

        /** The claim on a token that a proof holds, if there is one; to be asked of a proof that {@link #complete} took. */
        Optional<EnrolmentMessage.TokenClaim> claim(byte[] proof);

        /** Whether that claim was made with {@code token} for this very attempt. */
        boolean holds(EnrolmentMessage.TokenClaim claim, EnrolmentToken token);
    }

    /** Checks a request and makes a challenge that only the device's TEE can answer. */
    public static Verdict<Attempt> begin(byte[] request, EnrolmentPolicy policy, Clock clock) {
        return Verdict.of(() -> {
            EnrolmentMessage.Request asked = EnrolmentMessage.Request.parse(request);
            Binary nonce = Binary.copyOf(random(EnrolmentMessage.NONCE_BYTES));
            if (!asked.isTpm()) {
                if (!policy.software()) {
                    throw EnrolmentMessage.refused(
                            "devices without a TPM are not let in; \"software\": true in the fleet's"
                                    + " enrolment.json lets them");
                }
                byte[] challenge = new EnrolmentMessage.Challenge(nonce, Binary.empty(), Binary.empty()).encode();
                var none = new EnrolmentPolicy.Grant(
                        Assurance.SOFTWARE, EnrolmentPolicy.Basis.NOBODY, "the device has no TPM");
                return new Waiting(software(asked), none, asked.declared(), new byte[0], request.clone(), challenge);
            }
            TpmKeyArea endorsement = endorsement(asked.endorsement());
            TpmPublic attestation = key("attestation", asked.attestation());
            EnrolmentPolicy.Grant grant = policy.grant(asked, endorsement, clock);
            EnrolledDevice device = tpm(asked, attestation, grant.assurance());
            byte[] secret = random(SECRET_BYTES);
            Credential credential = Credential.make(endorsement, attestation.name(), secret);
            byte[] challenge =
                    new EnrolmentMessage.Challenge(nonce, credential.blob(), credential.encryptedSecret()).encode();
            return new Waiting(device, grant, asked.declared(), secret, request.clone(), challenge);
        });
    }

    /** The last message, with certificates in DER. */
    public static byte[] welcome(DeviceEnrolment.Issued issued) {
        return new EnrolmentMessage.Welcome(issued.attestation(), issued.tls(), issued.authority()).encode();
    }

    private static final class Waiting implements Attempt {
        private final EnrolledDevice device;
        private final EnrolmentPolicy.Grant grant;
        private final Assurance declared;
        private final byte[] secret;
        private final byte[] request;
        private final byte[] challenge;
        private boolean used;

        Waiting(
                EnrolledDevice device,
                EnrolmentPolicy.Grant grant,
                Assurance declared,
                byte[] secret,
                byte[] request,
                byte[] challenge) {
            this.device = device;
            this.grant = grant;
            this.declared = declared;
            this.secret = secret;
            this.request = request;
            this.challenge = challenge;
        }

        @Override
        public String deviceId() {
            return device.deviceId();
        }

        @Override
        public byte[] challenge() {
            return challenge.clone();
        }

        @Override
        public EnrolmentPolicy.Grant grant() {
            return grant;
        }

        @Override
        public Assurance declared() {
            return declared;
        }

        @Override
        public Optional<EnrolmentMessage.TokenClaim> claim(byte[] proof) {
            return switch (Verdict.of(() -> EnrolmentMessage.Proof.parse(proof))) {
                case Verdict.Accepted<EnrolmentMessage.Proof>(EnrolmentMessage.Proof read) -> read.token();
                case Verdict.Rejected<EnrolmentMessage.Proof> _ -> Optional.empty();
            };
        }

        @Override
        public boolean holds(EnrolmentMessage.TokenClaim claim, EnrolmentToken token) {
            return token.made(claim, EnrolmentMessage.transcript(request, challenge));
        }

        @Override
        public Verdict<EnrolledDevice> complete(byte[] proof) {
            return Verdict.of(() -> {
                if (used) {
                    throw EnrolmentMessage.refused("this challenge was answered already");
                }
                used = true;
                byte[] given = EnrolmentMessage.Proof.parse(proof).proof().toArray();
                Sha256 transcript = EnrolmentMessage.transcript(request, challenge);
                boolean holds = declared == Assurance.SOFTWARE
                        ? Es256.verify(device.signer(), transcript, given)
                        : MessageDigest.isEqual(given, TpmKdf.hmac(secret, transcript.toArray()));
                if (!holds) {
                    throw EnrolmentMessage.refused("the proof does not answer this challenge");
                }
                return device;
            });
        }
    }

    private static EnrolledDevice software(EnrolmentMessage.Request asked) throws RejectedException {
        var signer = P256.publicKey(asked.signer()).orThrow();
        return EnrolledDevice.fresh(
                asked.device(),
                signer,
                P256.publicKey(asked.attestation()).orThrow(),
                Sha256.of(asked.signer().toArray()),
                Assurance.SOFTWARE);
    }

    private static EnrolledDevice tpm(EnrolmentMessage.Request asked, TpmPublic attestation, Assurance granted)
            throws RejectedException {
        TpmPublic signer = key("signer", asked.signer());
        if (!attestation.isAttestationKey()) {
            throw EnrolmentMessage.refused("the attestation key is not restricted, or can leave its TPM");
        }
        if (!signer.isDeviceSigner()) {
            throw EnrolmentMessage.refused("the signer can leave its TPM, or is not a plain signing key");
        }
        Binary expected = EnrolmentMessage.Request.certifyQualifyingData(asked.device(), asked.nonce());
        TpmAttest certified = orRefused("certificate of the signer", TpmAttest.parse(asked.certifyAttest()));
        Binary signature = orRefused("signature of the certificate", TpmSignature.toP1363(asked.certifySignature()));
        boolean holds = certified.body() instanceof TpmAttest.Certified body
                && body.name().equals(signer.name())
                && certified.extraData().equals(expected)
                && Es256.verify(
                        attestation.key(), Sha256.of(asked.certifyAttest().toArray()), signature.toArray());
        if (!holds) {
            throw EnrolmentMessage.refused("the attestation key does not certify this signer for this request");
        }
        return EnrolledDevice.fresh(
                        asked.device(),
                        signer.key(),
                        attestation.key(),
                        Sha256.of(asked.endorsement().toArray()),
                        granted)
                .with(DeviceMemory.enrolled(new DeviceTime(certified.resetCount(), certified.clockMillis())));
    }

    /** Reads TPMT_PUBLIC of an endorsement key; {@code ATT-ENROL} for another key, or one with other attributes. */
    public static TpmKeyArea endorsement(Binary encoded) throws RejectedException {
        TpmKeyArea key = orRefused("endorsement key", TpmKeyArea.parse(encoded));
        if (!key.isEndorsementKey()) {
            throw EnrolmentMessage.refused("the endorsement key's attributes are not those of a storage key");
        }
        return key;
    }

    private static TpmPublic key(String name, Binary encoded) throws RejectedException {
        return orRefused(name + " key", TpmPublic.parse(encoded));
    }

    private static <T> T orRefused(String what, Verdict<? extends T> verdict) throws RejectedException {
        return switch (verdict) {
            case Verdict.Accepted<? extends T>(T value) -> value;
            case Verdict.Rejected<? extends T>(var reason) ->
                throw EnrolmentMessage.refused(what + ": " + reason.detail());
        };
    }

    private static byte[] random(int bytes) {
        byte[] out = new byte[bytes];
        RANDOM.nextBytes(out);
        return out;
    }
}
