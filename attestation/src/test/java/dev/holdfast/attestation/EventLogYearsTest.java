package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.CutMatrix;
import dev.holdfast.storage.Disk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ten years of a new release every day, on a device that starts anew now and then and on one that never does. */
class EventLogYearsTest {
    private static final int DAYS = 3_653;
    /** The log of this boot and that of the one before, each within what evidence can carry. */
    private static final long MOST_BYTES = 2L * EventQuota.MAX_BYTES;

    private final Path root;
    private final Path dir;
    private final MemoryRegister register = new MemoryRegister();

    /** Where fsync costs nothing: what is durable when is another test's subject. */
    EventLogYearsTest() throws IOException {
        root = CutMatrix.directory();
        dir = root.resolve("log");
    }

    @AfterEach
    void clear() throws IOException {
        CutMatrix.clear(root);
        Files.delete(root);
    }

    private EventLog open() throws Exception {
        return EventLog.open(dir, register, Disk.LOCAL, Steps.UNWATCHED, System::nanoTime);
    }

    @ParameterizedTest
    @ValueSource(ints = {30, DAYS + 1})
    void theLogStaysWithinItsBoundsAndLeadsToTheRegister(int reboot) throws Exception {
        long largest = 0;
        EventLog log = open();
        for (int day = 1; day <= DAYS; day++) {
            if (day % reboot == 0) {
                log.close();
                register.reset();
                log = open();
            }
            log.agentStarted("agent", "1");
            ModelEvent release = Models.serve("1." + day + ".0", 1);
            log.beforeServe(release);
            log.afterServe("intent");
            assertThat(log.serving()).containsEntry("intent", release);
            assertThat(log.broken()).isEmpty();
            largest = Math.max(largest, bytes());
        }
        assertThat(log.replayed()).isEqualTo(register.read());
        log.close();
        try (EventLog again = open()) {
            assertThat(again.broken()).isEmpty();
            assertThat(again.replayed()).isEqualTo(register.read());
        }
        assertThat(largest).isLessThanOrEqualTo(MOST_BYTES);
        System.out.printf("a boot of %d days: at most %d KiB of event logs%n", Math.min(reboot, DAYS), largest >> 10);
    }

    @Test
    void oneLogOfAnEarlierBootIsKept() throws Exception {
        for (int boot = 0; boot < 5; boot++) {
            try (EventLog log = open()) {
                log.agentStarted("agent", "1");
            }
            register.reset();
        }
        try (Stream<Path> files = Files.list(dir)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("events.log", "events.previous.log");
        }
    }

    private long bytes() throws IOException {
        try (Stream<Path> files = Files.list(dir)) {
            return files.mapToLong(file -> file.toFile().length()).sum();
        }
    }
}
