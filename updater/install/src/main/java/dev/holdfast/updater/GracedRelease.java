package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.wire.Rejection;
import java.time.Instant;
import java.util.Optional;

/**
 * An older release that an order lets stay for a while.
 *
 * @param until when that ends
 * @param unserved why it does not answer to its pinned name; empty where it does, or is about to
 */
public record GracedRelease(Slot slot, Instant until, Optional<Rejection> unserved) {}
