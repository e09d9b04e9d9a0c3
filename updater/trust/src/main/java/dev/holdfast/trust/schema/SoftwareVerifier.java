package dev.holdfast.trust.schema;

import dev.holdfast.tee.AnchorVerifier;
import dev.holdfast.wire.Sha256;
import java.security.GeneralSecurityException;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;

/** Verifies in this process what a device lets its TEE verify: for machines of operators, which have none. */
public final class SoftwareVerifier implements AnchorVerifier {
    @Override
    public boolean verify(ECPublicKey key, Sha256 digest, byte[] p1363) {
        try {
            Signature check = Signature.getInstance("NONEwithECDSAinP1363Format");
            check.initVerify(key);
            check.update(digest.value().toArray());
            return check.verify(p1363);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }
}
