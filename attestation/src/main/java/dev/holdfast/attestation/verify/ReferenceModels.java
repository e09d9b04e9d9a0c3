package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The releases that may serve: reference values, taken from signed metadata. They are found by target and digest together, so
 * that the same bytes published again under another target, with a mended template or a raised epoch, leave the older release
 * as it was. Thread-safe if immutable.
 */
@FunctionalInterface
public interface ReferenceModels {
    /**
     * Where a release is found.
     *
     * @param target path of the target in the signed metadata
     * @param digest SHA-256 of the model file
     */
    record Key(String target, Sha256 digest) {}

    /**
     * A published release, in the words of the signed metadata. Where a value is absent it is not compared.
     *
     * @param release counter of the model's releases
     * @param epoch security epoch
     * @param template {@code CanonicalJson.digest} of the chat template
     * @param gate the same of the health gate
     * @param authorities the key ids under which it may have been published, as events carry them; empty: not compared
     * @param withdrawn whether its publisher took it back since
     */
    record Reference(
            String model,
            String version,
            Optional<Long> release,
            Optional<Long> epoch,
            Optional<Sha256> template,
            Optional<Sha256> gate,
            Set<Binary> authorities,
            boolean withdrawn) {
        public Reference {
            authorities = Set.copyOf(authorities);
        }

        /** One that was not withdrawn. */
        public Reference(
                String model,
                String version,
                Optional<Long> release,
                Optional<Long> epoch,
                Optional<Sha256> template,
                Optional<Sha256> gate,
                Set<Binary> authorities) {
            this(model, version, release, epoch, template, gate, authorities, false);
        }

        /** Name and version alone. */
        public Reference(String model, String version) {
            this(model, version, Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), Set.of());
        }

        /** What differs from {@code event}; empty where all agrees. */
        Optional<String> difference(ModelEvent event) {
            if (!model.equals(event.model()) || !version.equals(event.version())) {
                return Optional.of("these bytes were published as " + model + " " + version);
            }
            if (differs(release, event.release())) {
                return Optional.of("it was published as release " + release.orElseThrow());
            }
            if (differs(epoch, event.epoch())) {
                return Optional.of("it was published with epoch " + epoch.orElseThrow());
            }
            if (differs(template, event.template())) {
                return Optional.of("its chat template is another");
            }
            if (differs(gate, event.gate())) {
                return Optional.of("its health gate is another");
            }
            return authorities.isEmpty() || authorities.contains(event.authority())
                    ? Optional.empty()
                    : Optional.of("it was published under another key than " + event.authority());
        }

        private static <T> boolean differs(Optional<T> expected, T actual) {
            return expected.isPresent() && !expected.get().equals(actual);
        }
    }

    Optional<Reference> find(String target, Sha256 digest);

    /** A fixed set. */
    static ReferenceModels of(Map<Key, Reference> models) {
        Map<Key, Reference> copy = Map.copyOf(models);
        return (target, digest) -> Optional.ofNullable(copy.get(new Key(target, digest)));
    }
}
