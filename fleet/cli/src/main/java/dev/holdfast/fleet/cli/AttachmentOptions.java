package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.AttachmentFiles;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** What is published about a model beside it. Without options, a bill of materials alone. */
final class AttachmentOptions {
    @Option(
            names = "--provenance",
            paramLabel = "FILE",
            description = "Signature of the model by OpenSSF Model Signing v1.0, with a key. Devices verify it.")
    Optional<Path> provenance = Optional.empty();

    @Option(
            names = "--provenance-key",
            paramLabel = "FILE.pem",
            description =
                    "The public key of that signature, on P-256, P-384 or P-521; it is pinned in the signed metadata.")
    Optional<Path> provenanceKey = Optional.empty();

    @Option(
            names = "--bom",
            paramLabel = "FILE.json",
            description = "CycloneDX bill of materials (default: one is written with what is known).")
    Optional<Path> bom = Optional.empty();

    @Option(
            names = "--licence",
            paramLabel = "SPDX",
            description = "Licence of the model, for a bill of materials that is written (default: as the model says).")
    Optional<String> licence = Optional.empty();

    @Option(
            names = "--base-model",
            paramLabel = "NAME",
            description = "What the model was made from, likewise (default: as the model says).")
    Optional<String> base = Optional.empty();

    AttachmentFiles attachments() {
        return new AttachmentFiles(provenance, provenanceKey, bom, licence, base);
    }
}
