package dev.holdfast.updater;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.storage.Disk;
import dev.holdfast.storage.DiskException;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The models on the disk, each under the name of its digest: {@code blobs/<sha256>} finished,
 * {@code partial/<sha256>.part} with {@code .have} and {@code .leaves} in the making, and with {@code .quarantine} where it was
 * found damaged at rest; {@code serving.json} the pointer.
 * Nothing gets a name under {@code blobs} before all of its bytes are hashed and durable. One writer: the installer, whose
 * installs of different models share it. Thread-safe but for the files of one digest, which one install at a time may make.
 */
public final class ModelStore {
    private static final Logger LOG = LoggerFactory.getLogger(ModelStore.class);
    private static final String QUARANTINE = ".quarantine";

    private final Path directory;
    private final DiskSpace space;
    private final Disk disk;
    /** What installs under way need beside what the pointer names, by model. */
    private final Map<String, Set<Sha256>> held = new HashMap<>();

    private Optional<Pointer> pointer;
    private boolean prepared;

    private ModelStore(Path directory, LongSupplier usableBytes, Disk disk) {
        this.directory = directory;
        this.disk = disk;
        this.space = new DiskSpace(usableBytes);
        this.pointer = Optional.empty();
    }

    /** Opens or creates a store; removes temporary files that a crash left behind. A disk that is full does not hinder it. */
    public static ModelStore open(Path directory) throws IOException {
        return open(directory, () -> directory.toFile().getUsableSpace(), Disk.LOCAL);
    }

    /** A store to look at, in which another process may be at work: nothing is created or removed. */
    public static ModelStore openReadOnly(Path directory) {
        return new ModelStore(directory, () -> directory.toFile().getUsableSpace(), Disk.LOCAL);
    }

    static ModelStore open(Path directory, LongSupplier usableBytes, Disk disk) throws IOException {
        ModelStore store = new ModelStore(directory, usableBytes, disk);
        try {
            store.prepare();
        } catch (DiskException e) {
            // A full disk hinders no start: the recovery does it again, and says why it cannot.
            LOG.warn("{}", e.reason());
        }
        store.pointer = store.stored();
        return store;
    }

    /** Makes what is missing of the store; removes temporary files that a crash left behind. To be done before any install. */
    synchronized void prepare() throws IOException {
        if (prepared) {
            return;
        }
        for (Path folder : List.of(directory, blobs(), partials(), attachment())) {
            disk.createDirectories(folder);
            for (Path file : list(folder)) {
                if (file.getFileName().toString().endsWith(Disk.TEMPORARY)) {
                    disk.deleteIfExists(file);
                }
            }
        }
        prepared = true;
    }

    /** What {@code serving.json} says now; empty where it does not read. Without a file nothing serves. */
    public Optional<Pointer> stored() throws IOException {
        Path file = pointerFile();
        if (!Files.exists(file)) {
            return Optional.of(Pointer.NOTHING);
        }
        return bytes(file)
                .flatMap(bytes -> Pointer.read(bytes) instanceof Verdict.Accepted<Pointer>(Pointer read)
                        ? Optional.of(read)
                        : Optional.empty());
    }

    /** Whether there is a pointer, however it reads. */
    boolean hasPointer() {
        return Files.exists(pointerFile());
    }

    /** Of a pointer that is damaged in part, what reads; empty where nothing does. */
    Optional<Pointer.Readable> readable() throws IOException {
        return bytes(pointerFile())
                .flatMap(bytes ->
                        Pointer.readable(bytes) instanceof Verdict.Accepted<Pointer.Readable>(Pointer.Readable read)
                                ? Optional.of(read)
                                : Optional.empty());
    }

    private static Optional<byte[]> bytes(Path file) throws IOException {
        return !Files.isRegularFile(file) || Files.size(file) > Pointer.MAX_BYTES
                ? Optional.empty()
                : Optional.of(Files.readAllBytes(file));
    }

    /** Which models serve, as this process found or wrote it last; nothing where it found a pointer that does not read. */
    public synchronized Pointer pointer() {
        return pointer.orElse(Pointer.NOTHING);
    }

    /** Whether this process knows which models serve: a pointer that does not read may name any of them. */
    private synchronized boolean knowsPointer() {
        return pointer.isPresent();
    }

    /** Where the finished file of this digest is or would be. */
    public Path blob(Sha256 digest) {
        return blobs().resolve(digest.hex());
    }

    /** Whether a finished file of this digest is here; its bytes were verified when it came. */
    public boolean has(Sha256 digest) {
        return Files.isRegularFile(blob(digest));
    }

    /** Hashes the finished file again. */
    public boolean verifies(Slot slot) throws IOException {
        return has(slot.digest())
                && Files.size(blob(slot.digest())) == slot.length()
                && Sha256.ofFile(blob(slot.digest())).equals(slot.digest());
    }

    /** Where what is known about this release is or would be; the same bytes may be published again with other words. */
    public Path attachment(SlotId slot, Attachment.Kind kind) {
        return attachment().resolve(slot.hex() + kind.suffix());
    }

    Disk disk() {
        return disk;
    }

    DiskSpace space() {
        return space;
    }

    Path traffic() {
        return directory.resolve(DailyBytes.FILE);
    }

    Path journal() {
        return directory.resolve("journal.jsonl");
    }

    /** Changes which models serve, in one durable step. */
    synchronized Pointer point(UnaryOperator<Pointer> change) throws IOException {
        Pointer next = change.apply(pointer());
        if (!pointer.equals(Optional.of(next))) {
            disk.replace(pointerFile(), Json.write(next.toJson()));
            pointer = Optional.of(next);
        }
        return next;
    }

    Path part(Sha256 digest) {
        return partials().resolve(digest.hex() + ".part");
    }

    Path leavesFile(Sha256 digest) {
        return partials().resolve(digest.hex() + ".leaves");
    }

    /**
     * A partial file whose bytes are the model's, all of them, and are on the disk. Only {@link #verify} makes one, so that
     * nothing else gets a name under {@code blobs}.
     */
    static final class Verified {
        private final Sha256 digest;

        private Verified(Sha256 digest) {
            this.digest = digest;
        }
    }

    /** Compares the hash that was taken while the file was made with the model's name, and forces the file. */
    Verdict<Verified> verify(Slot slot, PartialFile.Whole made) throws IOException {
        Path part = part(slot.digest());
        if (!made.part().equals(part)
                || Files.size(part) != slot.length()
                || !made.digest().equals(slot.digest())) {
            return Verdict.rejected(Code.INS_DIGEST, slot.target());
        }
        Files.setPosixFilePermissions(part, PosixFilePermissions.fromString("rw-r-----"));
        try (Disk.OpenFile file = disk.open(part)) {
            file.force();
        }
        return Verdict.accepted(new Verified(slot.digest()));
    }

    /** Gives a verified file its name: a rename and no more. Durable when it returns. */
    void adopt(Verified verified) throws IOException {
        disk.move(part(verified.digest), blob(verified.digest));
        discardPartial(verified.digest);
    }

    /** Sets a damaged file aside as the seed of its own repair. Nothing serves or falls back to it any more. */
    synchronized void quarantine(Sha256 digest) throws IOException {
        disk.replace(quarantineMark(digest), new byte[0]);
        if (has(digest)) {
            disk.move(blob(digest), part(digest));
            disk.syncDirectory(blobs());
        }
    }

    /** Whether a file of this digest is set aside, damaged. */
    boolean isQuarantined(Sha256 digest) {
        return Files.exists(quarantineMark(digest)) && Files.exists(part(digest));
    }

    /** Whether the pointer names this release, or it is set aside until its repair. */
    boolean isInUse(Slot slot) {
        return pointer().slots().anyMatch(slot::equals) || isQuarantined(slot.digest());
    }

    /** Gives up what could not be repaired: a newer release took its place. */
    void dropQuarantine(Set<Sha256> digests) throws IOException {
        for (Sha256 digest : digests) {
            if (Files.exists(quarantineMark(digest))) {
                discardPartial(digest);
            }
        }
    }

    private Path quarantineMark(Sha256 digest) {
        return partials().resolve(digest.hex() + QUARANTINE);
    }

    void discardPartial(Sha256 digest) throws IOException {
        Path part = part(digest);
        disk.deleteIfExists(PartialFile.bitmapOf(part));
        disk.deleteIfExists(part);
        disk.deleteIfExists(leavesFile(digest));
        disk.deleteIfExists(quarantineMark(digest));
    }

    /** Keeps files of these digests, whole or in the making, for an install of {@code model}, in place of those held before. */
    synchronized void hold(String model, Set<Sha256> digests) {
        held.put(model, Set.copyOf(digests));
    }

    /** Keeps nothing for {@code model} beside what the pointer names. */
    synchronized void release(String model) {
        held.remove(model);
        space.release(model);
    }

    /**
     * Removes every blob that the pointer does not name and nobody holds, with what is known about it, and every partial file
     * but those held and those in quarantine. What is among the partial files of a finished blob came back with a power cut.
     *
     * @param unfinished slots of installs that are not at their end; the files of one that holds nothing are not known
     */
    synchronized void collect(List<Slot> unfinished) throws IOException {
        Set<String> keep = new HashSet<>();
        Stream.concat(pointer().slots(), unfinished.stream()).forEach(slot -> {
            keep.add(slot.digest().hex());
            keep.add(slot.slotId().hex());
        });
        held.values().forEach(digests -> digests.forEach(digest -> keep.add(digest.hex())));
        if (knowsPointer()) {
            for (Path file : list(blobs())) {
                if (!keep.contains(file.getFileName().toString())) {
                    disk.deleteIfExists(file);
                }
            }
            for (Path file : list(attachment())) {
                if (!keep.contains(digestOf(file))) {
                    disk.deleteIfExists(file);
                }
            }
        }
        boolean known = unfinished.stream().allMatch(slot -> held.containsKey(slot.model()));
        for (Path file : known ? list(partials()) : List.<Path>of()) {
            String digest = digestOf(file);
            boolean used = held.values().stream()
                    .flatMap(Set::stream)
                    .anyMatch(needed -> needed.hex().equals(digest));
            // One that has its place again was repaired, and the mark is what a power cut left of that.
            boolean aside = Files.exists(partials().resolve(digest + QUARANTINE))
                    && !Files.isRegularFile(blobs().resolve(digest));
            if (!used && !aside) {
                disk.deleteIfExists(file);
            }
        }
    }

    /** The digest that the name of a file begins with. */
    private static String digestOf(Path file) {
        String name = file.getFileName().toString();
        return name.substring(0, Math.min(name.length(), 2 * Sha256.BYTES));
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    private Path blobs() {
        return directory.resolve("blobs");
    }

    private Path attachment() {
        return directory.resolve("about");
    }

    private Path partials() {
        return directory.resolve("partial");
    }

    private Path pointerFile() {
        return directory.resolve(Pointer.FILE_NAME);
    }
}
