package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.DiskException;
import dev.holdfast.storage.FullDisk;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk that is full does not end an agent's start, and the log is whole again when it is free. */
class EventLogFullDiskTest {
    private static final class Register implements MeasurementRegister {
        Sha256 value = Event.ZERO;
        long resets = 1;

        @Override
        public int index() {
            return 14;
        }

        @Override
        public Sha256 read() {
            return value;
        }

        @Override
        public void extend(Sha256 digest) {
            value = Event.extend(value, digest);
        }

        @Override
        public boolean resettable() {
            return false;
        }

        @Override
        public long resetCount() {
            return resets;
        }
    }

    @TempDir
    Path dir;

    private final Register register = new Register();

    private EventLog open(FullDisk disk) throws Exception {
        return EventLog.open(dir.resolve("log"), register, disk, Steps.UNWATCHED, System::nanoTime);
    }

    /** The first event of a log, which names the agent. */
    private static void assertWhole(EventLog log, Register register) {
        assertThat(log.broken()).isEmpty();
        assertThat(log.replayed()).isEqualTo(register.value);
        assertThat(log.contents()).hasSize(1);
        assertThat(Event.parse(log.contents().getFirst()))
                .isEqualTo(Verdict.accepted(new Event.AgentStart("holdfast", "1")));
    }

    /** After a restart of the device a fresh log begins, which takes space at each of its writes. */
    @Test
    void aLogThatCannotBeBegunIsBegunWhenTheDiskIsFree() throws Exception {
        FullDisk counted = new FullDisk(Integer.MAX_VALUE);
        try (EventLog log = open(counted)) {
            log.agentStarted("holdfast", "1");
        }
        // The directory is there from now on.
        int writes = counted.writes() - 1;
        assertThat(writes).isGreaterThan(5);
        for (int left = 0; left < writes; left++) {
            FullDisk disk = new FullDisk(left);
            register.resets++;
            register.value = Event.ZERO;
            try (EventLog log = open(disk)) {
                assertThatThrownBy(() -> log.agentStarted("holdfast", "1"))
                        .isInstanceOfSatisfying(
                                DiskException.class,
                                full -> assertThat(full.reason().code()).isEqualTo(Code.INS_DISK));
                assertThatThrownBy(() -> log.ensureServing(List.of())).isInstanceOf(DiskException.class);
                disk.free();
                // Nobody has to start the agent again.
                log.ensureServing(List.of());
                assertWhole(log, register);
            }
            try (EventLog log = open(new FullDisk(Integer.MAX_VALUE))) {
                assertWhole(log, register);
            }
        }
    }

    /** The TEE forgets everything under a running agent, and the disk is full. */
    @Test
    void aResetUnderARunningAgentOnAFullDiskLeavesAWholeLog() throws Exception {
        FullDisk disk = new FullDisk(Integer.MAX_VALUE);
        try (EventLog log = open(disk)) {
            log.agentStarted("holdfast", "1");
            disk.fill();
            register.resets++;
            register.value = Event.ZERO;
            assertThatThrownBy(() -> log.ensureServing(List.of())).isInstanceOf(DiskException.class);
            assertThatThrownBy(() -> log.ensureServing(List.of())).isInstanceOf(DiskException.class);
            disk.free();
            log.agentStarted("holdfast", "1");
            assertWhole(log, register);
        }
        try (EventLog log = open(disk)) {
            assertWhole(log, register);
        }
    }
}
