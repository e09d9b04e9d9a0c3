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
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.Optional;
import org.bouncycastle.cert.X509CertificateHolder;

/** The device's side of enrolment. One instance per attempt. Not thread-safe. */
public final class DeviceEnrolment {
    private final Optional<Enroller> enroller;
    private final DeviceSigner signer;
    private final Quoter quoter;
    private final byte[] request;

    /**
     * Collects keys and certificates from the TEE.
     *
     * @param deviceId 1 to 128 letters, digits and {@code . _ : -}
     */
    public DeviceEnrolment(TeeBridge bridge, String deviceId) throws TeeException {
        this.enroller = bridge.enroller();
        this.signer = bridge.signer().orElseThrow(DeviceEnrolment::unable);
        this.quoter = bridge.quoter().orElseThrow(DeviceEnrolment::unable);
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
        this.request = message.encode();
    }

    /** What to send to the fleet first. */
    public byte[] request() {
        return request.clone();
    }

    /** Answers the fleet's challenge with the proof to send. */
    public Verdict<byte[]> prove(byte[] challenge) throws TeeException {
        return switch (Verdict.of(() -> EnrolmentMessage.Challenge.parse(challenge))) {
            case Verdict.Rejected<EnrolmentMessage.Challenge> rejected -> rejected.as();
            case Verdict.Accepted<EnrolmentMessage.Challenge>(EnrolmentMessage.Challenge asked) ->
                Verdict.accepted(new EnrolmentMessage.Proof(proof(asked, challenge)).encode());
        };
    }

    /**
     * Reads the fleet's last message.
     *
     * @return the certificates that it issued, for exactly this device's keys; empty where it issues none
     */
    public Verdict<Optional<Issued>> complete(byte[] welcome) throws TeeException {
        if (welcome.length == 0) {
            return Verdict.accepted(Optional.empty());
        }
        Binary signerKey = Binary.copyOf(signer.publicKey().getEncoded());
        Binary attestationKey = Binary.copyOf(quoter.attestationKey().getEncoded());
        return Verdict.of(() -> {
            EnrolmentMessage.Welcome read = EnrolmentMessage.Welcome.parse(welcome);
            requireKey(read.tls(), signerKey);
            requireKey(read.attestation(), attestationKey);
            return Optional.of(new Issued(read.attestation(), read.tls(), read.authority()));
        });
    }

    /** Certificates in DER: for the attestation key, for the signer as a TLS client, and their issuer's own. */
    public record Issued(Binary attestation, Binary tls, Binary authority) {}

    private static void requireKey(Binary certificate, Binary key) throws RejectedException {
        try {
            byte[] spki = new X509CertificateHolder(certificate.toArray())
                    .getSubjectPublicKeyInfo()
                    .getEncoded();
            if (!Binary.copyOf(spki).equals(key)) {
                throw EnrolmentMessage.refused("a certificate for another key");
            }
        } catch (IOException | RuntimeException e) {
            throw EnrolmentMessage.refused("no certificate: " + e.getMessage());
        }
    }

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
