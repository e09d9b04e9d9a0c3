package dev.holdfast.fleet.attest;

import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The archives of each device, {@code archive/<device>/<time>-<digest>.json}, for as long as the fleet's settings say. One device has at
 * most {@value #MAX_BYTES_OF_A_DEVICE} bytes of them: beyond that the archive goes whose neighbours are the nearest to each other, so
 * that whoever has itself looked at all the time loses looks of that time, and not those of last year. Whoever needs one for longer
 * keeps a copy; it needs nothing from here.
 */
public record KeptArchives(FleetDirectory directory) {
    /** Of evidence without logs of the machine, one archive has 15 KiB: some 1,080 of them. */
    static final long MAX_BYTES_OF_A_DEVICE = 16L * 1024 * 1024;

    /** Too old, with one look: a clock that is years ahead for a day must not cost an archive of years. */
    private static final int MAX_OLD = 4;

    private static final DateTimeFormatter NAME =
            DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final int DIGEST_CHARS = 8;
    private static final String SUFFIX = ".json";

    /** An archive. */
    private record Kept(Path file, Instant at, long bytes) {}

    /** Keeps one, and drops what is too old or too much. @return its file */
    public Path keep(String device, Instant at, byte[] archive) throws IOException, RejectedException {
        return keep(device, at, archive, MAX_BYTES_OF_A_DEVICE);
    }

    Path keep(String device, Instant at, byte[] archive, long maxBytes) throws IOException, RejectedException {
        FleetDirectory.requireName(device);
        Duration keep = directory.config().attest().keep();
        Path folder = directory.archives(device);
        String name = NAME.format(at) + "-" + Sha256.of(archive).hex().substring(0, DIGEST_CHARS) + SUFFIX;
        return directory.exclusively(() -> {
            Files.createDirectories(folder);
            FleetDirectory.replace(folder.resolve(name), archive);
            thin(device, at.minus(keep), maxBytes);
            return folder.resolve(name);
        });
    }

    private void thin(String device, Instant oldest, long maxBytes) throws IOException {
        List<Kept> kept = new ArrayList<>();
        long bytes = 0;
        int old = 0;
        for (Path file : of(device)) {
            Instant at = at(file).orElseThrow();
            if (at.isBefore(oldest) && old < MAX_OLD) {
                FleetDirectory.delete(file);
                old++;
            } else {
                long size = Files.size(file);
                kept.add(new Kept(file, at, size));
                bytes += size;
            }
        }
        while (bytes > maxBytes && kept.size() > 2) {
            Kept dropped = kept.remove(nearest(kept));
            FleetDirectory.delete(dropped.file);
            bytes -= dropped.bytes;
        }
    }

    /** The one without which the longest time that nobody looked at grows the least; neither the first nor the last. */
    private static int nearest(List<Kept> kept) {
        int best = 1;
        Duration least = Duration.between(kept.get(0).at, kept.get(2).at);
        for (int i = 2; i < kept.size() - 1; i++) {
            Duration span = Duration.between(kept.get(i - 1).at, kept.get(i + 1).at);
            if (span.compareTo(least) < 0) {
                least = span;
                best = i;
            }
        }
        return best;
    }

    /** When it was appraised, by its name; empty where it is no archive. */
    static Optional<Instant> at(Path file) {
        String name = String.valueOf(file.getFileName());
        int end = name.indexOf('-');
        try {
            return end < 0 || !name.endsWith(SUFFIX)
                    ? Optional.empty()
                    : Optional.of(
                            LocalDateTime.parse(name.substring(0, end), NAME).toInstant(ZoneOffset.UTC));
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }

    /** Those of a device, oldest first. Files of other names are somebody else's. */
    public List<Path> of(String device) throws IOException {
        Path folder = directory.archives(device);
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> at(file).isPresent()).sorted().toList();
        }
    }
}
