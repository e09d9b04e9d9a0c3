package dev.holdfast.agent;

import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.ServingModels;
import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Asks the inference process which bytes it serves. The digest is the one that it hashed when it mapped the file, not the
 * one in the store's pointer; where slot and digest are not of one release that the pointer names, what serves is measured under no
 * name, and no reference value fits.
 */
final class ServingProbe implements ServingModels {
    private static final Sha256 NOTHING = new Sha256(Binary.copyOf(new byte[Sha256.BYTES]));
    /** A question that fails at once, since nobody listens, is asked again as often as evidence is wanted. */
    private static final long SLOW_NANOS = Duration.ofSeconds(1).toNanos();
    /** A process that let a question run out is left alone for so long, or each evidence would wait for it. */
    private static final long REST_NANOS = Duration.ofSeconds(5).toNanos();

    private final InferenceControl inference;
    private final Supplier<Pointer> pointer;
    private final ModelMeasurements log;
    private final LongSupplier nanoTime;
    private final AtomicReference<Optional<Long>> restsUntil = new AtomicReference<>(Optional.empty());

    ServingProbe(InferenceControl inference, Supplier<Pointer> pointer, ModelMeasurements log) {
        this(inference, pointer, log, System::nanoTime);
    }

    ServingProbe(InferenceControl inference, Supplier<Pointer> pointer, ModelMeasurements log, LongSupplier nanoTime) {
        this.inference = inference;
        this.pointer = pointer;
        this.log = log;
        this.nanoTime = nanoTime;
    }

    @Override
    public List<ModelEvent> now() throws IOException {
        InferenceStatus status = ask();
        Pointer known = pointer.get();
        List<ModelEvent> events = new ArrayList<>();
        List<Sha256> nameless = new ArrayList<>();
        for (InferenceStatus.Loaded loaded : status.serving()) {
            event(known, ModelEvent.Kind.SERVE, loaded)
                    .ifPresentOrElse(events::add, () -> nameless.add(loaded.digest()));
        }
        for (InferenceStatus.Loaded loaded : status.grace()) {
            event(known, ModelEvent.Kind.GRACE, loaded)
                    .ifPresentOrElse(events::add, () -> nameless.add(loaded.digest()));
        }
        // One of them is enough to refuse the evidence, and always the same one costs one event.
        nameless.stream()
                .min(Comparator.comparing(Sha256::hex))
                .map(ServingProbe::nameless)
                .ifPresent(events::add);
        return events;
    }

    private InferenceStatus ask() throws IOException {
        long begun = nanoTime.getAsLong();
        Optional<Long> rest = restsUntil.get();
        if (rest.isPresent() && begun - rest.get() < 0) {
            throw new IOException("the inference process let the last question run out a moment ago");
        }
        try {
            return inference.status();
        } catch (IOException e) {
            long now = nanoTime.getAsLong();
            restsUntil.set(now - begun >= SLOW_NANOS ? Optional.of(now + REST_NANOS) : Optional.empty());
            throw e;
        }
    }

    /** The tokenizer's digest of a slot that serves or is about to. */
    static Optional<Sha256> tokenizer(InferenceControl inference, SlotId slot) {
        try {
            return inference.status().loaded(slot).flatMap(InferenceStatus.Loaded::tokenizer);
        } catch (IOException e) {
            // The event then goes without; it is measured again, with it, before the next evidence.
            return Optional.empty();
        }
    }

    private Optional<ModelEvent> event(Pointer pointer, ModelEvent.Kind kind, InferenceStatus.Loaded loaded) {
        return pointer.slot(loaded.slot())
                .filter(slot ->
                        slot.digest().equals(loaded.digest()) && slot.model().equals(loaded.model()))
                .map(slot -> log.event(slot, kind, loaded.tokenizer()))
                .or(() -> log.leaving(kind, loaded));
    }

    static ModelEvent nameless(Sha256 digest) {
        return new ModelEvent(
                ModelEvent.Kind.SERVE,
                ModelName.UNKNOWN,
                ModelName.UNKNOWN,
                digest,
                Binary.empty(),
                "",
                0,
                0,
                NOTHING,
                NOTHING,
                Optional.empty());
    }
}
