package dev.holdfast.attestation.verify;

import dev.holdfast.wire.Sha256;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** Passes an appraisal's questions on, and keeps them with their answers: these are all that appraising again needs. One thread. */
public final class SeenReferences implements ReferenceModels {
    private final ReferenceModels all;
    private final Map<Key, Optional<Reference>> seen = new LinkedHashMap<>();

    public SeenReferences(ReferenceModels all) {
        this.all = all;
    }

    @Override
    public Optional<Reference> find(String target, Sha256 digest) {
        return seen.computeIfAbsent(new Key(target, digest), key -> all.find(target, digest));
    }

    /** What was asked for; empty where no such release was published. */
    Map<Key, Optional<Reference>> seen() {
        return Collections.unmodifiableMap(seen);
    }
}
