package dev.holdfast.updater;

import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** Skeleton. */
public final class ModelStore {
    private final Path directory;

    private ModelStore(Path directory) {
        this.directory = directory;
    }

    /** Opens or creates a store; removes what a crash left behind. */
    public static ModelStore open(Path directory) throws IOException {
        return new ModelStore(directory);
    }

    /** What {@code serving.json} says. */
    public Optional<Serving> serving() throws IOException {
        return Optional.empty();
    }

    /** Where the finished file of this digest lies or would lie. */
    public Path blob(Sha256 digest) {
        return directory.resolve("blobs").resolve(digest.hex());
    }
}
