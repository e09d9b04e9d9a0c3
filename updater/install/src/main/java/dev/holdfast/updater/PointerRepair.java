package dev.holdfast.updater;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Makes the pointer name bytes that hash right, of each model by itself: what it names, else the fallback, else the last committed
 * release. A release in its grace whose bytes do not hash right is in it no more. Looks at nothing but the disk.
 */
final class PointerRepair {
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
        if (lost) {
            readable.addAll(store.readableSlots());
            readable.forEach(slot -> names.add(slot.model()));
            names.addAll(journal.models());
        }
        for (String name : names) {
            repair(name, readable);
            graces(name);
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
            return store.verifies(slot) && slot.epoch() >= ports.epochFloors().of(slot.model());
        } catch (TeeException e) {
            return true;
        }
    }
}
