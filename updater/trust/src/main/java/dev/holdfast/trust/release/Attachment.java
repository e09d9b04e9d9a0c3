package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A small file about a model: named by digest in the model's signed block, fetched like a target, and kept beside the model.
 *
 * @param file digest and length; its path is the model's with the kind's suffix
 * @param signer whose signature it must be, for {@link Kind#PROVENANCE}
 */
public record Attachment(Kind kind, TargetFile file, BlockTree blocks, Optional<SignerKey> signer) {
    /** Like metadata, it is held in memory. */
    public static final int MAX_BYTES = 1024 * 1024;

    /** What such a file may be. */
    public enum Kind {
        /** A bundle of OpenSSF Model Signing. */
        PROVENANCE("provenance", ".oms.json", ModelSignature.MAX_BYTES),
        /** A CycloneDX bill of materials. */
        BOM("bom", ".cdx.json", MAX_BYTES);

        private final String field;
        private final String suffix;
        private final int maxBytes;

        Kind(String field, String suffix, int maxBytes) {
            this.field = field;
            this.suffix = suffix;
            this.maxBytes = maxBytes;
        }

        /** Where the model's custom block names it. */
        public String field() {
            return field;
        }

        /** What the name of its file ends with. */
        public String suffix() {
            return suffix;
        }
    }

    /** Reads what the custom block of a model says; {@code UPD-FORMAT}. */
    static Optional<Attachment> read(Kind kind, TargetFile model) throws RejectedException {
        Fields custom = Fields.of(model.custom(), Code.UPD_FORMAT);
        if (!custom.has(kind.field)) {
            return Optional.empty();
        }
        Fields named = custom.object(kind.field);
        long length = named.integer("length", 1);
        if (length > kind.maxBytes) {
            throw new RejectedException(Code.UPD_FORMAT, kind.field + " of " + length + " bytes");
        }
        Optional<SignerKey> signer = kind == Kind.PROVENANCE
                ? Optional.of(SignerKey.fromPem(named.text("key", SignerKey.MAX_PEM_CHARS))
                        .orThrow())
                : Optional.empty();
        TargetFile file = file(kind, model.path(), length, named.sha256("digest"));
        return Optional.of(new Attachment(kind, file, BlockTree.read(named, length), signer));
    }

    /**
     * A file that a publisher has.
     *
     * @param modelPath target path of the model that it is about
     * @param content the file, of this digest
     */
    public static Attachment of(
            Kind kind, String modelPath, Path content, Sha256 digest, int blockBytes, Optional<SignerKey> signer)
            throws IOException {
        TargetFile file = file(kind, modelPath, Files.size(content), digest);
        return new Attachment(kind, file, BlockTree.of(content, blockBytes), signer);
    }

    private static TargetFile file(Kind kind, String modelPath, long length, Sha256 digest) {
        return new TargetFile(modelPath + kind.suffix, length, digest, Json.object());
    }

    /** Names it in the custom block of its model, as {@link #read} reads it. */
    public void put(ObjectNode custom) {
        ObjectNode named =
                custom.putObject(kind.field).put("digest", file.sha256().hex()).put("length", file.length());
        blocks.put(named);
        signer.ifPresent(key -> named.put("key", key.toPem()));
    }

    /** What the bytes themselves must hold, beyond being the ones that were signed. */
    public Optional<Rejection> check(byte[] bytes, TargetFile model) {
        return signer.isPresent()
                        && ModelSignature.verify(bytes, signer.get(), model.sha256())
                                instanceof Verdict.Rejected<ModelSignature>(var reason)
                ? Optional.of(reason)
                : Optional.empty();
    }
}
