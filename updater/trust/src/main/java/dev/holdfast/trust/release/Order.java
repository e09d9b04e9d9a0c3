package dev.holdfast.trust.release;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * A {@link DirectorOrder} that passed every check: for this device, fresh, and equal to what the Image repository lists.
 *
 * @param device the device that it names
 * @param version the order's number; the same number means the same order
 * @param expires when it stops to be valid
 * @param byDefault the model that answers requests which name none; empty where there is no model
 * @param models what this device shall run, one of each name; whatever else it runs is retired
 * @param leaseSeconds how long after the fleet's last fresh word the device may serve; this version refuses an order that says so
 */
public record Order(
        String device,
        long version,
        Instant expires,
        Optional<String> byDefault,
        List<ModelOrder> models,
        Optional<Long> leaseSeconds) {
    public Order {
        models = List.copyOf(models);
    }
}
