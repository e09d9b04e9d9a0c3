package dev.holdfast.fleet;

import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.stream.Stream;

/**
 * The newest archives of each device, {@code archive/<device>/<time>-<digest>.json}. Whoever needs one for longer keeps a copy; it
 * needs nothing from here.
 */
public record KeptArchives(FleetDirectory directory) {
    /** Of one device: at one look a day the last fortnight. */
    static final int MAX_OF_A_DEVICE = 16;

    private static final DateTimeFormatter NAME =
            DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final int DIGEST_CHARS = 8;
    private static final String SUFFIX = ".json";

    /** Keeps one, and drops the oldest beyond {@value #MAX_OF_A_DEVICE}. @return its file */
    public Path keep(String device, Instant at, byte[] archive) throws IOException, RejectedException {
        FleetDirectory.requireName(device);
        Path folder = directory.archives(device);
        String name = NAME.format(at) + "-" + Sha256.of(archive).hex().substring(0, DIGEST_CHARS) + SUFFIX;
        return directory.exclusively(() -> {
            Files.createDirectories(folder);
            FleetDirectory.replace(folder.resolve(name), archive);
            List<Path> kept = of(device);
            for (Path old : kept.subList(0, Math.max(0, kept.size() - MAX_OF_A_DEVICE))) {
                FleetDirectory.delete(old);
            }
            return folder.resolve(name);
        });
    }

    /** Those of a device, oldest first. */
    public List<Path> of(String device) throws IOException {
        Path folder = directory.archives(device);
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> String.valueOf(file.getFileName()).endsWith(SUFFIX))
                    .sorted()
                    .toList();
        }
    }
}
