package dev.holdfast.fleet;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.P256;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.Reader;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.util.io.pem.PemObject;

/**
 * The fleet's certificate authority: for each enrolled device a certificate of its attestation key and one of its signer
 * as a TLS client. What was issued is kept beside the device's record and given again until a third of its life is left,
 * so that enrolling twice changes nothing.
 */
final class DeviceCertificates {
    private static final String ATTESTATION = "attestation";
    private static final String TLS = "tls";
    /** The certificates that a device has. */
    static final List<String> KINDS = List.of(ATTESTATION, TLS);

    private static final Duration AUTHORITY_LIFE = Duration.ofDays(3650);
    private static final Duration DEVICE_LIFE = Duration.ofDays(365);
    /** Devices have clocks of their own. */
    private static final Duration BACKDATED = Duration.ofHours(1);

    private static final KeyPurposeId ATTESTATION_KEY =
            KeyPurposeId.getInstance(new ASN1ObjectIdentifier("2.23.133.8.3"));
    private static final int SERIAL_BITS = 120;

    private final FleetDirectory directory;
    private final Clock clock;
    private final PrivateKey key;
    private final X509CertificateHolder authority;

    private DeviceCertificates(FleetDirectory directory, Clock clock, PrivateKey key, X509CertificateHolder authority) {
        this.directory = directory;
        this.clock = clock;
        this.key = key;
        this.authority = authority;
    }

    /** SHA-256 of the authority's SubjectPublicKeyInfo, by which a root names it. */
    Sha256 authorityKey() throws IOException {
        return Sha256.of(authority.getSubjectPublicKeyInfo().getEncoded());
    }

    /** Opens the authority in {@code keys/device-ca.pem}, and makes it where the fleet has none. */
    static DeviceCertificates open(FleetDirectory directory, String fleet, Clock clock)
            throws IOException, RejectedException {
        Path keyFile = directory.keys().resolve("device-ca.pem");
        Path certificateFile = directory.keys().resolve("device-ca.crt");
        // Two services that start at once must not make two authorities.
        directory.exclusively(() -> {
            if (!Files.exists(keyFile)) {
                create(keyFile, certificateFile, fleet, clock.instant());
            }
            return keyFile;
        });
        try (Reader keyReader = Files.newBufferedReader(keyFile);
                PEMParser keyParser = new PEMParser(keyReader);
                Reader reader = Files.newBufferedReader(certificateFile);
                PEMParser parser = new PEMParser(reader)) {
            if (keyParser.readObject() instanceof PrivateKeyInfo info
                    && parser.readObject() instanceof X509CertificateHolder certificate) {
                return new DeviceCertificates(
                        directory, clock, new JcaPEMKeyConverter().getPrivateKey(info), certificate);
            }
        }
        throw new RejectedException(Code.FLT_IO, "the device authority's files cannot be read");
    }

    private static void create(Path keyFile, Path certificateFile, String fleet, Instant now) throws IOException {
        KeyPair pair = P256.generate();
        X500Name name = name("Holdfast devices of " + fleet);
        X509CertificateHolder certificate = sign(
                builder(name, name, pair.getPublic(), now, AUTHORITY_LIFE)
                        .addExtension(Extension.basicConstraints, true, new BasicConstraints(0))
                        .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign)),
                pair.getPrivate());
        FleetDirectory.replace(certificateFile, pem(certificate).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        // The key comes last: where it is, the certificate is. Nobody else can read it at any time.
        String key = pem(new PemObject("PRIVATE KEY", pair.getPrivate().getEncoded()));
        Disk.LOCAL.replace(keyFile, key.getBytes(java.nio.charset.StandardCharsets.US_ASCII), Disk.Access.PRIVATE);
    }

    /** The device's certificates: those that it has, or fresh ones. To be called {@linkplain FleetDirectory#exclusively exclusively}. */
    DeviceEnrolment.Issued issue(EnrolledDevice device) throws IOException {
        return new DeviceEnrolment.Issued(
                one(device, ATTESTATION, device.attestationKey(), ATTESTATION_KEY),
                one(device, TLS, device.signer(), KeyPurposeId.id_kp_clientAuth),
                Binary.copyOf(authority.getEncoded()));
    }

    static Path file(FleetDirectory directory, String device, String kind) {
        return directory.devices().resolve(device + "." + kind + ".der");
    }

    private Binary one(EnrolledDevice device, String kind, PublicKey subject, KeyPurposeId purpose) throws IOException {
        Path file = file(directory, device.deviceId(), kind);
        Instant now = clock.instant();
        if (Files.exists(file)) {
            byte[] kept = Files.readAllBytes(file);
            X509CertificateHolder certificate = new X509CertificateHolder(kept);
            boolean same = Arrays.equals(certificate.getSubjectPublicKeyInfo().getEncoded(), subject.getEncoded())
                    && certificate.getIssuer().equals(authority.getSubject());
            if (same
                    && now.plus(DEVICE_LIFE.dividedBy(3))
                            .isBefore(certificate.getNotAfter().toInstant())) {
                return Binary.copyOf(kept);
            }
        }
        byte[] fresh = sign(
                        builder(authority.getSubject(), name(device.deviceId()), subject, now, DEVICE_LIFE)
                                .addExtension(Extension.basicConstraints, true, new BasicConstraints(false))
                                .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature))
                                .addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(purpose)),
                        key)
                .getEncoded();
        FleetDirectory.replace(file, fresh);
        return Binary.copyOf(fresh);
    }

    private static X500Name name(String commonName) {
        return new X500NameBuilder(BCStyle.INSTANCE)
                .addRDN(BCStyle.CN, commonName)
                .build();
    }

    private static X509v3CertificateBuilder builder(
            X500Name issuer, X500Name subject, PublicKey key, Instant now, Duration life) {
        return new X509v3CertificateBuilder(
                issuer,
                new BigInteger(SERIAL_BITS, new SecureRandom()).setBit(SERIAL_BITS),
                Date.from(now.minus(BACKDATED)),
                Date.from(now.plus(life)),
                subject,
                SubjectPublicKeyInfo.getInstance(key.getEncoded()));
    }

    private static X509CertificateHolder sign(X509v3CertificateBuilder builder, PrivateKey key) {
        try {
            return builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key));
        } catch (OperatorCreationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String pem(Object object) throws IOException {
        StringWriter text = new StringWriter();
        try (JcaPEMWriter writer = new JcaPEMWriter(text)) {
            writer.writeObject(object);
        }
        return text.toString();
    }
}
