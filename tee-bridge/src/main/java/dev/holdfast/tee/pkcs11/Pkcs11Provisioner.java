package dev.holdfast.tee.pkcs11;

import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.Provisioner;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.util.List;

/** A token keeps the device's key alone, which opening it makes; so there is only something to remove. */
record Pkcs11Provisioner(Removal removal) implements Provisioner {
    /** Removes key and certificate, and says what it removed. */
    @FunctionalInterface
    interface Removal {
        String remove() throws TeeException;
    }

    @Override
    public void anchor(Sha256 factoryRoot, AuthValue owner) throws TeeException {
        throw new TeeException(Code.TEE_REFUSED, "a token keeps no factory root");
    }

    @Override
    public List<String> remove(AuthValue owner) throws TeeException {
        return List.of(removal.remove());
    }
}
