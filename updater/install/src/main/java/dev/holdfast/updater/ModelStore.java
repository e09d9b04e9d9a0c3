package dev.holdfast.updater;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.stream.Stream;

/**
 * The models on the disk, each under the name of its digest: {@code blobs/<sha256>} finished,
 * {@code partial/<sha256>.part} with {@code .have} and {@code .leaves} in the making, and with {@code .quarantine} where it was
 * found damaged at rest; {@code serving.json} the pointer.
 * Nothing gets a name under {@code blobs} before all of its bytes are hashed and durable. One writer: the installer.
 */
public final class ModelStore {
    private static final String QUARANTINE = ".quarantine";

    private final Path directory;
    private final LongSupplier usableBytes;
    private final Disk disk;

    private ModelStore(Path directory, LongSupplier usableBytes, Disk disk) {
        this.directory = directory;
        this.disk = disk;
        this.usableBytes = usableBytes;
    }

    /** Opens or creates a store; removes temporary files that a crash left behind. */
    public static ModelStore open(Path directory) throws IOException {
        return open(directory, () -> directory.toFile().getUsableSpace(), Disk.LOCAL);
    }

    /** A store to look at, in which another process may be at work: nothing is created or removed. */
    public static ModelStore openReadOnly(Path directory) {
        return new ModelStore(directory, () -> directory.toFile().getUsableSpace(), Disk.LOCAL);
    }

    static ModelStore open(Path directory, LongSupplier usableBytes, Disk disk) throws IOException {
        ModelStore store = new ModelStore(directory, usableBytes, disk);
        for (Path folder : List.of(directory, store.blobs(), store.partials(), store.attachment())) {
            disk.createDirectories(folder);
            for (Path file : list(folder)) {
                if (file.getFileName().toString().endsWith(Disk.TEMPORARY)) {
                    disk.deleteIfExists(file);
                }
            }
        }
        return store;
    }

    /** What {@code serving.json} says; empty where there is none or it does not read. */
    public Optional<Pointer> serving() throws IOException {
        Path file = pointer();
        if (!Files.exists(file) || Files.size(file) > Pointer.MAX_BYTES) {
            return Optional.empty();
        }
        return Pointer.read(Files.readAllBytes(file)) instanceof Verdict.Accepted<Pointer>(Pointer serving)
                ? Optional.of(serving)
                : Optional.empty();
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

    /** Where what is known about the model of this digest is or would be. */
    public Path attachment(Sha256 model, Attachment.Kind kind) {
        return attachment().resolve(model.hex() + kind.suffix());
    }

    Disk disk() {
        return disk;
    }

    Path journal() {
        return directory.resolve("journal.jsonl");
    }

    void point(Pointer serving) throws IOException {
        disk.replace(pointer(), Json.write(serving.toJson()));
    }

    void pointToNothing() throws IOException {
        disk.deleteIfExists(pointer());
        disk.syncDirectory(directory);
    }

    /** Whether {@code bytes} more fit beside {@code keepFree}; what partial files already hold is given as {@code held}. */
    Verdict<Long> reserve(long bytes, long held, long keepFree) {
        long usable = usableBytes.getAsLong();
        long needed = Math.max(0, bytes - held);
        return needed + keepFree <= usable
                ? Verdict.accepted(needed)
                : Verdict.rejected(
                        Code.INS_DISK,
                        needed + " bytes and " + keepFree + " in reserve are needed, " + usable + " are free");
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
    void quarantine(Sha256 digest) throws IOException {
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

    /** Gives up what could not be repaired: a newer model took its place. */
    void dropQuarantine() throws IOException {
        for (Path file : list(partials())) {
            String name = file.getFileName().toString();
            if (name.endsWith(QUARANTINE)
                    && Sha256.fromHex(name.substring(0, name.length() - QUARANTINE.length()))
                            instanceof Verdict.Accepted<Sha256>(Sha256 digest)) {
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

    /**
     * Removes every blob that is neither serving, nor fallback, nor {@code alsoKeep}, with what is known about it, and every
     * partial file but those of {@code alsoKeep} and those in quarantine. What is among the partial files of a finished
     * blob came back with a power cut.
     */
    void collect(Set<Sha256> alsoKeep) throws IOException {
        Set<String> blobs = new HashSet<>();
        Set<String> partials = new HashSet<>();
        for (Sha256 digest : alsoKeep) {
            blobs.add(digest.hex());
            if (!has(digest)) {
                partials.add(digest.hex());
            }
        }
        serving().ifPresent(serving -> {
            blobs.add(serving.serving().digest().hex());
            serving.fallback().ifPresent(slot -> blobs.add(slot.digest().hex()));
        });
        // A pointer that does not read may name any of them, and the inference process serves what can be read of it.
        boolean unknown = serving().isEmpty() && Files.exists(pointer());
        for (Path file : unknown ? List.<Path>of() : list(blobs())) {
            if (!blobs.contains(file.getFileName().toString())) {
                disk.deleteIfExists(file);
            }
        }
        for (Path file : unknown ? List.<Path>of() : list(attachment())) {
            String name = file.getFileName().toString();
            if (!blobs.contains(name.substring(0, Math.min(name.length(), 2 * Sha256.BYTES)))) {
                disk.deleteIfExists(file);
            }
        }
        for (Path file : list(partials())) {
            String name = file.getFileName().toString();
            String digest = name.substring(0, Math.min(name.length(), 2 * Sha256.BYTES));
            if (!partials.contains(digest) && !Files.exists(partials().resolve(digest + QUARANTINE))) {
                disk.deleteIfExists(file);
            }
        }
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

    private Path pointer() {
        return directory.resolve(Pointer.FILE_NAME);
    }
}
