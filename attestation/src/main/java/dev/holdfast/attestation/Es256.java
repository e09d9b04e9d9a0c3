package dev.holdfast.attestation;

import dev.holdfast.tee.P256;
import dev.holdfast.wire.Sha256;
import java.math.BigInteger;
import java.security.interfaces.ECPublicKey;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.crypto.params.ECDomainParameters;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.signers.ECDSASigner;
import org.bouncycastle.math.ec.ECPoint;

/**
 * ES256 verification for the verifier, which does nothing else all day. Bouncy Castle's arithmetic for P-256 is several
 * times faster than the JDK's, whose operations take constant time although nothing here is secret. Tests hold both to
 * the same answers. Stateless and thread-safe.
 */
public final class Es256 {
    private static final ECDomainParameters CURVE = curve();

    /** With two keys each, a thousand devices; some 10 KB for each key. */
    private static final int MAX_KEYS = 2048;

    /**
     * Keys of enrolled devices with the multiples that Bouncy Castle keeps at their points: making those costs as much as a
     * verification. They follow from the key alone.
     */
    private static final Map<java.security.spec.ECPoint, ECPublicKeyParameters> ENROLLED = new ConcurrentHashMap<>();

    private Es256() {}

    /** Whether {@code signature} (r || s) over {@code digest} is by {@code key}. Never throws on odd bytes. */
    public static boolean verify(ECPublicKey key, Sha256 digest, byte[] signature) {
        return verify(parameters(key), digest, signature);
    }

    /** The same for a key that comes again and again. Not for keys that anyone may bring: there is room for so many only. */
    public static boolean verifyByEnrolled(ECPublicKey key, Sha256 digest, byte[] signature) {
        ECPublicKeyParameters known = ENROLLED.get(key.getW());
        if (known == null) {
            if (ENROLLED.size() >= MAX_KEYS) {
                ENROLLED.clear();
            }
            known = parameters(key);
            ENROLLED.put(key.getW(), known);
        }
        return verify(known, digest, signature);
    }

    /** The JDK's key is on the curve already: P256 admits no other. */
    private static ECPublicKeyParameters parameters(ECPublicKey key) {
        ECPoint point =
                CURVE.getCurve().createPoint(key.getW().getAffineX(), key.getW().getAffineY());
        return new ECPublicKeyParameters(point, CURVE);
    }

    private static boolean verify(ECPublicKeyParameters key, Sha256 digest, byte[] signature) {
        if (signature.length != P256.SIGNATURE_BYTES) {
            return false;
        }
        ECDSASigner signer = new ECDSASigner();
        signer.init(false, key);
        return signer.verifySignature(
                digest.toArray(),
                new BigInteger(1, Arrays.copyOf(signature, P256.FIELD_BYTES)),
                new BigInteger(1, Arrays.copyOfRange(signature, P256.FIELD_BYTES, P256.SIGNATURE_BYTES)));
    }

    private static ECDomainParameters curve() {
        X9ECParameters p256 = CustomNamedCurves.getByName("P-256");
        return new ECDomainParameters(p256.getCurve(), p256.getG(), p256.getN(), p256.getH());
    }
}
