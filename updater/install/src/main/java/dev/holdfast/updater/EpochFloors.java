package dev.holdfast.updater;

import dev.holdfast.tee.TeeException;
import java.io.IOException;

/** The lowest security epoch that this device accepts of each model: it only rises, and a disk put back does not lower it. Thread-safe. */
public interface EpochFloors {
    /**
     * The floor of a model; 0 where none of its releases was ever committed.
     *
     * @throws TeeException where the TEE does not let it be known
     */
    long of(String model) throws IOException, TeeException;

    /** Raises the floor of a model; does nothing where it is as high already. Durable when it returns. */
    void raise(String model, long epoch) throws IOException, TeeException;
}
