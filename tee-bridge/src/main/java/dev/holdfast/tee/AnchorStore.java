package dev.holdfast.tee;

import dev.holdfast.wire.Sha256;
import java.util.Optional;

/** Holds the hash of the factory root metadata: written once by a {@link Provisioner}, read at every start. */
public interface AnchorStore {
    Optional<Sha256> read() throws TeeException;
}
