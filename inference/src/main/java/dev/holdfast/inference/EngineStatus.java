package dev.holdfast.inference;

import java.util.Optional;

/**
 * What an engine holds at a moment.
 *
 * @param draining models that only finish the requests which began on them
 */
public record EngineStatus(
        Optional<SlotDescription> serving, Optional<SlotDescription> candidate, int draining, int requestsActive) {}
