package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The models that may serve, by digest: reference values, taken from signed metadata. Thread-safe if immutable. */
@FunctionalInterface
public interface ReferenceModels {
    /**
     * A published model, in the words of the signed metadata. Where a value is absent it is not compared.
     *
     * @param target path of the target
     * @param epoch security epoch
     * @param template SHA-256 of the chat template block
     * @param authorities the key ids under which it may have been published, as events carry them; empty: not compared
     */
    record Reference(
            String model,
            String version,
            Optional<String> target,
            Optional<Long> epoch,
            Optional<Sha256> template,
            Set<Binary> authorities) {
        public Reference {
            authorities = Set.copyOf(authorities);
        }

        /** Name and version alone. */
        public Reference(String model, String version) {
            this(model, version, Optional.empty(), Optional.empty(), Optional.empty(), Set.of());
        }

        /** What differs from {@code event}; empty where all agrees. */
        Optional<String> difference(ModelEvent event) {
            if (!model.equals(event.model()) || !version.equals(event.version())) {
                return Optional.of("these bytes were published as " + model + " " + version);
            }
            if (differs(target, event.target())) {
                return Optional.of("it was published as " + target.orElseThrow());
            }
            if (differs(epoch, event.epoch())) {
                return Optional.of("it was published with epoch " + epoch.orElseThrow());
            }
            if (differs(template, event.template())) {
                return Optional.of("its chat template is another");
            }
            return authorities.isEmpty() || authorities.contains(event.authority())
                    ? Optional.empty()
                    : Optional.of("it was published under another key than " + event.authority());
        }

        private static <T> boolean differs(Optional<T> expected, T actual) {
            return expected.isPresent() && !expected.get().equals(actual);
        }
    }

    Optional<Reference> find(Sha256 digest);

    /** A fixed set. */
    static ReferenceModels of(Map<Sha256, Reference> models) {
        Map<Sha256, Reference> copy = Map.copyOf(models);
        return digest -> Optional.ofNullable(copy.get(digest));
    }
}
