package dev.holdfast.updater;

import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Reads the models at rest again, slowly, and lets the installer repair what went bad: disks rot, and a fallback that is
 * found damaged on the day it is needed is none. Belongs to one thread of low priority.
 */
public final class StoreScrub {
    private static final int CHUNK_BYTES = 1 << 20;
    /** O_DIRECT, which the JDK offers in a package of its own that other JDKs may lack. */
    private static final Optional<OpenOption> DIRECT = direct();

    private final ModelStore store;
    private final Installer installer;
    private final Timer timer;
    private final TokenBucket bucket;

    /** @param bytesPerSecond how fast it reads, on average; 0 for no limit */
    public StoreScrub(Installer installer, long bytesPerSecond) {
        this(installer, bytesPerSecond, Timer.SYSTEM);
    }

    StoreScrub(Installer installer, long bytesPerSecond, Timer timer) {
        this.store = installer.store();
        this.installer = installer;
        this.timer = timer;
        this.bucket = new TokenBucket(bytesPerSecond, timer::nanos);
    }

    /** Finds the target of a model in today's Image repository; empty where it is not listed any more, or nobody answers. */
    @FunctionalInterface
    public interface Listing {
        Optional<ModelTarget> find(Slot slot);
    }

    /** How a model at rest was found. */
    public enum Finding {
        /** Its bytes hash right. */
        SOUND,
        /** It was damaged; only the damaged blocks were pulled, and its bytes hash right again. */
        HEALED,
        /** It was damaged; the fallback serves, and the order brings it back. */
        TAKEN_OUT,
        /** It is damaged, set aside, and could not be repaired yet. */
        QUARANTINED,
        /** It is damaged, serves on as it was mapped, and could not be repaired yet. */
        DAMAGED
    }

    /** What was found of one model. */
    public record Checked(Slot slot, Finding finding, String detail) {}

    /** One pass over the store. */
    public record Pass(Instant at, List<Checked> checked) {
        public Pass {
            checked = List.copyOf(checked);
        }

        /** Whether every model is as it should be now. */
        public boolean isSound() {
            return checked.stream().allMatch(c -> c.finding() == Finding.SOUND || c.finding() == Finding.HEALED);
        }
    }

    /**
     * Reads every model once and repairs.
     *
     * @throws InterruptedException where the thread is to end
     */
    public Pass run(Instant at, Listing listing) throws IOException, InterruptedException {
        List<Checked> checked = new ArrayList<>();
        Pointer pointer = store.pointer();
        // A release in its grace may be the fallback, too.
        Set<Slot> slots = new LinkedHashSet<>();
        for (PointerEntry entry : pointer.models().values()) {
            // The fallback first: whether it holds decides what may be done about the release in service.
            entry.fallback().ifPresent(slots::add);
            slots.add(entry.serving());
            entry.grace().forEach(each -> slots.add(each.slot()));
        }
        for (Slot slot : slots) {
            checked.add(
                    reads(slot) ? new Checked(slot, Finding.SOUND, "") : installer.repair(slot, listing.find(slot)));
        }
        for (Slot slot : installer.quarantined()) {
            if (checked.stream().noneMatch(c -> c.slot().digest().equals(slot.digest()))) {
                checked.add(installer.repair(slot, listing.find(slot)));
            }
        }
        return new Pass(at, checked);
    }

    private boolean reads(Slot slot) throws IOException, InterruptedException {
        Path file = store.blob(slot.digest());
        if (!Files.isRegularFile(file) || Files.size(file) != slot.length()) {
            return false;
        }
        if (DIRECT.isEmpty()) {
            return readsCached(file, slot);
        }
        try {
            return readsDirectly(file, slot.length(), DIRECT.get()).equals(slot.digest());
        } catch (ClosedByInterruptException e) {
            throw new InterruptedException();
        } catch (IOException | UnsupportedOperationException e) {
            return readsCached(file, slot);
        }
    }

    private static Optional<OpenOption> direct() {
        try {
            for (Object option :
                    Class.forName("com.sun.nio.file.ExtendedOpenOption").getEnumConstants()) {
                if (option instanceof OpenOption open && option.toString().equals("DIRECT")) {
                    return Optional.of(open);
                }
            }
            return Optional.empty();
        } catch (ReflectiveOperationException e) {
            return Optional.empty();
        }
    }

    /** What the page cache holds says nothing about the disk. */
    private Sha256 readsDirectly(Path file, long length, OpenOption direct) throws IOException, InterruptedException {
        int alignment = (int) Files.getFileStore(file).getBlockSize();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, direct)) {
            return hash(channel, length, alignment);
        }
    }

    private boolean readsCached(Path file, Slot slot) throws InterruptedException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            return hash(channel, slot.length(), 1).equals(slot.digest());
        } catch (ClosedByInterruptException e) {
            throw new InterruptedException();
        } catch (IOException e) {
            // A sector that cannot be read is damage like any other.
            return false;
        }
    }

    /** Reads no further than {@code length}: past the last bytes the position is not aligned any more. */
    private Sha256 hash(FileChannel channel, long length, int alignment) throws IOException, InterruptedException {
        MessageDigest digest = Sha256.newDigest();
        ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK_BYTES + alignment)
                .alignedSlice(alignment)
                .limit(CHUNK_BYTES);
        for (long left = length; left > 0 && channel.read(buffer.clear().limit(CHUNK_BYTES)) > 0; ) {
            buffer.flip();
            left -= buffer.remaining();
            pause(bucket.take(buffer.remaining()));
            digest.update(buffer);
        }
        return Sha256.finish(digest);
    }

    private synchronized void pause(long nanos) throws InterruptedException {
        long end = timer.nanos() + nanos;
        for (long left = nanos; left > 0; left = end - timer.nanos()) {
            timer.await(this, left);
        }
    }
}
