package dev.holdfast.packaging;

import dev.holdfast.engine.TinyModel;
import java.io.IOException;
import java.nio.file.Path;

/** Writes the small random model with which start-up caches of what computes are made on a device: {@code StartModel FILE}. */
public final class StartModel {
    private static final long SEED = 1;

    private StartModel() {}

    public static void main(String[] args) throws IOException {
        TinyModel.write(Path.of(args[0]), SEED, TinyModel.Flaw.NONE);
    }
}
