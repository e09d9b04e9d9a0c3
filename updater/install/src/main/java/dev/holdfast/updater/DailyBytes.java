package dev.holdfast.updater;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/**
 * What all downloads together pulled on a day (UTC), refused bytes included: a metered link pays for them as well. The sum of a day ends
 * no order: beyond it everything waits for the next one. Kept over restarts, but for {@value #KEEP_BYTES} bytes. Thread-safe.
 *
 * <p>A clock that is corrected begins a day anew, whichever way it goes: by one that was wrong nothing may wait.
 */
final class DailyBytes {
    static final String FILE = "traffic.json";
    private static final long KEEP_BYTES = 1 << 20;
    private static final int MAX_FILE_BYTES = 256;
    private static final long DAY_SECONDS = Duration.ofDays(1).toSeconds();

    private final Path file;
    private final Disk disk;
    private final InstantSource clock;
    private long day;
    private long bytes;
    private long kept;

    /** A file that does not read counts as none: it limits nothing that is signed. */
    DailyBytes(Path file, Disk disk, InstantSource clock) throws IOException {
        this.file = file;
        this.disk = disk;
        this.clock = clock;
        if (Files.isRegularFile(file) && Files.size(file) <= MAX_FILE_BYTES) {
            try {
                Fields fields = Fields.read(Files.readAllBytes(file), MAX_FILE_BYTES, Code.UPD_FORMAT);
                day = fields.integer("day", Long.MIN_VALUE);
                bytes = fields.integer("bytes", 0);
                kept = bytes;
            } catch (RejectedException e) {
                day = 0;
            }
        }
    }

    private void today() {
        long now = Math.floorDiv(clock.instant().getEpochSecond(), DAY_SECONDS);
        if (now != day) {
            day = now;
            bytes = 0;
            kept = 0;
        }
    }

    /** Waits for the next day where no {@code needed} bytes are left of {@code limit}. */
    synchronized void require(long needed, long limit) throws InstallStop {
        today();
        if (limit - bytes < needed) {
            throw InstallStop.waiting(
                    Code.INS_METERED,
                    bytes + " bytes came today, daily-bytes is " + limit,
                    Instant.ofEpochSecond((day + 1) * DAY_SECONDS));
        }
    }

    /** How many blocks of {@code blockBytes} are left of the day; {@code most} at most, and at least one. */
    synchronized int blocks(int most, int blockBytes, long limit) {
        today();
        return (int) Math.clamp((limit - bytes) / blockBytes, 1L, (long) most);
    }

    synchronized void count(long more) {
        today();
        bytes += more;
    }

    /** Makes the sum durable where enough came since the last time. */
    synchronized void keep(long limit) throws IOException {
        if (limit != Long.MAX_VALUE && bytes - kept >= Math.min(KEEP_BYTES, limit / 64)) {
            ObjectNode node = Json.object().put("day", day).put("bytes", bytes);
            disk.replace(file, Json.write(node));
            kept = bytes;
        }
    }
}
