package dev.holdfast.updater;

import java.util.Optional;

/**
 * The pointer of the model store.
 *
 * @param serving the model in service
 * @param fallback the verified model before it, where there is one
 */
public record Serving(Slot serving, Optional<Slot> fallback) {}
