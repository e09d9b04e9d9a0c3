package dev.holdfast.updater;

import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.ServingSet;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * What the models of the device have to do with each other: which of them the inference process keeps, which one is the default, and
 * which are on trial. What the pointer names stays, and so does every model that is being installed: a
 * candidate is not lost because another model goes. Thread-safe.
 */
final class ServingSets {
    private final ModelStore store;
    private final InstallJournal journal;
    private final InferenceControl inference;
    private final Trials trials = new Trials();
    private volatile Set<String> leaving = Set.of();
    private volatile Optional<String> wanted = Optional.empty();

    ServingSets(ModelStore store, InstallJournal journal, InferenceControl inference) {
        this.store = store;
        this.journal = journal;
        this.inference = inference;
    }

    Trials trials() {
        return trials;
    }

    /**
     * Says what the newest order wants of the set.
     *
     * @param names models that are to be retired
     * @param byDefault the model that is to answer requests which name none
     */
    void want(Set<String> names, Optional<String> byDefault) {
        leaving = Set.copyOf(names);
        wanted = byDefault;
    }

    /** Whether the newest order wants this model to be the default. */
    boolean wantsAsDefault(String model) {
        return wanted.equals(Optional.of(model));
    }

    /** Models that still serve although the newest order drops them: what they take comes back. */
    Set<String> leaving() {
        Set<String> left = new TreeSet<>(leaving);
        left.retainAll(store.pointer().models().keySet());
        return left;
    }

    /** The line of the journal with which an install begins. */
    @FunctionalInterface
    interface Beginning {
        InstallRecord write() throws IOException;
    }

    /** Begins an install; while {@link #tell} is at work it waits, so that the set names its model or does not see it. */
    synchronized InstallRecord begin(Beginning beginning) throws IOException {
        return beginning.write();
    }

    /** Has everything else unloaded, and the default made the default; why not, where the process does not answer. */
    synchronized Optional<Rejection> tell() {
        Pointer pointer = store.pointer();
        SortedSet<String> names = new TreeSet<>(pointer.models().keySet());
        journal.unfinished().forEach(record -> names.add(record.slot().model()));
        try {
            Map<SlotId, Long> grace = new LinkedHashMap<>();
            pointer.grace()
                    .limit(ModelName.MAX_GRACED)
                    .forEach(each -> grace.put(each.slot().slotId(), each.untilSeconds()));
            inference.keep(new ServingSet(pointer.byDefault(), names, grace, pointer.drafts()));
            return Optional.empty();
        } catch (IOException e) {
            return Optional.of(new Rejection(
                    Code.INS_CANDIDATE_LOST,
                    "the inference process does not take its set of models: " + FailureText.of(e)));
        }
    }
}
