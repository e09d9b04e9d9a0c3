package dev.holdfast.attestation.verify;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.EnrolmentMessage;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.tpm.TpmPublic;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.PublicKey;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v2CRLBuilder;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A maker with a root, an issuer, and an endorsement certificate: purposes, and what was taken back. */
class EndorsementRevocationTest {
    private static final KeyPurposeId ENDORSEMENT = KeyPurposeId.getInstance(new ASN1ObjectIdentifier("2.23.133.8.1"));
    private static final X500Name ROOT = new X500Name("CN=Maker root");
    private static final X500Name ISSUER = new X500Name("CN=Maker issuer");

    /** TPMT_PUBLIC by template L-2, with the curve's generator as its point. */
    private static final String TEMPLATE =
            "0023000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
                    + "00060080004300100003001000206b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                    + "00204fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

    @TempDir
    Path dir;

    private final Instant now = Instant.now();
    private final KeyPair root = P256.generate();
    private final KeyPair issuer = P256.generate();
    private final TpmPublic endorsement = accepted(TpmPublic.parse(accepted(Binary.fromHex(TEMPLATE))));

    private static <T> T accepted(Verdict<T> verdict) {
        return switch (verdict) {
            case Verdict.Accepted<T>(T value) -> value;
            case Verdict.Rejected<T>(var reason) -> throw new AssertionError(reason.toString());
        };
    }

    @BeforeEach
    void publish() throws Exception {
        pem(
                "root.pem",
                "CERTIFICATE",
                certificate(ROOT, root, ROOT, root.getPublic(), 1, true, Optional.empty())
                        .getEncoded());
        issuer(Optional.empty());
    }

    private void issuer(Optional<KeyPurposeId> purpose) throws Exception {
        pem(
                "issuer.pem",
                "CERTIFICATE",
                certificate(ROOT, root, ISSUER, issuer.getPublic(), 2, true, purpose)
                        .getEncoded());
    }

    private void pem(String name, String kind, byte[] der) throws Exception {
        String base64 = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
        Files.writeString(
                dir.resolve(name),
                "-----BEGIN " + kind + "-----\n" + base64 + "\n-----END " + kind + "-----\n",
                StandardCharsets.US_ASCII);
    }

    private X509CertificateHolder certificate(
            X500Name by,
            KeyPair key,
            X500Name of,
            PublicKey subject,
            int serial,
            boolean authority,
            Optional<KeyPurposeId> purpose)
            throws Exception {
        X509v3CertificateBuilder builder = new X509v3CertificateBuilder(
                        by,
                        BigInteger.valueOf(serial),
                        Date.from(now.minus(Duration.ofDays(1))),
                        Date.from(now.plus(Duration.ofDays(1000))),
                        of,
                        SubjectPublicKeyInfo.getInstance(subject.getEncoded()))
                .addExtension(Extension.basicConstraints, true, new BasicConstraints(authority))
                .addExtension(
                        Extension.keyUsage,
                        true,
                        new KeyUsage(authority ? KeyUsage.keyCertSign | KeyUsage.cRLSign : KeyUsage.keyAgreement));
        if (purpose.isPresent()) {
            builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(purpose.get()));
        }
        return builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate()));
    }

    private byte[] crl(X500Name by, KeyPair key, Instant until, int... revoked) throws Exception {
        X509v2CRLBuilder builder =
                new X509v2CRLBuilder(by, Date.from(now.minus(Duration.ofDays(60)))).setNextUpdate(Date.from(until));
        for (int serial : revoked) {
            builder.addCRLEntry(
                    BigInteger.valueOf(serial), Date.from(now.minus(Duration.ofDays(61))), CRLReason.keyCompromise);
        }
        return builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key.getPrivate()))
                .getEncoded();
    }

    private EnrolmentPolicy policy(boolean required, String... crls) throws Exception {
        Path file = Files.writeString(dir.resolve("enrolment.json"), """
                {"format":1, "intermediates":["issuer.pem"], "roots":[{"certificate":"root.pem", "grants":"hardware"}],
                 "crls":%s, "requireCrls":%s}
                """.formatted(
                        List.of(crls).stream().map(name -> '"' + name + '"').toList(), required));
        return accepted(EnrolmentPolicy.read(file));
    }

    private Verdict<EndorsementChain.Vouched> check(EnrolmentPolicy policy, Optional<KeyPurposeId> purpose)
            throws Exception {
        byte[] leaf = certificate(ISSUER, issuer, new X500Name("CN=TPM"), endorsement.key(), 77, false, purpose)
                .getEncoded();
        return EndorsementChain.check(Binary.copyOf(leaf), endorsement, policy, now);
    }

    private EndorsementChain.Vouched vouched(EnrolmentPolicy policy) throws Exception {
        return accepted(check(policy, Optional.of(ENDORSEMENT)));
    }

    private static void assertRefused(Verdict<EndorsementChain.Vouched> verdict, String why) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        refused -> assertThat(refused.reason().detail()).contains(why));
    }

    // --- Purpose ---

    @Test
    void aCertificateOfTheMakerForAnotherPurposeVouchesForNothing() throws Exception {
        assertThat(vouched(policy(false))).isEqualTo(new EndorsementChain.Vouched(Assurance.HARDWARE, false, false));
        assertRefused(check(policy(false), Optional.empty()), "purpose of endorsement");
        assertRefused(check(policy(false), Optional.of(KeyPurposeId.id_kp_serverAuth)), "purpose of endorsement");
        assertRefused(check(policy(false), Optional.of(KeyPurposeId.anyExtendedKeyUsage)), "purpose of endorsement");
    }

    @Test
    void anAuthorityForAnotherPurposeIssuesNoEndorsementCertificates() throws Exception {
        issuer(Optional.of(KeyPurposeId.id_kp_serverAuth));
        assertRefused(check(policy(false), Optional.of(ENDORSEMENT)), "no pinned root");
        issuer(Optional.of(ENDORSEMENT));
        vouched(policy(false));
        issuer(Optional.of(KeyPurposeId.anyExtendedKeyUsage));
        vouched(policy(false));
    }

    // --- Revocation ---

    @Test
    void whatItsMakerTookBackIsRevokedAlsoByAListThatIsOutOfDate() throws Exception {
        Files.write(dir.resolve("issuer.crl"), crl(ISSUER, issuer, now.plusSeconds(3600), 5, 77));
        assertThat(vouched(policy(false, "issuer.crl")).revoked()).isTrue();
        pem("issuer.pem.crl", "X509 CRL", crl(ISSUER, issuer, now.minusSeconds(3600), 77));
        assertThat(vouched(policy(false, "issuer.pem.crl")).revoked()).isTrue();
        Files.write(dir.resolve("root.crl"), crl(ROOT, root, now.plusSeconds(3600), 2));
        assertThat(vouched(policy(false, "root.crl")).revoked())
                .as("the issuer")
                .isTrue();
        Files.write(dir.resolve("other.crl"), crl(ISSUER, issuer, now.plusSeconds(3600), 5));
        assertThat(vouched(policy(false, "other.crl")).revoked()).isFalse();
    }

    /** Not even where anybody may wait for a person. */
    @Test
    void aDeviceWhoseMakerTookItsCertificateBackIsNotEnrolled() throws Exception {
        Files.write(dir.resolve("issuer.crl"), crl(ISSUER, issuer, now.plusSeconds(3600), 77));
        assertThat(accepted(grant(policy(false))))
                .isEqualTo(new EnrolmentPolicy.Grant(Assurance.HARDWARE, EnrolmentPolicy.Basis.CHAINED, ""));
        assertThat(grant(policy(false, "issuer.crl"))).isInstanceOfSatisfying(Verdict.Rejected.class, refused -> {
            assertThat(refused.reason().code()).isEqualTo(Code.ATT_ENROL);
            assertThat(refused.reason().detail()).contains("revoked");
        });
    }

    private Verdict<EnrolmentPolicy.Grant> grant(EnrolmentPolicy policy) throws Exception {
        byte[] leaf = certificate(
                        ISSUER, issuer, new X500Name("CN=TPM"), endorsement.key(), 77, false, Optional.of(ENDORSEMENT))
                .getEncoded();
        Binary none = Binary.empty();
        EnrolmentMessage.Request asked = new EnrolmentMessage.Request(
                "device-1",
                Assurance.HARDWARE,
                none,
                none,
                none,
                accepted(Binary.fromHex(TEMPLATE)),
                Binary.copyOf(leaf),
                none,
                none);
        return Verdict.of(() -> policy.grant(asked, endorsement, Clock.fixed(now, ZoneOffset.UTC)));
    }

    /** Otherwise whoever can put a file there, or a mirror of the maker, could shut devices out. */
    @Test
    void aListThatItsIssuerDidNotSignCountsForNothing() throws Exception {
        Files.write(dir.resolve("forged.crl"), crl(ISSUER, P256.generate(), now.plusSeconds(3600), 77));
        assertThat(vouched(policy(false, "forged.crl")).revoked()).isFalse();
        assertRefused(check(policy(true, "forged.crl"), Optional.of(ENDORSEMENT)), "in date");
    }

    @Test
    void whereListsAreRequiredEachIssuerNeedsOneThatIsInDate() throws Exception {
        Files.write(dir.resolve("issuer.crl"), crl(ISSUER, issuer, now.plusSeconds(3600)));
        Files.write(dir.resolve("root.crl"), crl(ROOT, root, now.plusSeconds(3600)));
        Files.write(dir.resolve("old.crl"), crl(ROOT, root, now.minusSeconds(3600)));
        assertThat(vouched(policy(true, "issuer.crl", "root.crl")).revoked()).isFalse();
        assertRefused(check(policy(true, "issuer.crl"), Optional.of(ENDORSEMENT)), "Maker root");
        assertRefused(check(policy(true, "issuer.crl", "old.crl"), Optional.of(ENDORSEMENT)), "Maker root");
    }

    @Test
    void aFileThatIsNoListIsToldWhenThePolicyIsRead() throws Exception {
        Random random = new Random(11);
        byte[] good = crl(ISSUER, issuer, now.plusSeconds(3600), 77);
        for (int i = 0; i < 300; i++) {
            byte[] bad = java.util.Arrays.copyOf(good, random.nextInt(good.length));
            if (bad.length > 0) {
                bad[random.nextInt(bad.length)] ^= 1;
            }
            Files.write(dir.resolve("bad.crl"), bad);
            Path file = Files.writeString(dir.resolve("bad.json"), "{\"format\":1, \"crls\":[\"bad.crl\"]}");
            assertThat(EnrolmentPolicy.read(file)).isInstanceOf(Verdict.Rejected.class);
        }
        Path none = Files.writeString(dir.resolve("none.json"), "{\"format\":1, \"crls\":[\"root.pem\"]}");
        assertThat(EnrolmentPolicy.read(none).toString()).contains("no revocation list in");
    }
}
