package dev.holdfast.trust.client;

import dev.holdfast.tee.AnchorStore;
import dev.holdfast.tee.DeviceSigner;
import dev.holdfast.tee.MonotonicCounter;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.util.Optional;

/** A TEE in memory with real arithmetic; {@link #away} makes it fail. */
public final class FakeTee {
    private final KeyPair pair = keyPair();
    /** Which counter it is, {@link MonotonicCounter#identity}. */
    String counter = "";
    /** Whether somebody removed it. */
    boolean counterGone;

    private Optional<Sha256> anchor = Optional.empty();
    public long generation;
    /** The record is written, the counter is not moved. */
    boolean generationStuck;

    boolean away;
    int verifications;

    public TrustAnchors anchors() {
        return new TrustAnchors(store(), this::verify, signer(), generations());
    }

    private boolean verify(ECPublicKey publicKey, Sha256 digest, byte[] signature) throws TeeException {
        requireHere();
        verifications++;
        try {
            Signature check = Signature.getInstance("NONEwithECDSAinP1363Format");
            check.initVerify(publicKey);
            check.update(digest.toArray());
            return check.verify(signature);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private void requireHere() throws TeeException {
        if (away) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "away");
        }
    }

    AnchorStore store() {
        return () -> {
            requireHere();
            return anchor;
        };
    }

    /** Another hash in the place of the anchor, and nothing else. */
    public void anchor(Sha256 factoryRoot) {
        anchor = Optional.of(factoryRoot);
    }

    /** What {@code holdfast provision} does. */
    public void provision(Path stateDir, Path factoryRoot) throws IOException, RejectedException {
        DeviceRecord.begin(stateDir, factoryRoot, anchors()).orThrow();
        anchor(Sha256.ofFile(factoryRoot));
    }

    DeviceSigner signer() {
        return new DeviceSigner() {
            @Override
            public ECPublicKey publicKey() {
                return (ECPublicKey) pair.getPublic();
            }

            @Override
            public byte[] sign(Sha256 digest) throws TeeException {
                requireHere();
                try {
                    Signature signature = Signature.getInstance("NONEwithECDSAinP1363Format");
                    signature.initSign(pair.getPrivate());
                    signature.update(digest.toArray());
                    return signature.sign();
                } catch (GeneralSecurityException e) {
                    throw new AssertionError(e);
                }
            }
        };
    }

    private MonotonicCounter generations() {
        return new MonotonicCounter() {
            @Override
            public long read() throws TeeException {
                requireHere();
                if (counterGone) {
                    throw new TeeException(Code.TEE_STATE, "there is no counter");
                }
                return generation;
            }

            @Override
            public String identity() {
                return counter;
            }

            @Override
            public void advanceTo(long value) throws TeeException {
                requireHere();
                if (generationStuck) {
                    throw new TeeException(Code.TEE_UNAVAILABLE, "the power went");
                }
                generation = Math.max(generation, value);
            }
        };
    }

    private static KeyPair keyPair() {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new AssertionError(e);
        }
    }
}
