package dev.holdfast.updater;

import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The releases of all models that answer to their pinned names for a while. An order says which; of those, the pointer names what was
 * committed here and is here still, nothing is fetched for it. A release is in the pointer while it still serves by the bare name, too,
 * so that the swap to its successor leaves it loaded.
 *
 * <p>It begins by event log, pointer, inference process, and ends by pointer, inference process, event log: whatever serves was
 * measured before. What was cut off, or refused by TEE, process or memory, is done by the next {@link #tend}. Thread-safe; no caller
 * but that of {@code tend} waits for a load.
 */
final class Graces {
    private static final Logger LOG = LoggerFactory.getLogger(Graces.class);

    /** Between two looks at the process while anything is in its grace: it may have begun anew, or memory may be free again. */
    static final Duration LOOKS = Duration.ofMinutes(1);

    private final ModelStore store;
    private final InstallJournal journal;
    private final InstallerPorts ports;
    private final ServingSets sets;
    /** Of each model what its order names and the pointer does not. */
    private final Map<String, List<GracedRelease>> refused = new ConcurrentHashMap<>();
    /** Why a release that the pointer names is not loaded. */
    private final Map<SlotId, Failure> unloaded = new ConcurrentHashMap<>();
    /** Whether the process knows what the pointer names; empty while this agent has not looked yet. */
    private Optional<Boolean> told = Optional.empty();

    /** @param again when it is tried again at the earliest */
    private record Failure(Rejection why, Instant again) {}

    Graces(ModelStore store, InstallJournal journal, InstallerPorts ports, ServingSets sets) {
        this.store = store;
        this.journal = journal;
        this.ports = ports;
        this.sets = sets;
    }

    /** Takes over what an order says of all models. */
    void want(Order order) throws IOException {
        for (ModelOrder model : order.models()) {
            want(model);
        }
        refused.keySet()
                .retainAll(order.models().stream()
                        .map(model -> model.model().model())
                        .toList());
    }

    /** Takes over what an order says of one model. What the order does not name any more ends. */
    synchronized void want(ModelOrder order) throws IOException {
        String model = order.model().model();
        Optional<PointerEntry> entry = store.pointer().model(model);
        Instant now = ports.clock().instant();
        List<Pointer.Grace> stay = new ArrayList<>();
        List<GracedRelease> not = new ArrayList<>();
        for (ModelOrder.Grace each : order.grace()) {
            Pointer.Grace grace = new Pointer.Grace(TargetSlot.of(each.model()), each.untilSeconds());
            if (grace.until().isAfter(now)) {
                Optional<Rejection> why = entry.isEmpty()
                        ? Optional.of(new Rejection(Code.INS_GRACE, "nothing of " + model + " serves here yet"))
                        : refusal(grace.slot(), order, stay.size()).or(() -> measure(grace.slot()));
                why.ifPresentOrElse(
                        reason -> not.add(new GracedRelease(grace.slot(), grace.until(), Optional.of(reason))),
                        () -> stay.add(grace));
            }
        }
        refuse(model, not);
        if (entry.isPresent() && !stay.equals(entry.get().grace())) {
            point(model, stay);
            settle();
        }
    }

    private void refuse(String model, List<GracedRelease> not) {
        List<GracedRelease> before = not.isEmpty() ? refused.remove(model) : refused.put(model, not);
        if (!not.equals(before)) {
            not.forEach(each -> warn(each.slot(), each.unserved().orElseThrow()));
        }
    }

    private static void warn(Slot slot, Rejection why) {
        LOG.warn("{} in its grace is not served: {}", slot, why);
    }

    private Optional<Rejection> refusal(Slot slot, ModelOrder order, int before) throws IOException {
        try {
            // The release that is to serve raises the floor when it is committed; nothing below that stays until then.
            long least = Math.max(
                    order.model().epoch(), ports.epochFloors().of(order.model().model()));
            if (slot.epoch() < least) {
                return Optional.of(
                        new Rejection(Code.UPD_EPOCH, "epoch " + slot.epoch() + ", at least " + least + " may serve"));
            }
        } catch (TeeException e) {
            return Optional.of(new Rejection(e.code(), "epoch floor: " + e.getMessage()));
        }
        if (ports.withdrawals().has(slot)) {
            return Optional.of(new Rejection(Code.UPD_WITHDRAWN, slot.target() + " was withdrawn"));
        }
        if (!wasCommitted(slot) || !store.has(slot.digest())) {
            return Optional.of(new Rejection(Code.INS_GRACE, "it never was in service here, or its file is gone"));
        }
        long others = store.pointer()
                .grace()
                .filter(each -> !each.slot().model().equals(slot.model()))
                .count();
        return others + before < ModelName.MAX_GRACED
                ? Optional.empty()
                : Optional.of(
                        new Rejection(Code.INS_GRACE, ModelName.MAX_GRACED + " releases are in their grace already"));
    }

    /** One that was rolled back is not good enough to stay, whatever came before. */
    private boolean wasCommitted(Slot slot) {
        return journal.records(slot.model()).reversed().stream()
                .filter(record -> record.slot().slotId().equals(slot.slotId())
                        && (record.state() == InstallState.COMMITTED || record.state() == InstallState.ROLLED_BACK))
                .findFirst()
                .filter(record -> record.state() == InstallState.COMMITTED)
                .isPresent();
    }

    /** Why the event log does not name it; empty where it does. */
    private Optional<Rejection> measure(Slot slot) {
        if (ports.measurements().graces().contains(slot.slotId())) {
            return Optional.empty();
        }
        try {
            ports.measurements().graced(slot);
            return Optional.empty();
        } catch (TeeException e) {
            return Optional.of(new Rejection(e.code(), "measurement: " + e.getMessage()));
        } catch (IOException e) {
            return Optional.of(new Rejection(Code.INS_STORAGE, "measurement: " + FailureText.of(e)));
        }
    }

    private void point(String model, List<Pointer.Grace> stay) throws IOException {
        told = Optional.of(false);
        store.point(pointer -> pointer.model(model)
                .map(entry -> pointer.with(entry.grace(stay)))
                .orElse(pointer));
    }

    /**
     * Has the process and then the log know what the pointer names no more.
     *
     * @return whether that is done; the next call does what is left
     */
    private boolean settle() throws IOException {
        Set<SlotId> named =
                store.pointer().grace().map(each -> each.slot().slotId()).collect(Collectors.toSet());
        Set<SlotId> over = new HashSet<>(ports.measurements().graces());
        over.removeAll(named);
        unloaded.keySet().retainAll(named);
        // A process that was told by an agent before this one may know of what the pointer says nothing about.
        if (!told.orElse(named.isEmpty() && over.isEmpty())) {
            told = Optional.of(sets.tell().isEmpty());
            if (!told.get()) {
                return false;
            }
        }
        boolean whole = true;
        for (SlotId slot : over) {
            try {
                ports.measurements().graceEnded(slot);
            } catch (TeeException e) {
                LOG.warn("the end of a grace is not measured yet: {}", e.rejection());
                whole = false;
            }
        }
        if (!over.isEmpty()) {
            store.collect(journal.unfinished().stream().map(InstallRecord::slot).toList());
        }
        return whole;
    }

    /**
     * Ends what is over, and what must not serve any more. Waits for no load.
     *
     * @return whether that is done; the next call does what is left
     */
    synchronized boolean end() throws IOException {
        Instant now = ports.clock().instant();
        for (Map.Entry<String, PointerEntry> each : store.pointer().models().entrySet()) {
            List<Pointer.Grace> grace = each.getValue().grace();
            long floor = floor(each.getKey());
            List<Pointer.Grace> stay = grace.stream()
                    .filter(one -> one.until().isAfter(now)
                            && one.slot().epoch() >= floor
                            && !ports.withdrawals().has(one.slot())
                            && store.has(one.slot().digest()))
                    .toList();
            if (stay.size() < grace.size()) {
                grace.stream()
                        .filter(one -> !stay.contains(one))
                        .forEach(one -> LOG.info("the grace of {} is over", one.slot()));
                point(each.getKey(), stay);
            }
        }
        for (Pointer.Grace each : store.pointer().grace().toList()) {
            measure(each.slot()).ifPresent(why -> note(each.slot(), why));
        }
        return settle();
    }

    /** A TEE that does not let it be known stops nothing that serves. */
    private long floor(String model) throws IOException {
        try {
            return ports.epochFloors().of(model);
        } catch (TeeException e) {
            return 0;
        }
    }

    /** Takes a release out whose file is damaged, so that no request uses it. The order brings it back when it is whole. */
    synchronized void drop(Sha256 digest) throws IOException {
        for (Map.Entry<String, PointerEntry> each : store.pointer().models().entrySet()) {
            List<Pointer.Grace> grace = each.getValue().grace();
            Predicate<Pointer.Grace> damaged = one -> one.slot().digest().equals(digest);
            if (grace.stream().anyMatch(damaged)) {
                point(each.getKey(), grace.stream().filter(damaged.negate()).toList());
            }
        }
        settle();
    }

    /**
     * Ends what is over, and has the inference process load what should answer and does not: one after the other, which may take minutes.
     *
     * @return when to call again; empty where nothing is in its grace
     */
    Optional<Instant> tend() throws IOException {
        boolean whole = end();
        Set<SlotId> measured = ports.measurements().graces();
        for (Pointer.Grace each : store.pointer().grace().toList()) {
            if (measured.contains(each.slot().slotId())) {
                load(each.slot());
            }
        }
        Instant next = ports.clock().instant().plus(LOOKS);
        Optional<Instant> first =
                store.pointer().grace().map(Pointer.Grace::until).min(Comparator.naturalOrder());
        return first.isEmpty() && whole
                ? Optional.empty()
                : first.filter(until -> until.isBefore(next)).or(() -> Optional.of(next));
    }

    private void load(Slot slot) {
        Failure last = unloaded.get(slot.slotId());
        Instant now = ports.clock().instant();
        // A clock that was set back must not hold it up for as long.
        if (last != null && now.isBefore(last.again) && !now.isBefore(last.again.minus(LOOKS))) {
            return;
        }
        // Of another name than any model's, so that a load which ends the process is held against nobody's trial.
        String trial = slot.id();
        try {
            InferenceStatus status = ports.inference().status();
            if (!status.serves(slot.slotId()) && !status.graces(slot.slotId())) {
                sets.trials().begin(trial, Trials.Stage.LOADING);
                GateReport report = ports.inference().grace(slot);
                if (report.failure().isPresent()) {
                    tellAgain();
                    note(slot, report.failure().get());
                    return;
                }
                LOG.info("{} answers to its pinned name", slot);
            }
            unloaded.remove(slot.slotId());
        } catch (IOException e) {
            note(slot, new Rejection(Code.INS_CANDIDATE_LOST, FailureText.of(e)));
        } finally {
            sets.trials().end(trial);
        }
    }

    /** A process that began anew may know less than the one before. */
    private synchronized void tellAgain() {
        told = Optional.of(false);
    }

    private void note(Slot slot, Rejection why) {
        Failure last = unloaded.put(
                slot.slotId(), new Failure(why, ports.clock().instant().plus(LOOKS)));
        if (last == null || !last.why.equals(why)) {
            warn(slot, why);
        }
    }

    /** What an order lets stay of a model, served or not. */
    List<GracedRelease> of(String model) {
        List<GracedRelease> served = store.pointer().model(model).map(PointerEntry::grace).orElse(List.of()).stream()
                .map(each -> new GracedRelease(
                        each.slot(),
                        each.until(),
                        Optional.ofNullable(unloaded.get(each.slot().slotId())).map(Failure::why)))
                .toList();
        return Stream.concat(served.stream(), refused.getOrDefault(model, List.of()).stream())
                .toList();
    }
}
