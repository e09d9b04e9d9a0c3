package dev.holdfast.tee;

import dev.holdfast.wire.Sha256;
import java.util.Optional;

/** Holds the hash of the factory root metadata: written once at provisioning, read at every start. */
public interface AnchorStore {
    Optional<Sha256> read() throws TeeException;

    /** Stores {@code factoryRoot} for good. Storing the same value again does nothing; another value is refused. */
    void provision(Sha256 factoryRoot) throws TeeException;
}
