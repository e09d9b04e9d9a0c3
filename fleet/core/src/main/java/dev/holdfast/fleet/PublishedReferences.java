package dev.holdfast.fleet;

import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.trust.release.AuthorityId;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.RejectedException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What a verifier takes as reference values. A release whose bytes were published again, with a mended template or a raised epoch, stays
 * one of its own; one that was withdrawn is known, and marked so.
 */
final class PublishedReferences {
    private PublishedReferences() {}

    static ReferenceModels of(List<ModelTarget> published, Revocations revocations, List<RootDocument> roots)
            throws RejectedException {
        Set<Binary> authorities = authorities(roots);
        Map<ReferenceModels.Key, ReferenceModels.Reference> models = new HashMap<>();
        for (ModelTarget model : published) {
            models.put(
                    new ReferenceModels.Key(model.file().path(), model.file().sha256()),
                    new ReferenceModels.Reference(
                            model.model(),
                            model.version(),
                            Optional.of(model.release()),
                            Optional.of(model.epoch()),
                            Optional.of(CanonicalJson.digest(model.template())),
                            Optional.of(CanonicalJson.digest(model.gate())),
                            authorities,
                            revocations.withdrawn().containsKey(model.file().path())));
        }
        return ReferenceModels.of(models);
    }

    /** The keys that ever signed targets and that a TEE can check, as devices name them in their logs. */
    private static Set<Binary> authorities(List<RootDocument> roots) throws RejectedException {
        Set<Binary> ids = new HashSet<>();
        for (RootDocument root : roots) {
            root.role("targets").keys().forEach((id, key) -> {
                if (key.kind() == KeyKind.ECDSA_P256) {
                    ids.add(AuthorityId.of(id));
                }
            });
        }
        return ids;
    }
}
