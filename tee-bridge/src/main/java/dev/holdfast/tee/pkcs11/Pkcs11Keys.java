package dev.holdfast.tee.pkcs11;

import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.ProviderException;
import java.security.cert.Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.util.Date;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * The device's key in a token. Java sees a private key there only where a certificate is beside it, so one that the
 * key signed itself does: it says nothing and is sent to nobody.
 */
final class Pkcs11Keys {
    /** The key's handle in the token, and the public half that its certificate holds. */
    record Held(PrivateKey key, ECPublicKey publicKey) {}

    /** RFC 5280, 4.1.2.5: no well-defined expiration date. */
    private static final Instant NEVER = Instant.parse("9999-12-31T23:59:59Z");

    private Pkcs11Keys() {}

    /** Finds the key called {@code label}, or makes it: sensitive, not extractable. */
    static Held in(KeyStore token, Provider provider, String label) throws TeeException {
        try {
            if (!token.containsAlias(label)) {
                create(token, provider, label);
            }
            if (!(token.getKey(label, null) instanceof PrivateKey key)
                    || !(token.getCertificate(label).getPublicKey() instanceof ECPublicKey given)) {
                throw new TeeException(Code.TEE_REFUSED, label + " is not an EC key with a certificate");
            }
            if (key.getEncoded() != null || key.getFormat() != null) {
                throw new TeeException(Code.TEE_REFUSED, "the key " + label + " can be read out of its token");
            }
            if (given.getParams().getCurve().getField().getFieldSize() != 8 * P256.FIELD_BYTES) {
                throw new TeeException(Code.TEE_REFUSED, label + " is not on P-256");
            }
            return new Held(key, given);
        } catch (GeneralSecurityException | IOException | OperatorCreationException | ProviderException e) {
            throw Pkcs11Bridge.failure("the key " + label, e);
        }
    }

    private static void create(KeyStore token, Provider provider, String label)
            throws GeneralSecurityException, IOException, OperatorCreationException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", provider);
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair pair = generator.generateKeyPair();
        X500Name name = new X500Name("CN=Holdfast device key");
        byte[] certificate = new X509v3CertificateBuilder(
                        name,
                        BigInteger.ONE,
                        Date.from(Instant.EPOCH),
                        Date.from(NEVER),
                        name,
                        SubjectPublicKeyInfo.getInstance(pair.getPublic().getEncoded()))
                .build(new JcaContentSignerBuilder("SHA256withECDSA")
                        .setProvider(provider)
                        .build(pair.getPrivate()))
                .getEncoded();
        Certificate read = java.security.cert.CertificateFactory.getInstance("X.509")
                .generateCertificate(new java.io.ByteArrayInputStream(certificate));
        // The generated key lives in the session alone; this makes it last, and a crash before leaves nothing.
        token.setKeyEntry(label, pair.getPrivate(), null, new Certificate[] {read});
    }
}
