package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.image.ModelArtifact;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What is to be published: a GGUF file; a folder that holds one, with {@code template.json} and {@code canaries.json} beside it; or an
 * OCI image layout that holds one artifact with such layers. The model is not read here.
 *
 * @param file the model
 * @param digest what its bytes must hash to, where something says so
 * @param template the chat template that came with it
 * @param canaries the canaries that came with it
 */
record ModelInput(Path file, Optional<Sha256> digest, Optional<JsonNode> template, Optional<JsonNode> canaries) {
    static final int MAX_JSON_BYTES = 1024 * 1024;
    private static final String TEMPLATE = "template.json";
    private static final String CANARIES = "canaries.json";

    /** {@code FLT-ABSENT} where there is no such file or no model in the folder, {@code CFG-INVALID} where there are several. */
    static ModelInput of(Path path) throws IOException, RejectedException {
        if (!Files.isDirectory(path)) {
            return new ModelInput(path, Optional.empty(), Optional.empty(), Optional.empty());
        }
        if (ModelArtifact.is(path)) {
            ModelArtifact artifact = ModelArtifact.open(path).orThrow();
            return new ModelInput(
                    artifact.model(),
                    Optional.of(artifact.digest()),
                    layer(path, artifact, TEMPLATE),
                    layer(path, artifact, CANARIES));
        }
        return new ModelInput(
                model(path), Optional.empty(), beside(path.resolve(TEMPLATE)), beside(path.resolve(CANARIES)));
    }

    private static Optional<JsonNode> layer(Path layout, ModelArtifact artifact, String title)
            throws IOException, RejectedException {
        Optional<byte[]> bytes = artifact.file(title, MAX_JSON_BYTES);
        return bytes.isEmpty()
                ? Optional.empty()
                : Optional.of(InputFile.of(layout + ": " + title, Json.read(bytes.get(), MAX_JSON_BYTES)));
    }

    private static Optional<JsonNode> beside(Path file) throws IOException, RejectedException {
        return Files.exists(file) ? Optional.of(InputFile.json(file, MAX_JSON_BYTES)) : Optional.empty();
    }

    private static Path model(Path folder) throws IOException, RejectedException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, "*.gguf")) {
            for (Path file : files) {
                if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                    found.add(file);
                }
                if (found.size() > 1) {
                    throw new RejectedException(
                            Code.CFG_INVALID,
                            folder + " holds several GGUF files, such as "
                                    + found.getFirst().getFileName() + " and " + file.getFileName()
                                    + ": name the one to publish");
                }
            }
        }
        if (found.isEmpty()) {
            throw new RejectedException(
                    Code.FLT_ABSENT, folder + " holds no GGUF file and is no OCI image layout: name the model's file");
        }
        return found.getFirst();
    }
}
