package dev.holdfast.tee;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.math.BigInteger;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECFieldFp;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.util.Base64;

/** The one curve of the device's keys, NIST P-256, on the JDK's own provider. Stateless and thread-safe. */
public final class P256 {
    /** Length of a coordinate or of one half of a signature. */
    public static final int FIELD_BYTES = 32;
    /** r || s. */
    public static final int SIGNATURE_BYTES = 64;

    private static final ECParameterSpec CURVE = curve();
    private static final BigInteger PRIME = ((ECFieldFp) CURVE.getCurve().getField()).getP();
    /** Signature over a digest that is computed already; r || s as COSE wants it. */
    private static final String ALGORITHM = "NONEwithECDSAinP1363Format";

    private P256() {}

    static ECParameterSpec parameters() {
        return CURVE;
    }

    /** A fresh software key pair. */
    public static KeyPair generate() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The key with these coordinates, or a rejection when the point is not on the curve. */
    public static Verdict<ECPublicKey> publicKey(Binary x, Binary y) {
        if (x.length() > FIELD_BYTES || y.length() > FIELD_BYTES) {
            return Verdict.rejected(Code.WIRE_FIELD, "a P-256 coordinate has 32 bytes at most");
        }
        BigInteger bigX = new BigInteger(1, x.toArray());
        BigInteger bigY = new BigInteger(1, y.toArray());
        if (!isOnCurve(bigX, bigY)) {
            return Verdict.rejected(Code.WIRE_FIELD, "the point is not on P-256");
        }
        try {
            return Verdict.accepted((ECPublicKey)
                    KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(new ECPoint(bigX, bigY), CURVE)));
        } catch (GeneralSecurityException e) {
            return Verdict.rejected(Code.WIRE_FIELD, "no P-256 key: " + e.getMessage());
        }
    }

    /** Reads x || y (64 bytes). */
    public static Verdict<ECPublicKey> publicKey(Binary xy) {
        if (xy.length() != 2 * FIELD_BYTES) {
            return Verdict.rejected(Code.WIRE_FIELD, "a P-256 key has 64 bytes");
        }
        byte[] bytes = xy.toArray();
        return publicKey(Binary.copyOf(bytes, 0, FIELD_BYTES), Binary.copyOf(bytes, FIELD_BYTES, FIELD_BYTES));
    }

    /** The key as x || y, 64 bytes. */
    public static Binary encode(ECPublicKey key) {
        byte[] xy = new byte[2 * FIELD_BYTES];
        System.arraycopy(field(key.getW().getAffineX()), 0, xy, 0, FIELD_BYTES);
        System.arraycopy(field(key.getW().getAffineY()), 0, xy, FIELD_BYTES, FIELD_BYTES);
        return Binary.copyOf(xy);
    }

    /** The key's thumbprint by RFC 9679: SHA-256 over the deterministic COSE_Key of its required members. */
    public static Sha256 thumbprint(ECPublicKey key) {
        byte[] xy = encode(key).toArray();
        return Sha256.of(CborWriter.write(Cbor.dict()
                .put(1, Cbor.of(2)) // kty: EC2
                .put(-1, Cbor.of(1)) // crv: P-256
                .put(-2, Cbor.of(Binary.copyOf(xy, 0, FIELD_BYTES)))
                .put(-3, Cbor.of(Binary.copyOf(xy, FIELD_BYTES, FIELD_BYTES)))
                .build()));
    }

    /** SubjectPublicKeyInfo in PEM, as OpenSSL and tpm2-tools read it. */
    public static String toPem(ECPublicKey key) {
        return "-----BEGIN PUBLIC KEY-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key.getEncoded())
                + "\n-----END PUBLIC KEY-----\n";
    }

    /** Whether {@code signatureP1363} (r || s) over {@code digest} is by {@code key}. Never throws on odd bytes. */
    public static boolean verify(ECPublicKey key, Sha256 digest, byte[] signatureP1363) {
        if (signatureP1363.length != SIGNATURE_BYTES) {
            return false;
        }
        try {
            Signature signature = Signature.getInstance(ALGORITHM);
            signature.initVerify(key);
            signature.update(digest.toArray());
            return signature.verify(signatureP1363);
        } catch (SignatureException | InvalidKeyException e) {
            return false;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Signs a digest in software; r || s. */
    public static byte[] sign(PrivateKey key, Sha256 digest) {
        try {
            Signature signature = Signature.getInstance(ALGORITHM);
            signature.initSign(key);
            signature.update(digest.toArray());
            return signature.sign();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** {@code value} as 32 bytes, big-endian. */
    public static byte[] field(BigInteger value) {
        byte[] out = new byte[FIELD_BYTES];
        byte[] raw = value.toByteArray();
        int from = Math.max(0, raw.length - FIELD_BYTES);
        System.arraycopy(raw, from, out, FIELD_BYTES - (raw.length - from), raw.length - from);
        return out;
    }

    private static boolean isOnCurve(BigInteger x, BigInteger y) {
        if (x.compareTo(PRIME) >= 0 || y.compareTo(PRIME) >= 0) {
            return false;
        }
        BigInteger right = x.modPow(BigInteger.valueOf(3), PRIME)
                .add(CURVE.getCurve().getA().multiply(x))
                .add(CURVE.getCurve().getB())
                .mod(PRIME);
        return y.multiply(y).mod(PRIME).equals(right);
    }

    private static ECParameterSpec curve() {
        try {
            AlgorithmParameters parameters = AlgorithmParameters.getInstance("EC");
            parameters.init(new ECGenParameterSpec("secp256r1"));
            return parameters.getParameterSpec(ECParameterSpec.class);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }
}
