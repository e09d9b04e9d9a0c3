package dev.holdfast.agent;

import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.EventLogFullException;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.release.AuthorityId;
import dev.holdfast.updater.Measurements;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Writes what the installer puts into service to the attestation log. Thread-safe. */
final class ModelMeasurements implements Measurements {
    private final EventLog log;
    private final Tokenizers tokenizers;
    private final Set<String> rollingBack = ConcurrentHashMap.newKeySet();
    private volatile Binary authority = Binary.empty();

    /** Knows the tokenizer's digest of a model that is loaded; absent where it is not, or nobody answers. */
    @FunctionalInterface
    interface Tokenizers {
        Optional<Sha256> of(SlotId slot);
    }

    ModelMeasurements(EventLog log, Tokenizers tokenizers) {
        this.log = log;
        this.tokenizers = tokenizers;
    }

    /** The key id of the update anchor under which models are published. */
    void authority(String keyId) {
        authority = AuthorityId.of(keyId);
    }

    @Override
    public void beforeServe(Slot slot) throws IOException, TeeException {
        ModelEvent.Kind kind = rollingBack.contains(slot.model()) ? ModelEvent.Kind.ROLLBACK : ModelEvent.Kind.SERVE;
        ModelEvent event = event(slot, kind, tokenizers.of(slot.slotId()));
        write(() -> log.beforeServe(event));
    }

    private interface Entry {
        void write() throws IOException, TeeException;
    }

    /** A full log is empty again after a restart of the device: what cannot be measured now is put off, not refused for good. */
    private static void write(Entry entry) throws IOException, TeeException {
        try {
            entry.write();
        } catch (EventLogFullException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public void afterServe(String model) throws IOException, TeeException {
        rollingBack.remove(model);
        log.afterServe(model);
    }

    @Override
    public void rolledBack(Slot slot) {
        // The successor's own event says that it came by a rollback; the journal keeps the reason.
        rollingBack.add(slot.model());
    }

    @Override
    public void retired(String model) throws IOException, TeeException {
        rollingBack.remove(model);
        write(() -> log.retired(model));
    }

    @Override
    public Set<String> named() {
        return log.serving().keySet();
    }

    @Override
    public void graced(Slot slot) throws IOException, TeeException {
        ModelEvent event = event(slot, ModelEvent.Kind.GRACE, tokenizers.of(slot.slotId()));
        write(() -> log.graced(event));
    }

    @Override
    public void graceEnded(SlotId slot) throws IOException, TeeException {
        write(() -> log.graceEnded(slot));
    }

    @Override
    public Set<SlotId> graces() {
        return log.graces().stream().map(ModelEvent::slot).collect(Collectors.toSet());
    }

    /** Has the log name every release that the pointer does. */
    void ensure(Pointer pointer) throws IOException, TeeException {
        List<ModelEvent> events = new ArrayList<>();
        for (PointerEntry entry : pointer.models().values()) {
            Slot slot = entry.serving();
            events.add(event(slot, ModelEvent.Kind.SERVE, tokenizers.of(slot.slotId())));
            for (Pointer.Grace each : entry.grace()) {
                Slot older = each.slot();
                events.add(event(older, ModelEvent.Kind.GRACE, tokenizers.of(older.slotId())));
            }
        }
        log.ensureServing(events);
    }

    /** What the log says of a model, or of a release in its grace, that the pointer names no more and that still serves what was measured. */
    Optional<ModelEvent> leaving(ModelEvent.Kind kind, InferenceStatus.Loaded loaded) {
        Stream<ModelEvent> named = kind.isOfGrace() ? log.graces().stream() : log.serving().values().stream();
        return named.filter(event -> event.model().equals(loaded.model())
                        && event.slot().equals(loaded.slot())
                        && event.digest().equals(loaded.digest()))
                .findFirst();
    }

    /** What the log holds of a slot in service, with the tokenizer that the process which parsed it reports. */
    ModelEvent event(Slot slot, ModelEvent.Kind kind, Optional<Sha256> tokenizer) {
        return new ModelEvent(
                kind,
                slot.model(),
                slot.version(),
                slot.digest(),
                authority,
                slot.target(),
                slot.release(),
                slot.epoch(),
                CanonicalJson.digest(slot.template()),
                CanonicalJson.digest(slot.gate()),
                tokenizer);
    }
}
