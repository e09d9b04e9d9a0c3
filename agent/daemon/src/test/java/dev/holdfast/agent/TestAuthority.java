package dev.holdfast.agent;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.security.PublicKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.concurrent.atomic.AtomicLong;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** Who issues certificates: the fleet, or somebody with the same name and another key. */
final class TestAuthority {
    static final Duration LIFE = Duration.ofDays(90);
    private static final KeyPurposeId CLIENT = KeyPurposeId.id_kp_clientAuth;
    private static final KeyPurposeId ATTESTATION = KeyPurposeId.getInstance(new ASN1ObjectIdentifier("2.23.133.8.3"));
    private static final AtomicLong SERIAL = new AtomicLong(1);

    private final KeyPair keys = P256.generate();
    private final String name;
    private final Instant from;

    TestAuthority(Instant from) {
        this("authority", from);
    }

    TestAuthority(String name, Instant from) {
        this.name = "CN=" + name;
        this.from = from;
    }

    /** What signed metadata names. */
    Sha256 key() {
        return Sha256.of(keys.getPublic().getEncoded());
    }

    byte[] own() throws Exception {
        return builder(name, keys.getPublic(), from.plus(Duration.ofDays(3650)))
                .addExtension(Extension.basicConstraints, true, new BasicConstraints(0))
                .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign))
                .build(new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate()))
                .getEncoded();
    }

    byte[] server(PublicKey key) throws Exception {
        return builder("CN=localhost", key, from.plus(LIFE))
                .addExtension(
                        Extension.subjectAlternativeName,
                        false,
                        new GeneralNames(new GeneralName(GeneralName.dNSName, "localhost")))
                .build(new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate()))
                .getEncoded();
    }

    /** Certificates for the keys of a TEE, from {@code now} on. */
    DeviceEnrolment.Issued issue(String device, TeeBridge bridge, Instant now) throws Exception {
        return new DeviceEnrolment.Issued(
                issued(device, bridge.quoter().orElseThrow().attestationKey(), ATTESTATION, now),
                issued(device, bridge.signer().orElseThrow().publicKey(), CLIENT, now),
                Binary.copyOf(own()));
    }

    private Binary issued(String device, PublicKey key, KeyPurposeId purpose, Instant now) throws Exception {
        X509v3CertificateBuilder builder = new X509v3CertificateBuilder(
                        new X500Name(name),
                        BigInteger.valueOf(SERIAL.getAndIncrement()),
                        Date.from(now),
                        Date.from(now.plus(LIFE)),
                        new X500Name("CN=" + device),
                        SubjectPublicKeyInfo.getInstance(key.getEncoded()))
                .addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
                .addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(purpose));
        return Binary.copyOf(builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate()))
                .getEncoded());
    }

    private X509v3CertificateBuilder builder(String subject, PublicKey key, Instant until) {
        return new X509v3CertificateBuilder(
                new X500Name(name),
                BigInteger.valueOf(SERIAL.getAndIncrement()),
                Date.from(from),
                Date.from(until),
                new X500Name(subject),
                SubjectPublicKeyInfo.getInstance(key.getEncoded()));
    }

    static String pem(String kind, byte[] der) {
        return "-----BEGIN " + kind + "-----\n"
                + Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII))
                        .encodeToString(der)
                + "\n-----END " + kind + "-----\n";
    }
}
