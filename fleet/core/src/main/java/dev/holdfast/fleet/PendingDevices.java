package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;

/**
 * Devices that proved their keys and wait until somebody accepts them, {@code pending/<endorsement>.json}: one for each endorsement key,
 * whatever name it asks for, and a bounded number. Where there are too many, one that is chosen by lot makes place: it asks again by
 * itself, and can be accepted by its key while it is not listed. Records are no state that a power cut may not take.
 *
 * @param directory of the fleet
 * @param most how many wait at most
 */
public record PendingDevices(FleetDirectory directory, int most) {
    /** About 1 MiB of files. */
    public static final int MOST = 1024;

    private static final int MAX_BYTES = 4096;
    private static final int MAX_REASON_CHARS = 200;
    private static final String SUFFIX = ".json";
    /** A device that asks all the time is written down no more often than this. */
    private static final Duration NOTED = Duration.ofMinutes(1);
    /** The same for one that asks for another name each time. */
    private static final Duration CHANGED = Duration.ofSeconds(10);

    /** One that did not ask for so long is gone. */
    private static final Duration LIFE = Duration.ofDays(30);

    /**
     * A device that waits.
     *
     * @param device the name that it asks for
     * @param endorsement the key that the fleet knows it by
     * @param grants what it would be granted, should nobody say more
     * @param why why nobody vouches for it
     * @param since when it asked first
     * @param last when it asked last, within a minute
     */
    public record Pending(
            String device, Sha256 endorsement, Assurance grants, String why, Instant since, Instant last) {}

    public PendingDevices(FleetDirectory directory) {
        this(directory, MOST);
    }

    private Path folder() {
        return directory.root().resolve("pending");
    }

    private Path file(Sha256 endorsement) {
        return folder().resolve(endorsement.hex() + SUFFIX);
    }

    /** Orders and enrolments of others do not wait for it. */
    private WriterLock lock() throws IOException {
        return WriterLock.of(directory.root(), ".lock-pending");
    }

    /** Takes a device, or notes that it asked again. */
    void add(Pending asked, RandomGenerator random) throws IOException, RejectedException {
        lock().run(() -> {
            Optional<Pending> known = read(file(asked.endorsement()));
            boolean noted = known.filter(before ->
                            asked.last().isBefore(before.last().plus(isSame(before, asked) ? NOTED : CHANGED)))
                    .isPresent();
            if (!noted) {
                Files.createDirectories(folder());
                if (known.isEmpty()) {
                    makePlace(random);
                }
                write(known.filter(before -> before.device().equals(asked.device()))
                        .map(before -> new Pending(
                                asked.device(),
                                asked.endorsement(),
                                asked.grants(),
                                asked.why(),
                                before.since(),
                                asked.last()))
                        .orElse(asked));
            }
            return noted;
        });
    }

    private static boolean isSame(Pending before, Pending asked) {
        return before.device().equals(asked.device())
                && before.why().equals(shortened(asked.why()))
                && before.grants() == asked.grants();
    }

    private void makePlace(RandomGenerator random) throws IOException {
        List<Path> files = files();
        for (int left = files.size(); left >= most && !files.isEmpty(); left--) {
            Files.deleteIfExists(files.remove(random.nextInt(files.size())));
        }
    }

    private List<Path> files() throws IOException {
        if (!Files.isDirectory(folder())) {
            return new ArrayList<>();
        }
        try (Stream<Path> files = Files.list(folder())) {
            return new ArrayList<>(files.toList());
        }
    }

    /** Not forced: it is written for strangers, and others wait for the disk. A file that a power cut spoilt counts for none. */
    private void write(Pending one) throws IOException {
        Path file = file(one.endorsement());
        Path fresh = file.resolveSibling(file.getFileName() + ".new");
        Files.write(
                fresh,
                Json.write(Json.object()
                        .put("format", 1)
                        .put("device", one.device())
                        .put("endorsement", one.endorsement().hex())
                        .put("grants", one.grants().name())
                        .put("why", shortened(one.why()))
                        .put("since", one.since().getEpochSecond())
                        .put("last", one.last().getEpochSecond())));
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Part of it comes from the device's certificate. */
    static String shortened(String why) {
        String printable = why.replaceAll("[^\\x20-\\x7e]", "?");
        return printable.length() > MAX_REASON_CHARS ? printable.substring(0, MAX_REASON_CHARS) + "..." : printable;
    }

    private static Optional<Pending> read(Path file) throws IOException {
        try {
            byte[] bytes = Files.readAllBytes(file);
            return switch (Verdict.of(() -> parse(bytes))) {
                case Verdict.Accepted<Pending>(Pending one) -> Optional.of(one);
                case Verdict.Rejected<Pending> _ -> Optional.empty();
            };
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    private static Pending parse(byte[] bytes) throws RejectedException {
        JsonNode json = Json.readObject(bytes, MAX_BYTES).orThrow();
        Fields fields = Fields.of(json, Code.CFG_INVALID);
        String device = fields.text("device", Topics.MAX_NAME_CHARS);
        String grants = fields.text("grants", 16);
        if (!Topics.isName(device)
                || Stream.of(Assurance.values()).noneMatch(one -> one.name().equals(grants))) {
            throw fields.wrong("device", "a device that waits");
        }
        return new Pending(
                device,
                fields.sha256("endorsement"),
                Assurance.valueOf(grants),
                fields.text("why", 2 * MAX_REASON_CHARS),
                Instant.ofEpochSecond(fields.epochSeconds("since")),
                Instant.ofEpochSecond(fields.epochSeconds("last")));
    }

    /** All that wait, by name and then by when they asked first. */
    public List<Pending> list(Instant now) throws IOException {
        List<Pending> all = new ArrayList<>();
        for (Path file : files()) {
            if (String.valueOf(file.getFileName()).endsWith(SUFFIX)) {
                read(file).filter(one -> now.isBefore(one.last().plus(LIFE))).ifPresent(all::add);
            }
        }
        all.sort(Comparator.comparing(Pending::device)
                .thenComparing(Pending::since)
                .thenComparing(one -> one.endorsement().hex()));
        return all;
    }

    /** Who waits with this key. */
    public Optional<Pending> find(Sha256 endorsement) throws IOException {
        return read(file(endorsement));
    }

    /** Forgets that a key waits: it was decided about. */
    public void remove(Sha256 endorsement) throws IOException, RejectedException {
        lock().run(() -> Files.deleteIfExists(file(endorsement)));
    }

    /** Forgets all that wait; they may ask again. @return how many there were */
    public int clear() throws IOException, RejectedException {
        return lock().run(() -> {
            List<Path> files = files();
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
            return files.size();
        });
    }
}
