package dev.holdfast.updater;

import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.ServingSet;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Tells the inference process which models to keep. What the pointer names stays, and so does every model that is being installed: a
 * candidate is not lost because another model goes. Thread-safe.
 */
final class ServingSets {
    private final ModelStore store;
    private final InstallJournal journal;
    private final InferenceControl inference;

    ServingSets(ModelStore store, InstallJournal journal, InferenceControl inference) {
        this.store = store;
        this.journal = journal;
        this.inference = inference;
    }

    /** An operation that makes an install begin. */
    @FunctionalInterface
    interface Beginning {
        void run() throws IOException;
    }

    /** Begins an install; while {@link #tell} is at work it waits, so that the set names its model or does not see it. */
    synchronized void begin(Beginning beginning) throws IOException {
        beginning.run();
    }

    /** Has every other model unloaded, and the default made the default; why not, where the process does not answer. */
    synchronized Optional<Rejection> tell() {
        Pointer pointer = store.pointer();
        Set<String> names = new TreeSet<>(pointer.models().keySet());
        journal.unfinished().forEach(record -> names.add(record.slot().model()));
        try {
            inference.keep(new ServingSet(pointer.byDefault(), names));
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(new Rejection(
                    Code.INS_CANDIDATE_LOST,
                    "the inference process does not take its set of models: " + e.getMessage()));
        }
    }
}
