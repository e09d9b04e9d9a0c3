package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.ByteArrayInputStream;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import javax.security.auth.x500.X500Principal;

/**
 * The device's certificate as a TLS client, with that of the authority that issued it. By the JDK's parser, which TLS uses, too.
 *
 * @param tls DER
 * @param authority DER
 * @param key SubjectPublicKeyInfo of the key that {@code tls} is for
 * @param authorityKey SHA-256 of the authority's SubjectPublicKeyInfo: what signed metadata names
 * @param subject whom it is for
 * @param notBefore of both, the later
 * @param notAfter of both, the earlier
 */
public record DeviceCertificate(
        Binary tls,
        Binary authority,
        Binary key,
        Sha256 authorityKey,
        X500Principal subject,
        Instant notBefore,
        Instant notAfter) {
    /** TLS client (RFC 5280, 4.2.1.12). */
    static final String CLIENT = "1.3.6.1.5.5.7.3.2";
    /** Attestation key (TCG OID registry). */
    static final String ATTESTATION = "2.23.133.8.3";

    private static final int SIGN_CERTIFICATES = 5;
    /** {@code SHA256withECDSA}, the only one that the fleet's authority uses. */
    private static final String ALGORITHM = "1.2.840.10045.4.3.2";

    private static final int P256_BITS = 256;

    /** Reads a pair that belongs together; {@code ATT-CERTIFICATE} where it does not. */
    public static DeviceCertificate of(Binary tls, Binary authority) throws RejectedException {
        X509Certificate issuer = parse("authority", authority);
        X509Certificate device = parse("TLS", tls);
        requireIssued("TLS", device, CLIENT, issuer);
        Instant from =
                later(device.getNotBefore().toInstant(), issuer.getNotBefore().toInstant());
        Instant until = device.getNotAfter().toInstant();
        Instant end = issuer.getNotAfter().toInstant();
        return new DeviceCertificate(
                tls,
                authority,
                Binary.copyOf(device.getPublicKey().getEncoded()),
                Sha256.of(issuer.getPublicKey().getEncoded()),
                device.getSubjectX500Principal(),
                from,
                until.isBefore(end) ? until : end);
    }

    private static Instant later(Instant one, Instant other) {
        return one.isAfter(other) ? one : other;
    }

    /** The certificate of the attestation key is of the same authority, and for the same device. */
    void requireSibling(Binary attestation, Binary attestationKey) throws RejectedException {
        X509Certificate issuer = parse("authority", authority);
        X509Certificate sibling = parse("attestation", attestation);
        requireIssued("attestation", sibling, ATTESTATION, issuer);
        if (!Binary.copyOf(sibling.getPublicKey().getEncoded()).equals(attestationKey)
                || !sibling.getSubjectX500Principal().equals(subject)) {
            throw refused("the attestation certificate is for another key or device");
        }
    }

    private static X509Certificate parse(String what, Binary der) throws RejectedException {
        try {
            X509Certificate read = (X509Certificate) CertificateFactory.getInstance("X.509")
                    .generateCertificate(new ByteArrayInputStream(der.toArray()));
            if (!Arrays.equals(read.getEncoded(), der.toArray())) {
                throw refused("the " + what + " certificate has bytes behind its end");
            }
            return read;
        } catch (GeneralSecurityException | RuntimeException e) {
            // A parser of ASN.1 has many ways to stumble over hostile bytes; all of them are a refusal.
            throw refused("the " + what + " certificate cannot be read: " + e.getMessage());
        }
    }

    private static void requireIssued(String what, X509Certificate one, String purpose, X509Certificate issuer)
            throws RejectedException {
        try {
            boolean[] usage = issuer.getKeyUsage();
            if (issuer.getBasicConstraints() < 0 || usage == null || !usage[SIGN_CERTIFICATES]) {
                throw refused("the authority may issue nothing");
            }
            List<String> purposes = one.getExtendedKeyUsage();
            if (one.getBasicConstraints() >= 0 || purposes == null || !purposes.contains(purpose)) {
                throw refused("the " + what + " certificate is for another purpose");
            }
            if (!(issuer.getPublicKey() instanceof ECPublicKey key)
                    || key.getParams().getOrder().bitLength() != P256_BITS
                    || !one.getSigAlgOID().equals(ALGORITHM)
                    || !one.getIssuerX500Principal().equals(issuer.getSubjectX500Principal())) {
                throw refused("the " + what + " certificate is not of this authority");
            }
            one.verify(key);
        } catch (GeneralSecurityException | RuntimeException e) {
            throw refused("the " + what + " certificate is not signed by its authority: " + e.getMessage());
        }
    }

    static RejectedException refused(String detail) {
        return new RejectedException(Code.ATT_CERTIFICATE, detail);
    }
}
