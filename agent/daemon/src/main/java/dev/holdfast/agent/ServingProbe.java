package dev.holdfast.agent;

import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.ServingModel;
import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Asks the inference process which bytes it serves. The digest is the one that it hashed when it mapped the file, not the
 * one in the store's pointer; where the two differ, what serves is measured under no name, and no reference value fits.
 */
final class ServingProbe implements ServingModel {
    private static final String NAMELESS = "unknown";

    /** The store's pointer: which slots there are to name what serves. */
    @FunctionalInterface
    interface PointerFile {
        Optional<Pointer> read() throws IOException;
    }

    private final InferenceControl inference;
    private final PointerFile pointer;
    private final ModelMeasurements log;

    ServingProbe(InferenceControl inference, PointerFile pointer, ModelMeasurements log) {
        this.inference = inference;
        this.pointer = pointer;
        this.log = log;
    }

    @Override
    public Optional<ModelEvent> now() throws IOException {
        Optional<InferenceStatus.Loaded> serving = inference.status().serving();
        return serving.isEmpty()
                ? Optional.empty()
                : Optional.of(event(
                        pointer.read(), serving.get().digest(), serving.get().tokenizer()));
    }

    /** The tokenizer's digest of a model that serves or is about to. */
    static Optional<Sha256> tokenizer(InferenceControl inference, Sha256 model) {
        try {
            InferenceStatus status = inference.status();
            return Stream.of(status.serving(), status.candidate())
                    .flatMap(Optional::stream)
                    .filter(loaded -> loaded.digest().equals(model))
                    .findFirst()
                    .flatMap(InferenceStatus.Loaded::tokenizer);
        } catch (IOException e) {
            // The event then goes without; it is measured again, with it, before the next evidence.
            return Optional.empty();
        }
    }

    private ModelEvent event(Optional<Pointer> pointer, Sha256 digest, Optional<Sha256> tokenizer) {
        Stream<Slot> slots =
                pointer.stream().flatMap(one -> Stream.concat(Stream.of(one.serving()), one.fallback().stream()));
        return slots.filter(slot -> slot.digest().equals(digest))
                .findFirst()
                .map(slot -> log.event(slot, ModelEvent.Kind.SERVE, tokenizer))
                .orElseGet(() -> nameless(digest));
    }

    static ModelEvent nameless(Sha256 digest) {
        return new ModelEvent(
                ModelEvent.Kind.SERVE,
                NAMELESS,
                NAMELESS,
                digest,
                Binary.empty(),
                "",
                0,
                new Sha256(Binary.copyOf(new byte[Sha256.BYTES])),
                Optional.empty());
    }
}
