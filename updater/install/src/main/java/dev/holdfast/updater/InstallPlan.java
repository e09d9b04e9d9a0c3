package dev.holdfast.updater;

import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;

/**
 * What is transferred for an order.
 *
 * @param delta the patch, or empty for the whole model
 * @param present whether the whole model is in the store already
 */
record InstallPlan(Optional<DeltaTarget> delta, boolean present) {
    /** Begins the journal note of a plan that must not use a delta (again). */
    static final String FULL = "full";

    static final String CODEC = "hfd2";
    /** A signed epoch far off is a mistake that no later release could undo. */
    private static final long MAX_EPOCH_STEP = 1024;

    /** Refuses what this device cannot or must not run. */
    static void requireCompatible(ModelOrder order, InstallContext context) throws IOException, InstallStop {
        ModelTarget model = order.model();
        Optional<String> unable = unable(order, context.config().device());
        if (unable.isPresent()) {
            throw InstallStop.failed(Code.UPD_INCOMPATIBLE, unable.get());
        }
        requireEpoch(TargetSlot.of(model), context.ports());
        requireMemory(TargetSlot.of(model), context);
    }

    /** Why this agent cannot do what the order asks for; a newer one may. */
    static Optional<String> unable(ModelOrder order, InstallerConfig.Device device) {
        String needed = order.model().minAgent();
        if (compareVersions(device.agentVersion(), needed) < 0) {
            return Optional.of("agent " + needed + " is needed, this is " + device.agentVersion());
        }
        return order.terms().adapters().isEmpty() && order.terms().key().isEmpty()
                ? Optional.empty()
                : Optional.of("this agent knows no adapters and no sealed models");
    }

    static void requireEpoch(Slot slot, InstallerPorts ports) throws IOException, InstallStop {
        try {
            long floor = ports.epochFloors().of(slot.model());
            if (slot.epoch() < floor || slot.epoch() - floor > MAX_EPOCH_STEP) {
                throw InstallStop.failed(
                        Code.UPD_EPOCH, "epoch " + slot.epoch() + " of " + slot.model() + ", the floor is " + floor);
            }
        } catch (TeeException e) {
            throw InstallStop.interrupted(e.code(), "epoch floor: " + e.getMessage());
        }
    }

    static void requireNotWithdrawn(Slot slot, InstallerPorts ports) throws InstallStop {
        if (ports.withdrawals().has(slot)) {
            throw InstallStop.failed(Code.UPD_WITHDRAWN, slot.target() + " was withdrawn");
        }
    }

    /**
     * By what was signed. Until the flip the release before it serves too, so both must fit. What is in the way may go, and the
     * owner may raise the budget: the install waits for either.
     */
    private static void requireMemory(Slot slot, InstallContext context) throws InstallStop {
        SortedMap<String, PointerEntry> models = context.store().pointer().models();
        if (context.serves(slot)) {
            return;
        }
        Set<String> leaving = context.sets().leaving();
        if (models.size() >= ModelName.MAX_MODELS && !models.containsKey(slot.model())) {
            throw InstallStop.interrupted(
                    Code.INS_MEMORY, models.size() + " models serve; " + slot.id() + " waits until one is retired");
        }
        List<Slot> serving = models.values().stream().map(PointerEntry::serving).toList();
        List<Slot> staying = serving.stream()
                .filter(other -> !leaving.contains(other.model()))
                .toList();
        long budget = context.config().device().memoryBytes();
        boolean mapped = serving.stream().anyMatch(other -> other.digest().equals(slot.digest()));
        long needs = slot.needsBytes() - (mapped ? slot.length() : 0);
        if (sum(staying) > budget - needs) {
            throw InstallStop.interrupted(
                    Code.INS_MEMORY,
                    "%s needs %,d MiB, the %d models in service %,d, the budget is %,d"
                            .formatted(
                                    slot.id(),
                                    mebibytes(needs),
                                    staying.size(),
                                    mebibytes(sum(staying)),
                                    budget >> 20));
        }
        if (sum(serving) > budget - needs) {
            throw InstallStop.interrupted(Code.INS_MEMORY, slot.id() + " waits until " + leaving + " are retired");
        }
    }

    /** Saturates: what a publisher signed may be any number. */
    private static long sum(List<Slot> slots) {
        long sum = 0;
        for (Slot slot : slots) {
            sum = slot.needsBytes() > Long.MAX_VALUE - sum ? Long.MAX_VALUE : sum + slot.needsBytes();
        }
        return sum;
    }

    private static long mebibytes(long bytes) {
        return bytes / (1 << 20) + (bytes % (1 << 20) > 0 ? 1 : 0);
    }

    /**
     * The smallest transfer within the budget; {@code deltaAllowed} is false after a delta of this order failed. A damaged copy
     * lacks few blocks, nobody knows how many: the download itself counts them against the budget.
     */
    static InstallPlan choose(
            ModelOrder order,
            Optional<Sha256> base,
            boolean present,
            boolean seeded,
            boolean deltaAllowed,
            InstallerConfig config)
            throws InstallStop {
        if (present) {
            return new InstallPlan(Optional.empty(), true);
        }
        if (seeded) {
            return new InstallPlan(Optional.empty(), false);
        }
        long fullBytes = order.model().file().length();
        Optional<DeltaTarget> delta = deltaAllowed
                ? order.deltas().stream()
                        .filter(d -> d.codec().equals(CODEC)
                                && base.equals(Optional.of(d.base()))
                                && d.file().length() < fullBytes)
                        .min(Comparator.comparingLong(d -> d.file().length()))
                : Optional.empty();
        long bytes = delta.map(d -> d.file().length()).orElse(fullBytes);
        config.budget().require(bytes);
        return new InstallPlan(delta, false);
    }

    /** Bytes that the disk must take, patch included. */
    long diskBytes(ModelOrder order) {
        return present
                ? 0
                : order.model().file().length()
                        + delta.map(d -> d.file().length()).orElse(0L);
    }

    String note(ModelOrder order) {
        if (present) {
            return "present";
        }
        return delta.map(d ->
                        "delta of " + d.file().length() + " bytes: " + d.file().path())
                .orElse(FULL + " of " + order.model().file().length() + " bytes");
    }

    /** Numbers separated by dots; what is not a number counts as 0. */
    static int compareVersions(String a, String b) {
        String[] left = a.split("[.+-]", -1);
        String[] right = b.split("[.+-]", -1);
        for (int i = 0; i < 3; i++) {
            int order = Integer.compare(part(left, i), part(right, i));
            if (order != 0) {
                return order;
            }
        }
        return 0;
    }

    private static int part(String[] parts, int index) {
        return index < parts.length && parts[index].matches("[0-9]{1,6}") ? Integer.parseInt(parts[index]) : 0;
    }
}
