package dev.holdfast.attestation;

import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.Enroller;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.tpm.TpmKdf;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import javax.security.auth.x500.X500Principal;

/** The device's side of enrolment. One instance per attempt. Not thread-safe. */
public final class DeviceEnrolment {
    private final String deviceId;
    private final Optional<Enroller> enroller;
    private final DeviceSigner signer;
    /** SubjectPublicKeyInfo; so is the next. */
    private final Binary signerKey;

    private final Binary attestationKey;
    private final Sha256 endorsement;
    private final byte[] request;

    /**
     * Collects keys and certificates from the TEE.
     *
     * @param deviceId 1 to 128 letters, digits and {@code . _ : -}
     */
    public DeviceEnrolment(TeeBridge bridge, String deviceId) throws TeeException {
        this.deviceId = deviceId;
        this.enroller = bridge.enroller();
        this.signer = bridge.signer().orElseThrow(DeviceEnrolment::unable);
        Quoter quoter = bridge.quoter().orElseThrow(DeviceEnrolment::unable);
        this.signerKey = Binary.copyOf(signer.publicKey().getEncoded());
        this.attestationKey = Binary.copyOf(quoter.attestationKey().getEncoded());
        byte[] random = new byte[EnrolmentMessage.NONCE_BYTES];
        new SecureRandom().nextBytes(random);
        Binary nonce = Binary.copyOf(random);
        EnrolmentMessage.Request message;
        if (enroller.isPresent()) {
            Enroller tpm = enroller.get();
            Quoter.Quote certificate =
                    tpm.certifySigner(EnrolmentMessage.Request.certifyQualifyingData(deviceId, nonce));
            message = new EnrolmentMessage.Request(
                    deviceId,
                    bridge.describe().assurance(),
                    nonce,
                    tpm.signerPublic(),
                    tpm.attestationPublic(),
                    tpm.endorsementPublic(),
                    tpm.endorsementCertificate(),
                    certificate.attest(),
                    certificate.signature());
        } else {
            message = new EnrolmentMessage.Request(
                    deviceId,
                    bridge.describe().assurance(),
                    nonce,
                    P256.encode(signer.publicKey()),
                    P256.encode(quoter.attestationKey()),
                    Binary.empty(),
                    Binary.empty(),
                    Binary.empty(),
                    Binary.empty());
        }
        this.endorsement = DeviceName.endorsement(message);
        this.request = message.encode();
    }

    /** By which the fleet knows this device: see {@link DeviceName}. */
    public Sha256 endorsement() {
        return endorsement;
    }

    /** What to send to the fleet first. */
    public byte[] request() {
        return request.clone();
    }

    /** Answers the fleet's challenge with the proof to send. */
    public Verdict<byte[]> prove(byte[] challenge) throws TeeException {
        return prove(challenge, Optional.empty());
    }

    /** The same, and shows that the device holds a token of its fleet, without showing the token. */
    public Verdict<byte[]> prove(byte[] challenge, Optional<EnrolmentToken> token) throws TeeException {
        return switch (Verdict.of(() -> EnrolmentMessage.Challenge.parse(challenge))) {
            case Verdict.Rejected<EnrolmentMessage.Challenge> rejected -> rejected.as();
            case Verdict.Accepted<EnrolmentMessage.Challenge>(EnrolmentMessage.Challenge asked) ->
                Verdict.accepted(new EnrolmentMessage.Proof(
                                proof(asked, challenge),
                                token.map(mine -> mine.claim(EnrolmentMessage.transcript(request, challenge))))
                        .encode());
        };
    }

    /**
     * Reads the fleet's last message. Anybody who reaches the answer topic can send one, so nothing in it is believed that does not lead to
     * an authority that is trusted.
     *
     * @param authorities SHA-256 of the SubjectPublicKeyInfo of those who may issue; where empty, whoever answers is believed (trust on
     *     first use)
     * @param now within the dates of all certificates
     * @return the certificates that were issued for exactly this device's keys and name; {@code ATT-CERTIFICATE} where they are not, or
     *     where none came
     */
    public Verdict<Issued> complete(byte[] welcome, Set<Sha256> authorities, Instant now) {
        return Verdict.of(() -> {
            if (welcome.length == 0) {
                throw DeviceCertificate.refused("no certificates came");
            }
            EnrolmentMessage.Welcome read = EnrolmentMessage.Welcome.parse(welcome);
            DeviceCertificate certificate = DeviceCertificate.of(read.tls(), read.authority());
            if (!authorities.isEmpty() && !authorities.contains(certificate.authorityKey())) {
                throw DeviceCertificate.refused("the authority " + certificate.authorityKey() + " is not "
                        + authorities.stream().map(Sha256::hex).sorted().collect(Collectors.joining(" or ")));
            }
            if (!certificate.key().equals(signerKey)
                    || !certificate.subject().equals(new X500Principal("CN=" + deviceId))) {
                throw DeviceCertificate.refused("the TLS certificate is for another key or device");
            }
            certificate.requireSibling(read.attestation(), attestationKey);
            if (now.isBefore(certificate.notBefore()) || !now.isBefore(certificate.notAfter())) {
                throw DeviceCertificate.refused("valid from " + certificate.notBefore() + " to "
                        + certificate.notAfter() + ", and this device's clock is at " + now);
            }
            return new Issued(read.attestation(), read.tls(), read.authority());
        });
    }

    /** Certificates in DER: for the attestation key, for the signer as a TLS client, and their issuer's own. */
    public record Issued(Binary attestation, Binary tls, Binary authority) {}

    private Binary proof(EnrolmentMessage.Challenge asked, byte[] challenge) throws TeeException {
        Sha256 transcript = EnrolmentMessage.transcript(request, challenge);
        if (enroller.isEmpty()) {
            return Binary.copyOf(signer.sign(transcript));
        }
        Binary secret = enroller.get().activate(asked.blob(), asked.encryptedSecret());
        if (secret.length() == 0) {
            throw new TeeException(Code.TEE_RESPONSE, "an empty credential");
        }
        return Binary.copyOf(TpmKdf.hmac(secret.toArray(), transcript.toArray()));
    }

    private static TeeException unable() {
        return new TeeException(Code.TEE_REFUSED, "this root of trust cannot sign and quote");
    }
}
