package dev.holdfast.attestation;

import java.io.IOException;
import java.util.Optional;

/** Tells which model answers requests now. Asked before each evidence; may block for a while. Thread-safe. */
@FunctionalInterface
public interface ServingModel {
    /**
     * The model in service, as an event that the log would hold for it; empty where none is loaded.
     *
     * @throws IOException where the process that serves does not answer
     */
    Optional<ModelEvent> now() throws IOException;
}
