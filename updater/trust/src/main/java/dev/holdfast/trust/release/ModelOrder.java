package dev.holdfast.trust.release;

import dev.holdfast.wire.Sha256;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What an {@link Order} says of one model. Each is carried out by itself.
 *
 * @param device the device that the order names
 * @param version number of the order that said so first; the same number means the same wish
 * @param model the release that shall serve
 * @param deltas every patch the Image repository lists that makes this release, from whatever base
 * @param terms what the order says beside the target
 * @param grace the releases of {@code terms.grace()}, in its order
 */
public record ModelOrder(
        String device, long version, ModelTarget model, List<DeltaTarget> deltas, ModelTerms terms, List<Grace> grace) {
    /**
     * An older release of the model that still answers to its pinned name where it is here.
     *
     * @param untilSeconds until when, in seconds since 1970
     */
    public record Grace(ModelTarget model, long untilSeconds) {}

    public ModelOrder {
        deltas = List.copyOf(deltas);
        grace = List.copyOf(grace);
    }

    /** No older release stays. */
    public ModelOrder(String device, long version, ModelTarget model, List<DeltaTarget> deltas, ModelTerms terms) {
        this(device, version, model, deltas, terms, List.of());
    }

    /** Every file that an install of it may make: the model, its patches, and what is about it. */
    public Set<Sha256> digests() {
        Set<Sha256> digests = new HashSet<>(Set.of(model.file().sha256()));
        deltas.forEach(delta -> digests.add(delta.file().sha256()));
        model.attachments().forEach(about -> digests.add(about.file().sha256()));
        return digests;
    }

    /** When and at what cost it may be carried out. */
    public Rollout rollout() {
        return terms.rollout().orElse(Rollout.NONE);
    }

    /** The same with other patches. */
    public ModelOrder with(List<DeltaTarget> others) {
        return new ModelOrder(device, version, model, others, terms, grace);
    }

    /** The same without terms of a rollout, to be carried out at once. */
    public ModelOrder atOnce() {
        return new ModelOrder(device, version, model, deltas, terms.atOnce(), grace);
    }
}
