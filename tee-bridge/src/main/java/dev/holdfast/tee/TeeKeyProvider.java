package dev.holdfast.tee;

import dev.holdfast.tee.tpm.TpmWriter;
import dev.holdfast.wire.Sha256;
import java.math.BigInteger;
import java.security.InvalidKeyException;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.PublicKey;
import java.security.Security;
import java.security.SignatureException;
import java.security.SignatureSpi;
import java.security.interfaces.ECKey;
import java.security.spec.AlgorithmParameterSpec;
import java.security.spec.ECParameterSpec;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A JCA provider of one service: {@code SHA256withECDSA} with a key that stays in the TEE, which is what TLS 1.2 and 1.3
 * need of a client. It goes last in the list of providers and takes no key but its own, so that every other signature
 * is made where it was made before (JCA's choice of a provider by the key's class).
 */
public final class TeeKeyProvider extends Provider {
    private static final long serialVersionUID = 1L;
    private static final String NAME = "HoldfastTee";

    private TeeKeyProvider() {
        super(NAME, "1", "ECDSA P-256 by a key in the TEE");
        putService(
                new Service(
                        this,
                        "Signature",
                        "SHA256withECDSA",
                        TeeSignature.class.getName(),
                        List.of(),
                        Map.of("SupportedKeyClasses", TeeKey.class.getName())) {
                    @Override
                    public Object newInstance(@Nullable Object parameter) {
                        return new TeeSignature();
                    }
                });
    }

    /** The signer's key as JSSE takes it. Installs the provider once per JVM. */
    public static PrivateKey keyOf(DeviceSigner signer) {
        synchronized (TeeKeyProvider.class) {
            if (Security.getProvider(NAME) == null) {
                Security.addProvider(new TeeKeyProvider());
            }
        }
        return new TeeKey(signer);
    }

    /** A private key without a value. */
    private static final class TeeKey implements PrivateKey, ECKey {
        private static final long serialVersionUID = 1L;

        private final transient DeviceSigner signer;

        TeeKey(DeviceSigner signer) {
            this.signer = signer;
        }

        @Override
        public String getAlgorithm() {
            return "EC";
        }

        @Override
        public @Nullable String getFormat() {
            return null;
        }

        @Override
        public byte @Nullable [] getEncoded() {
            return null;
        }

        @Override
        public ECParameterSpec getParams() {
            return P256.parameters();
        }
    }

    /** Hashes in software, signs in the TEE. */
    private static final class TeeSignature extends SignatureSpi {
        private final MessageDigest digest = Sha256.newDigest();
        private @Nullable TeeKey key;

        @Override
        protected void engineInitVerify(PublicKey publicKey) throws InvalidKeyException {
            throw new InvalidKeyException("signs only");
        }

        @Override
        protected void engineInitSign(PrivateKey privateKey) throws InvalidKeyException {
            if (!(privateKey instanceof TeeKey held)) {
                throw new InvalidKeyException("not a key of a TEE");
            }
            key = held;
            digest.reset();
        }

        @Override
        protected void engineUpdate(byte octet) {
            digest.update(octet);
        }

        @Override
        protected void engineUpdate(byte[] bytes, int offset, int length) {
            digest.update(bytes, offset, length);
        }

        @Override
        protected byte[] engineSign() throws SignatureException {
            TeeKey held = key;
            if (held == null) {
                throw new SignatureException("no key");
            }
            try {
                return der(held.signer.sign(Sha256.finish(digest)));
            } catch (TeeException e) {
                throw new SignatureException(e.getMessage(), e);
            }
        }

        @Override
        protected boolean engineVerify(byte[] signature) throws SignatureException {
            throw new SignatureException("signs only");
        }

        @Override
        protected void engineSetParameter(AlgorithmParameterSpec parameters) {
            // JSSE sets none for ECDSA; there is nothing that could be set.
        }

        @Override
        @Deprecated
        protected void engineSetParameter(String name, Object value) {
            throw new UnsupportedOperationException();
        }

        @Override
        @Deprecated
        protected Object engineGetParameter(String name) {
            throw new UnsupportedOperationException();
        }

        /** r || s as ECDSA-Sig-Value (RFC 3279, 2.2.3); both numbers are short, so each length is one byte. */
        private static byte[] der(byte[] p1363) {
            byte[] r = new BigInteger(1, Arrays.copyOf(p1363, P256.FIELD_BYTES)).toByteArray();
            byte[] s = new BigInteger(1, Arrays.copyOfRange(p1363, P256.FIELD_BYTES, p1363.length)).toByteArray();
            return new TpmWriter()
                    .u8(0x30)
                    .u8(4 + r.length + s.length)
                    .u8(0x02)
                    .u8(r.length)
                    .bytes(r)
                    .u8(0x02)
                    .u8(s.length)
                    .bytes(s)
                    .toArray();
        }
    }
}
