package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import java.util.Comparator;
import java.util.Optional;

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
    /** A counter in a TEE moves in single, slow steps; a signed epoch far off is a mistake. */
    private static final long MAX_EPOCH_STEP = 1024;

    /** Refuses what this device cannot or must not run. */
    static void requireCompatible(ModelTarget model, InstallerConfig config, InstallerPorts ports) throws InstallStop {
        if (compareVersions(config.device().agentVersion(), model.minAgent()) < 0) {
            throw InstallStop.failed(
                    Code.UPD_INCOMPATIBLE,
                    "agent " + model.minAgent() + " is needed, this is "
                            + config.device().agentVersion());
        }
        if (model.memoryBytes() > config.device().memoryBytes()) {
            throw InstallStop.failed(Code.UPD_INCOMPATIBLE, model.memoryBytes() + " bytes of memory are needed");
        }
        requireEpoch(TargetSlot.of(model), ports);
    }

    static void requireEpoch(Slot slot, InstallerPorts ports) throws InstallStop {
        try {
            long floor = ports.epochFloor().read();
            if (slot.epoch() < floor || slot.epoch() - floor > MAX_EPOCH_STEP) {
                throw InstallStop.failed(Code.UPD_EPOCH, "epoch " + slot.epoch() + ", the floor is " + floor);
            }
        } catch (TeeException e) {
            throw InstallStop.interrupted(e.code(), "epoch floor: " + e.getMessage());
        }
    }

    /**
     * The smallest transfer within the budget; {@code deltaAllowed} is false after a delta of this order failed. A damaged copy
     * lacks few blocks, nobody knows how many: the download itself counts them against the budget.
     */
    static InstallPlan choose(
            Order order,
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
        if (bytes > config.budget().bytes()) {
            throw InstallStop.failed(
                    Code.INS_BUDGET,
                    bytes + " bytes, the budget is " + config.budget().bytes());
        }
        return new InstallPlan(delta, false);
    }

    /** Bytes that the disk must take, patch included. */
    long diskBytes(Order order) {
        return present
                ? 0
                : order.model().file().length()
                        + delta.map(d -> d.file().length()).orElse(0L);
    }

    String note(Order order) {
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
