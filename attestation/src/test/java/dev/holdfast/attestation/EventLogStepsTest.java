package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.TpmAddress;
import dev.holdfast.wire.Sha256;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every durable step of the log is cut off, and so is every step of the recovery from that. */
class EventLogStepsTest {
    private static final class PowerCut extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** Lets {@code left} steps pass and then cuts the power, before the next one. */
    private static final class Fuse implements Steps {
        private final List<String> passed = new ArrayList<>();
        private int left;

        Fuse(int left) {
            this.left = left;
        }

        @Override
        public void before(String step) {
            if (left-- == 0) {
                throw new PowerCut();
            }
            passed.add(step);
        }
    }

    /** A register that a power cut of the agent does not touch. */
    private static final class Register implements MeasurementRegister {
        private Sha256 value = Event.ZERO;
        private long resets = 1;

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

    private static final Set<String> STEPS = Set.of(
            "begin a fresh log",
            "keep the log of the boot before",
            "cut off a torn event",
            "write-ahead record",
            "extend the register",
            "append the event",
            "append the event's rest",
            "sync the log",
            "clear the write-ahead record");

    @TempDir
    Path temp;

    private int cases;

    private Path fresh() {
        return temp.resolve("log-" + cases++);
    }

    /** The life of a log: a start, a model, an update, a way back. */
    private static void live(EventLog log) throws Exception {
        log.agentStarted("agent", "1");
        swap(log, Models.V1);
        swap(log, Models.V2);
        swap(log, Models.V1.as(ModelEvent.Kind.ROLLBACK));
    }

    private static void swap(EventLog log, ModelEvent event) throws Exception {
        log.beforeServe(event);
        log.afterServe();
    }

    /** Opens the log of {@code dir}, lives on, and is cut off where the fuse says; true when it was. */
    private static boolean cut(Path dir, Register register, Fuse fuse) throws Exception {
        try (EventLog log = EventLog.open(dir, register, Disk.LOCAL, fuse)) {
            live(log);
            return false;
        } catch (PowerCut e) {
            return true;
        }
    }

    private static void assertWhole(EventLog log, Register register) throws Exception {
        assertThat(log.broken()).isEmpty();
        assertThat(log.replayed()).isEqualTo(register.read());
        Sha256 value = Event.ZERO;
        Optional<ModelEvent> last = Optional.empty();
        for (var content : log.contents()) {
            value = Event.extend(value, Event.digest(content));
            if (Models.accepted(Event.parse(content)) instanceof Event.Model(ModelEvent event)) {
                last = Optional.of(event);
            }
        }
        assertThat(value).isEqualTo(register.read());
        assertThat(log.serving()).isEqualTo(last);
        log.ensureServing(Models.V2);
        assertThat(log.serving().orElseThrow().as(ModelEvent.Kind.SERVE)).isEqualTo(Models.V2);
        assertThat(log.interrupted()).isEmpty();
        assertThat(log.replayed()).isEqualTo(register.read());
    }

    @Test
    void recoversFromACutBeforeEachStep() throws Exception {
        Set<String> seen = new LinkedHashSet<>();
        int step = 0;
        boolean wasCut = true;
        for (; wasCut; step++) {
            Path dir = fresh();
            Register register = new Register();
            Fuse fuse = new Fuse(step);
            wasCut = cut(dir, register, fuse);
            seen.addAll(fuse.passed);
            Fuse recovery = new Fuse(Integer.MAX_VALUE);
            try (EventLog log = EventLog.open(dir, register, Disk.LOCAL, recovery)) {
                assertWhole(log, register);
            }
            seen.addAll(recovery.passed);
        }
        assertThat(step).isGreaterThan(24); // six steps for each of four events
        // The log of a boot before is only kept where there was one.
        assertThat(seen)
                .containsExactlyInAnyOrderElementsOf(STEPS.stream()
                        .filter(name -> !name.equals("keep the log of the boot before"))
                        .toList());
    }

    @Test
    void recoversFromACutBeforeEachStepOfEachRecovery() throws Exception {
        for (int step = 0; step < 40; step++) {
            for (int second = 0; ; second++) {
                Path dir = fresh();
                Register register = new Register();
                cut(dir, register, new Fuse(step));
                boolean again = cut(dir, register, new Fuse(second));
                try (EventLog log = EventLog.open(dir, register)) {
                    assertWhole(log, register);
                }
                if (!again || second > 8) {
                    break;
                }
            }
        }
        assertThat(cases).isGreaterThan(40);
    }

    @Test
    void recoversFromACutBeforeEachStepAfterAReboot() throws Exception {
        Set<String> seen = new LinkedHashSet<>();
        boolean wasCut = true;
        for (int step = 0; wasCut; step++) {
            Path dir = fresh();
            Register register = new Register();
            cut(dir, register, new Fuse(Integer.MAX_VALUE));
            register.value = Event.ZERO;
            register.resets++;
            Fuse fuse = new Fuse(step);
            wasCut = cut(dir, register, fuse);
            seen.addAll(fuse.passed);
            try (EventLog log = EventLog.open(dir, register)) {
                assertWhole(log, register);
            }
        }
        assertThat(seen).contains("keep the log of the boot before", "begin a fresh log");
    }

    /** kill -9 in earnest: a process of its own, a real TPM that lives on, the files as the kernel has them. */
    @Test
    void recoversFromKillNineBeforeEachStepOfASwap() throws Exception {
        try (Swtpm swtpm = Swtpm.start(temp)) {
            Path dir = temp.resolve("killed");
            List<String> killedBefore = new ArrayList<>();
            for (int step = 0; step < 20; step++) {
                Path told = temp.resolve("step-" + step);
                if (victim(dir, swtpm, step, told) == 0) {
                    break;
                }
                killedBefore.add(Files.readString(told));
                try (Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address());
                        EventLog log = EventLog.open(dir, bridge.register().orElseThrow())) {
                    assertThat(log.broken()).isEmpty();
                    assertThat(log.replayed())
                            .isEqualTo(bridge.register().orElseThrow().read());
                    log.afterServe(); // so that the next process takes the same steps
                }
            }
            assertThat(killedBefore)
                    .contains(
                            "write-ahead record",
                            "extend the register",
                            "append the event",
                            "append the event's rest",
                            "sync the log",
                            "clear the write-ahead record");
        }
    }

    private static int victim(Path dir, Swtpm swtpm, int step, Path told) throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Victim.class.getName(),
                        dir.toString(),
                        ((TpmAddress.Unix) swtpm.address()).path().toString(),
                        String.valueOf(step),
                        told.toString())
                .redirectErrorStream(true)
                .redirectOutput(new File(dir + ".out"))
                .start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        int status = process.exitValue();
        assertThat(status).as(Files.readString(Path.of(dir + ".out"))).isIn(0, 128 + 9);
        return status;
    }

    /** The process that is killed. */
    static final class Victim {
        private Victim() {}

        public static void main(String[] arguments) throws Exception {
            int[] left = {Integer.parseInt(arguments[2])};
            Path told = Path.of(arguments[3]);
            try (Tpm2Bridge bridge = Tpm2Bridge.open(new TpmAddress.Unix(Path.of(arguments[1])));
                    EventLog log = EventLog.open(
                            Path.of(arguments[0]), bridge.register().orElseThrow(), Disk.LOCAL, step -> {
                                if (left[0]-- == 0) {
                                    killed(told, step);
                                }
                            })) {
                ModelEvent next = log.serving().filter(Models.V2::equals).isPresent() ? Models.V1 : Models.V2;
                swap(log, next);
            }
        }

        private static void killed(Path told, String step) {
            try {
                Files.writeString(told, step);
                new ProcessBuilder(
                                "kill",
                                "-9",
                                String.valueOf(ProcessHandle.current().pid()))
                        .start()
                        .waitFor();
                throw new IllegalStateException("survived");
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    @Test
    void leavesNoFileBehindThatItDoesNotKnow() throws Exception {
        Path dir = fresh();
        cut(dir, new Register(), new Fuse(Integer.MAX_VALUE));
        try (Stream<Path> files = Files.list(dir)) {
            assertThat(files.map(file -> file.getFileName().toString())).containsExactly("events.log");
        }
    }
}
