package dev.holdfast.trust.release;

import java.time.Instant;
import java.util.List;

/**
 * A {@link DirectorOrder} that passed every check: for this device, fresh, and equal to what the Image repository lists.
 *
 * @param device the device that it names
 * @param version the order's number; the same number means the same order
 * @param expires when it stops to be valid
 * @param model what this device shall run
 * @param deltas every patch the Image repository lists that makes this model, from whatever base
 * @param rollout when and at what cost it may be carried out
 */
public record Order(
        String device, long version, Instant expires, ModelTarget model, List<DeltaTarget> deltas, Rollout rollout) {
    public Order {
        deltas = List.copyOf(deltas);
    }

    /** To be carried out at once. */
    public Order(String device, long version, Instant expires, ModelTarget model, List<DeltaTarget> deltas) {
        this(device, version, expires, model, deltas, Rollout.NONE);
    }
}
