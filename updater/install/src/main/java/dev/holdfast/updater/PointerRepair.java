package dev.holdfast.updater;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Makes the pointer name bytes that hash right, of each model by itself: what it names, else the fallback, else the last committed
 * release. A release in its grace whose bytes do not hash right is in it no more. Looks at the disk and the event log alone.
 */
final class PointerRepair {
    /** How long a release stays whose time is lost: the next order names it with its own, or no more. */
    private static final Duration UNSAID = Duration.ofDays(1);

    private final ModelStore store;
    private final InstallJournal journal;
    private final InstallerPorts ports;

    PointerRepair(ModelStore store, InstallJournal journal, InstallerPorts ports) {
        this.store = store;
        this.journal = journal;
        this.ports = ports;
    }

    void run() throws IOException {
        boolean lost = store.stored().isEmpty() || !store.hasPointer();
        SortedSet<String> names = new TreeSet<>(store.pointer().models().keySet());
        List<Slot> readable = new ArrayList<>();
        List<Pointer.Grace> stayed = new ArrayList<>();
        if (lost) {
            Optional<Pointer.Readable> read = store.readable();
            read.ifPresent(pointer -> pointer.models().values().forEach(readable::addAll));
            read.ifPresent(pointer -> stayed.addAll(pointer.grace()));
            readable.forEach(slot -> names.add(slot.model()));
            names.addAll(journal.models());
        }
        for (String name : names) {
            repair(name, readable);
            if (lost) {
                remember(name, stayed);
            }
            graces(name);
        }
    }

    /**
     * Names the older releases of a model again that the event log says are in their grace: until the damaged pointer's time where that
     * reads, else for {@link #UNSAID}. Without this they would end, and their files go, before the next order could name them.
     */
    private void remember(String name, List<Pointer.Grace> stayed) throws IOException {
        Set<SlotId> measured = ports.measurements().graces();
        SequencedMap<SlotId, Pointer.Grace> grace = new LinkedHashMap<>();
        stayed.forEach(each -> grace.putIfAbsent(each.slot().slotId(), each));
        long until = ports.clock().instant().plus(UNSAID).getEpochSecond();
        journal.records(name)
                .forEach(record -> grace.putIfAbsent(record.slot().slotId(), new Pointer.Grace(record.slot(), until)));
        List<Pointer.Grace> named = grace.values().stream()
                .filter(each -> each.slot().model().equals(name)
                        && measured.contains(each.slot().slotId()))
                .limit(ModelTerms.MAX_LIST)
                .toList();
        if (!named.isEmpty()) {
            store.point(pointer -> pointer.model(name)
                    .map(entry -> pointer.with(entry.grace(named)))
                    .orElse(pointer));
        }
    }

    private void graces(String name) throws IOException {
        List<Pointer.Grace> grace =
                store.pointer().model(name).map(PointerEntry::grace).orElse(List.of());
        List<Pointer.Grace> whole = new ArrayList<>();
        for (Pointer.Grace each : grace) {
            if (maySucceed(each.slot())) {
                whole.add(each);
            }
        }
        if (whole.size() < grace.size()) {
            store.point(pointer -> pointer.model(name)
                    .map(entry -> pointer.with(entry.grace(whole)))
                    .orElse(pointer));
        }
    }

    private void repair(String name, List<Slot> readable) throws IOException {
        Optional<Slot> serving = store.pointer().serving(name);
        if (serving.isPresent() && store.verifies(serving.get())) {
            return;
        }
        Optional<Slot> fallback = store.pointer().fallback(name);
        if (serving.isPresent() && fallback.isPresent() && maySucceed(fallback.get())) {
            point(fallback.get());
            journal.append(
                    ports.clock().instant(),
                    journal.orderOf(serving.get()),
                    InstallState.ROLLED_BACK,
                    serving.get(),
                    Optional.of(new Rejection(
                            Code.INS_DIGEST, "the stored " + serving.get().target() + " is damaged")),
                    "found at start",
                    Optional.empty());
            return;
        }
        for (Slot slot : candidates(name, readable)) {
            if (maySucceed(slot)) {
                point(slot);
                return;
            }
        }
        store.point(pointer -> pointer.without(name));
    }

    /** What the damaged pointer still names, then what was committed, the newest first; nothing of a model that was retired. */
    private List<Slot> candidates(String name, List<Slot> readable) {
        List<InstallRecord> records = journal.records(name).reversed();
        List<Slot> candidates = new ArrayList<>();
        if (!records.isEmpty() && records.getFirst().state() == InstallState.RETIRED) {
            return candidates;
        }
        readable.stream().filter(slot -> slot.model().equals(name)).forEach(candidates::add);
        records.stream()
                .filter(record -> record.state() == InstallState.COMMITTED)
                .map(InstallRecord::slot)
                .forEach(candidates::add);
        return candidates;
    }

    private void point(Slot slot) throws IOException {
        store.point(pointer -> pointer.with(pointer.model(slot.model())
                .map(entry -> entry.serving(slot, Optional.empty()))
                .orElseGet(() -> new PointerEntry(slot, Optional.empty()))));
    }

    /** A TEE that does not answer now must not take the last sound model away; nothing below the floor is ever a fallback otherwise. */
    private boolean maySucceed(Slot slot) throws IOException {
        try {
            return store.verifies(slot)
                    && !ports.withdrawals().has(slot)
                    && slot.epoch() >= ports.epochFloors().of(slot.model());
        } catch (TeeException e) {
            return true;
        }
    }
}
