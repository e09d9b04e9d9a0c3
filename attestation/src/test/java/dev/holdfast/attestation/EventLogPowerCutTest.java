package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.CutMatrix;
import dev.holdfast.storage.CutMatrix.End;
import dev.holdfast.storage.Disk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
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

    private static Path root = Path.of("");
    private static CutMatrix matrix = new CutMatrix("the event log", root);

    private final Path dir = root.resolve("log");
    private MemoryRegister register = new MemoryRegister();

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
        return EventLog.open(dir, register, disk, Steps.UNWATCHED, System::nanoTime);
    }

    private void live(Disk disk) throws Exception {
        try (EventLog log = open(disk)) {
            log.agentStarted("agent", "1");
            log.beforeServe(Models.V1);
            log.beforeServe(Models.EMBED);
            log.afterServe("intent");
            log.afterServe("embed");
            log.confirm(log.changes(), List.of(Models.V1, Models.EMBED_2));
            log.beforeServe(Models.V2);
            log.afterServe("intent");
            log.retired("embed");
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
            register = new MemoryRegister();
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
                log.ensureServing(List.of(Models.V2));
                log.retired("embed");
                assertThat(log.broken()).isEmpty();
                assertThat(log.interrupted()).isEmpty();
                assertThat(log.replayed()).isEqualTo(register.read());
            }
            try (EventLog log = open(Disk.LOCAL)) {
                assertThat(log.serving()).containsOnly(Map.entry("intent", Models.V2));
                assertThat(log.broken()).isEmpty();
            }
            assertThat(dir.resolve("write-ahead")).doesNotExist();
        }
    }
}
