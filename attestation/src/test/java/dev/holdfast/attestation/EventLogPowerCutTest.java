package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.CutMatrix;
import dev.holdfast.storage.CutMatrix.End;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The power-cut matrix of the event log. After the end of the process the log still leads to the register; after the end of the
 * machine, whose register is zero then, a fresh log begins. In no case does it call itself broken.
 */
class EventLogPowerCutTest {
    /** What the process finds that is interrupted, and what a power cut does to the register. */
    enum Machine {
        FIRST_START,
        /** The log of another boot. */
        REBOOTED,
        /** A register that outlives the power, as that of a machine which only lost its disk: the log must lead to it still. */
        REGISTER_LASTS
    }

    private static final int TWICE = 60;

    /** In the TEE, which no end of the process touches; {@link #reset} is the start of the machine. */
    private static final class Register implements MeasurementRegister {
        private Sha256 value = Event.ZERO;
        private long resets = 1;

        void reset() {
            value = Event.ZERO;
            resets++;
        }

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

    private static Path root = Path.of("");
    private static CutMatrix matrix = new CutMatrix("the event log", root);

    private final Path dir = root.resolve("log");
    private Register register = new Register();

    @BeforeAll
    static void begin() throws IOException {
        root = CutMatrix.directory();
        matrix = new CutMatrix("the event log", root);
    }

    @AfterAll
    static void print() throws IOException {
        matrix.print();
        Files.delete(root);
    }

    @AfterEach
    void clear() throws IOException {
        CutMatrix.clear(root);
    }

    @ParameterizedTest
    @EnumSource(Machine.class)
    void everyOperationMayBeTheLast(Machine machine) throws Exception {
        matrix.everyOperation(machine.name(), new Cut(machine));
    }

    @ParameterizedTest
    @EnumSource(Machine.class)
    void thePowerMayGoAgainWhileTheLogRecovers(Machine machine) throws Exception {
        Cut cut = new Cut(machine);
        cut.isNewBootEachRun = machine != Machine.REGISTER_LASTS;
        matrix.twice(machine.name(), TWICE, cut);
    }

    private EventLog open(Disk disk) throws Exception {
        return EventLog.open(dir, register, disk, Steps.UNWATCHED);
    }

    private void live(Disk disk) throws Exception {
        try (EventLog log = open(disk)) {
            log.agentStarted("agent", "1");
            for (ModelEvent event : new ModelEvent[] {Models.V1, Models.V2}) {
                log.beforeServe(event);
                log.afterServe();
            }
        }
    }

    private final class Cut implements CutMatrix.Scenario {
        private final Machine machine;
        private boolean isNewBootEachRun;

        Cut(Machine machine) {
            this.machine = machine;
        }

        @Override
        public void restore() throws Exception {
            CutMatrix.clear(root);
            register = new Register();
            if (machine == Machine.REBOOTED) {
                live(Disk.LOCAL);
                register.reset();
            }
        }

        @Override
        public void run(Disk disk) throws Exception {
            if (isNewBootEachRun) {
                register.reset();
            }
            try {
                live(disk);
            } catch (IOException e) {
                // The disk failed once; the agent starts again.
                live(disk);
            }
        }

        @Override
        public void comesBack(End end) throws Exception {
            if (end == End.POWER && machine != Machine.REGISTER_LASTS) {
                register.reset();
            }
            try (EventLog log = open(Disk.LOCAL)) {
                assertThat(log.broken()).isEmpty();
                assertThat(log.replayed()).isEqualTo(register.read());
                log.ensureServing(Models.V2);
                assertThat(log.broken()).isEmpty();
                assertThat(log.interrupted()).isEmpty();
                assertThat(log.replayed()).isEqualTo(register.read());
            }
            try (EventLog log = open(Disk.LOCAL)) {
                assertThat(log.serving().orElseThrow().as(ModelEvent.Kind.SERVE))
                        .isEqualTo(Models.V2);
                assertThat(log.broken()).isEmpty();
            }
            assertThat(dir.resolve("write-ahead")).doesNotExist();
        }
    }
}
