package dev.holdfast.attestation;

import java.io.IOException;
import java.util.List;

/** Tells which models answer requests now. Asked before each evidence; may block for a while. Thread-safe. */
@FunctionalInterface
public interface ServingModels {
    /**
     * The models in service and the releases in their grace, each as an event that the log would hold for it, one of each {@link
     * ModelEvent#place}; empty where none is loaded.
     *
     * @throws IOException where the process that serves does not answer
     */
    List<ModelEvent> now() throws IOException;
}
