package dev.holdfast.agent;

import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.release.AuthorityId;
import dev.holdfast.trust.release.TemplateDigest;
import dev.holdfast.updater.Measurements;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.util.Optional;

/** Writes what the installer puts into service to the attestation log. Used by the installer's thread. */
final class ModelMeasurements implements Measurements {
    private final EventLog log;
    private final Tokenizers tokenizers;
    private volatile Binary authority = Binary.empty();
    private boolean rollingBack;

    /** Knows the tokenizer's digest of a model that is loaded; absent where it is not, or nobody answers. */
    @FunctionalInterface
    interface Tokenizers {
        Optional<Sha256> of(Sha256 model);
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
        log.beforeServe(event(slot, rollingBack ? ModelEvent.Kind.ROLLBACK : ModelEvent.Kind.SERVE));
    }

    @Override
    public void afterServe() throws IOException, TeeException {
        rollingBack = false;
        log.afterServe();
    }

    @Override
    public void rolledBack(Slot slot, Rejection reason) {
        // The successor's own event says that it came by a rollback; the journal keeps the reason.
        rollingBack = true;
    }

    ModelEvent event(Slot slot, ModelEvent.Kind kind) {
        return event(slot, kind, tokenizers.of(slot.digest()));
    }

    ModelEvent event(Slot slot, ModelEvent.Kind kind, Optional<Sha256> tokenizer) {
        return new ModelEvent(
                kind,
                slot.model(),
                slot.version(),
                slot.digest(),
                authority,
                slot.target(),
                slot.epoch(),
                TemplateDigest.of(slot.template()),
                tokenizer);
    }
}
