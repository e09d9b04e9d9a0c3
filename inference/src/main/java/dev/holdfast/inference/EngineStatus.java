package dev.holdfast.inference;

import dev.holdfast.wire.Sha256;
import java.util.Optional;

/**
 * What an engine holds at a moment.
 *
 * @param servingTokenizer digest of what the serving model's file says of its tokenizer; so is {@code candidateTokenizer}
 * @param draining models that only finish the requests which began on them
 */
public record EngineStatus(
        Optional<SlotDescription> serving,
        Optional<SlotDescription> candidate,
        Optional<Sha256> servingTokenizer,
        Optional<Sha256> candidateTokenizer,
        int draining,
        int requestsActive) {}
