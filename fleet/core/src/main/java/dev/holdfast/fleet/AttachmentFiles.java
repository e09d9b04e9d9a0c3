package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.trust.release.ModelSignature;
import dev.holdfast.trust.release.SignerKey;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What is published about a model beside it: who made it, and what it consists of.
 *
 * @param provenance signature of the model by OpenSSF Model Signing v1.0, with a key
 * @param provenanceKey the public key of that signature, PEM; it is pinned in the signed metadata
 * @param bom CycloneDX bill of materials; one is written with what is known where empty
 * @param licence licence of the model (SPDX), for a bill of materials that is written; as the model says where empty
 * @param base what the model was made from, likewise
 */
public record AttachmentFiles(
        Optional<Path> provenance,
        Optional<Path> provenanceKey,
        Optional<Path> bom,
        Optional<String> licence,
        Optional<String> base) {
    /** A bill of materials alone. */
    public static final AttachmentFiles NONE = new AttachmentFiles(
            Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty());

    /**
     * Checks all as devices will, and keeps the files.
     *
     * @param path target path of the model
     * @return what the model's block names
     */
    List<Attachment> keep(
            FleetRepository repository, Clock clock, String path, String name, String version, Sha256 model)
            throws IOException, RejectedException {
        List<Attachment> kept = new ArrayList<>();
        if (provenance.isPresent() != provenanceKey.isPresent()) {
            throw new RejectedException(Code.CFG_INVALID, "--provenance and --provenance-key belong together");
        }
        if (provenance.isPresent() && provenanceKey.isPresent()) {
            SignerKey key = SignerKey.fromPem(Files.readString(provenanceKey.get(), StandardCharsets.US_ASCII))
                    .orThrow();
            byte[] bundle = Files.readAllBytes(provenance.get());
            ModelSignature.verify(bundle, key, model).orThrow();
            kept.add(keep(repository, Attachment.Kind.PROVENANCE, path, bundle, Optional.of(key)));
        }
        ObjectNode written = bom.isPresent()
                ? BillOfMaterials.read(bom.get(), model)
                : BillOfMaterials.write(
                        name, version, repository.directory().blob(model), model, licence, base, clock.instant());
        kept.add(keep(repository, Attachment.Kind.BOM, path, Json.write(written), Optional.empty()));
        return kept;
    }

    private static Attachment keep(
            FleetRepository repository, Attachment.Kind kind, String path, byte[] bytes, Optional<SignerKey> signer)
            throws IOException {
        Path temporary = Files.createTempFile(repository.directory().root(), "new-", ".tmp");
        try {
            Files.write(temporary, bytes);
            Sha256 digest = repository.keep(temporary);
            Path blob = repository.directory().blob(digest);
            return Attachment.of(kind, path, blob, digest, Publication.BLOCK_BYTES, signer);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }
}
