package dev.holdfast.attestation;

import dev.holdfast.attestation.LoggedEvent.Cause;
import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The log's file: frames of a 32-bit big-endian length and that many bytes. The first frame is the header {@code
 * {"format": 1, "resetCount": n}}, each other one an event's content. The highest bit of an event's length says that the
 * inference process caused it ({@link LoggedEvent.Cause#PROBE}), so that its ration outlives the agent. A torn last frame,
 * which a power cut during an append leaves, is cut off; the write-ahead record still has the event. Not thread-safe.
 */
final class EventFile implements AutoCloseable {
    private static final int LENGTH_BYTES = 4;
    private static final int PROBED = 1 << 31;
    private static final int MAX_HEADER_BYTES = 64;
    private static final long MAX_FILE_BYTES = (long) EventQuota.MAX_BYTES + MAX_HEADER_BYTES;

    /**
     * What the file holds.
     *
     * @param isNew whether there was no header
     * @param damage why frames beyond {@code events} could not be read; a torn tail is no damage
     */
    record Content(boolean isNew, long resetCount, List<LoggedEvent> events, Optional<String> damage) {}

    private final Path path;
    private final Disk disk;
    private Disk.@Nullable OpenFile file;
    /** Where the next frame goes: an append that failed half way is written over. */
    private long end;

    private final Steps steps;

    private EventFile(Path path, Disk disk, Steps steps) {
        this.path = path;
        this.disk = disk;
        this.steps = steps;
    }

    static EventFile open(Path dir, Disk disk, Steps steps) {
        return new EventFile(dir.resolve("events.log"), disk, steps);
    }

    /** Makes the directory where there is none. */
    Content read() throws IOException {
        disk.createDirectories(Disk.directoryOf(path), Disk.Access.PRIVATE);
        if (!Files.exists(path)) {
            return new Content(true, 0, List.of(), Optional.empty());
        }
        if (Files.size(path) > MAX_FILE_BYTES) {
            return new Content(false, 0, List.of(), Optional.of("the log file is too long"));
        }
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(path));
        Optional<LoggedEvent> head = frame(bytes);
        long resetCount =
                head.map(LoggedEvent::content).map(EventFile::resetCountOf).orElse(-1L);
        if (resetCount < 0) {
            return new Content(false, 0, List.of(), Optional.of("the log file's header is damaged"));
        }
        List<LoggedEvent> events = new ArrayList<>();
        int whole = bytes.position();
        Optional<LoggedEvent> next;
        while ((next = frame(bytes)).isPresent()) {
            events.add(next.get());
            whole = bytes.position();
        }
        Disk.OpenFile open = file();
        if (whole < bytes.limit()) {
            steps.before("cut off a torn event");
            open.truncate(whole);
            open.force();
        }
        end = whole;
        return new Content(false, resetCount, events, Optional.empty());
    }

    /** Begins a fresh log; the one of the boot before is kept beside it. */
    void begin(long resetCount) throws IOException {
        close();
        if (Files.exists(path)) {
            steps.before("keep the log of the boot before");
            // Durable with the fresh log: a crash in between leaves no log, which is begun then.
            disk.rename(path, path.resolveSibling("events.previous.log"));
        }
        byte[] head = CborWriter.write(Cbor.dict()
                .put("format", Cbor.of(1))
                .put("resetCount", Cbor.of(resetCount))
                .build());
        steps.before("begin a fresh log");
        byte[] frame = framed(Binary.copyOf(head), 0);
        disk.replace(path, frame, Disk.Access.PRIVATE);
        end = frame.length;
    }

    /** How many bytes {@code event} takes in the file, which is at least what it takes in evidence. */
    static int frameBytes(LoggedEvent event) {
        return LENGTH_BYTES + event.content().length();
    }

    void append(LoggedEvent event) throws IOException {
        ByteBuffer frame = ByteBuffer.wrap(framed(event.content(), event.cause() == Cause.PROBE ? PROBED : 0));
        int half = frame.limit() / 2;
        Disk.OpenFile open = file();
        // Two writes, so that a test can end the process within an event: a disk may do the same to one.
        steps.before("append the event");
        open.write(frame.slice(0, half), end);
        steps.before("append the event's rest");
        open.write(frame.slice(half, frame.limit() - half), end + half);
        steps.before("sync the log");
        open.force();
        end += frame.limit();
    }

    @Override
    public void close() throws IOException {
        if (file != null) {
            file.close();
            file = null;
        }
    }

    private Disk.OpenFile file() throws IOException {
        Disk.OpenFile open = file;
        if (open == null) {
            open = disk.open(path, Disk.Access.PRIVATE);
            file = open;
        }
        return open;
    }

    private static byte[] framed(Binary content, int flag) {
        return ByteBuffer.allocate(LENGTH_BYTES + content.length())
                .putInt(content.length() | flag)
                .put(content.toArray())
                .array();
    }

    /** The next whole frame; absent at the end, and where the rest is torn. */
    private static Optional<LoggedEvent> frame(ByteBuffer bytes) {
        if (bytes.remaining() < LENGTH_BYTES) {
            return Optional.empty();
        }
        int head = bytes.getInt(bytes.position());
        int length = head & ~PROBED;
        if (length < 1 || length > Event.MAX_BYTES || length > bytes.remaining() - LENGTH_BYTES) {
            return Optional.empty();
        }
        byte[] content = new byte[length];
        bytes.position(bytes.position() + LENGTH_BYTES).get(content);
        return Optional.of(new LoggedEvent(Binary.copyOf(content), head < 0 ? Cause.PROBE : Cause.AGENT));
    }

    private static long resetCountOf(Binary head) {
        Verdict<Long> read = Verdict.of(() -> {
            Cbor.Fields fields = Cbor.Fields.of(
                    CborReader.read(head.toArray(), Event.MAX_BYTES).orThrow());
            fields.integer("format", 1, 1);
            return fields.integer("resetCount", 0, Long.MAX_VALUE);
        });
        return read instanceof Verdict.Accepted<Long>(Long value) ? value : -1;
    }
}
