package dev.holdfast.inference;

import dev.holdfast.wire.Sha256;
import java.util.Optional;

/**
 * A change of the serving model.
 *
 * @param pauseMicros how long no request could begin, rounded up
 * @param previous the model that served before, if one did
 */
public record Flip(long pauseMicros, Optional<Sha256> previous) {}
