package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Signs any bytes as a release, for tests of what comes after publishing. What publishing asks of a model is in {@link PublicationTest}. */
public final class SampleRelease {
    private SampleRelease() {}

    /** With patches from the newest release. */
    public static Publication.Published sign(FleetRepository repository, String model, String version, byte[] bytes)
            throws IOException, RejectedException {
        return sign(repository, model, version, bytes, Json.object(), Optional.empty());
    }

    public static Publication.Published sign(
            FleetRepository repository,
            String model,
            String version,
            byte[] bytes,
            JsonNode template,
            Optional<Long> epoch)
            throws IOException, RejectedException {
        return sign(repository, model, version, bytes, template, epoch, AttachmentFiles.NONE);
    }

    public static Publication.Published sign(
            FleetRepository repository,
            String model,
            String version,
            byte[] bytes,
            JsonNode template,
            Optional<Long> epoch,
            AttachmentFiles about)
            throws IOException, RejectedException {
        ObjectNode gate = Json.object();
        gate.putArray("canaries");
        gate.put("minPassRatio", 0.9).put("maxAnswerTokens", 96).put("maxLoadMillis", 20_000);
        FleetDirectory directory = repository.directory();
        Path file = Files.write(Files.createTempFile("sample", ".bin"), bytes);
        try {
            return directory.publishing(() -> {
                ReleaseDraft draft = ReleaseDraft.of(repository, model, version, List.of(), epoch);
                try (StagedFile staged = StagedFile.copy(directory, file, Progress.SILENT)) {
                    ReleaseDraft.Terms terms = new ReleaseDraft.Terms(template, gate, 0, List.of());
                    return draft.sign(staged, terms, about, step -> Progress.SILENT);
                }
            });
        } finally {
            Files.delete(file);
        }
    }
}
