package dev.holdfast.attestation;

import dev.holdfast.wire.Sha256;
import java.util.Map;
import java.util.Optional;

/** The models that may serve, by digest: reference values, taken from signed metadata. Thread-safe if immutable. */
@FunctionalInterface
public interface ReferenceModels {
    /** A published model. */
    record Reference(String model, String version) {}

    Optional<Reference> find(Sha256 digest);

    /** A fixed set. */
    static ReferenceModels of(Map<Sha256, Reference> models) {
        Map<Sha256, Reference> copy = Map.copyOf(models);
        return digest -> Optional.ofNullable(copy.get(digest));
    }
}
