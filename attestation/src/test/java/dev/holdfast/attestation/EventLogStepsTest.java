package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.TpmAddress;
import dev.holdfast.wire.Sha256;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
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

    /** The models whose pointers may not have flipped yet, by the calls that returned. */
    private final Set<String> underWay = new HashSet<>();

    private int cases;

    private Path fresh() {
        underWay.clear();
        return temp.resolve("log-" + cases++);
    }

    /** The life of a log: a start, a model, an update while another model is updated, too, which leaves the older release, a way back, and ends. */
    private void live(EventLog log) throws Exception {
        log.agentStarted("agent", "1");
        before(log, Models.V1);
        after(log, "intent");
        before(log, Models.EMBED);
        after(log, "embed");
        log.graced(Models.V1);
        before(log, Models.V2);
        before(log, Models.EMBED_2);
        after(log, "intent");
        after(log, "embed");
        log.graced(Models.EMBED);
        log.graceEnded(Models.V1.slot());
        before(log, Models.V1.as(ModelEvent.Kind.ROLLBACK));
        after(log, "intent");
        underWay.remove("embed");
        log.retired("embed");
    }

    private void before(EventLog log, ModelEvent event) throws Exception {
        log.beforeServe(event);
        underWay.add(event.model());
    }

    private void after(EventLog log, String model) throws Exception {
        underWay.remove(model);
        log.afterServe(model);
    }

    private static void swap(EventLog log, ModelEvent event) throws Exception {
        log.beforeServe(event);
        log.afterServe(event.model());
    }

    /** Opens the log of {@code dir}, lives on, and is cut off where the fuse says; true when it was. */
    private boolean cut(Path dir, MemoryRegister register, Fuse fuse) throws Exception {
        try (EventLog log = EventLog.open(dir, register, Disk.LOCAL, fuse, System::nanoTime)) {
            live(log);
            return false;
        } catch (PowerCut e) {
            return true;
        }
    }

    private void assertWhole(EventLog log, MemoryRegister register) throws Exception {
        assertThat(log.broken()).isEmpty();
        assertThat(log.replayed()).isEqualTo(register.read());
        Sha256 value = Event.ZERO;
        SortedMap<String, ModelEvent> last = new TreeMap<>();
        for (var content : log.contents()) {
            value = Event.extend(value, Event.digest(content));
            if (Models.accepted(Event.parse(content)) instanceof Event.Model(ModelEvent event)) {
                event.applyTo(last);
            }
        }
        assertThat(value).isEqualTo(register.read());
        assertThat(log.graces())
                .containsExactlyElementsOf(last.values().stream()
                        .filter(event -> event.kind().isOfGrace())
                        .toList());
        last.values().removeIf(event -> event.kind().isOfGrace());
        assertThat(log.serving()).isEqualTo(last);
        assertThat(log.interrupted().keySet()).containsAll(underWay);
        underWay.clear();
        log.ensureServing(List.of(Models.V2, Models.EMBED));
        assertThat(log.serving().values().stream().map(event -> event.as(ModelEvent.Kind.SERVE)))
                .containsExactly(Models.EMBED, Models.V2);
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
            MemoryRegister register = new MemoryRegister();
            Fuse fuse = new Fuse(step);
            wasCut = cut(dir, register, fuse);
            seen.addAll(fuse.passed);
            Fuse recovery = new Fuse(Integer.MAX_VALUE);
            try (EventLog log = EventLog.open(dir, register, Disk.LOCAL, recovery, System::nanoTime)) {
                assertWhole(log, register);
            }
            seen.addAll(recovery.passed);
        }
        System.out.println(step + " places where the power goes in the life of a log");
        assertThat(step)
                .isGreaterThan(43); // six steps for each of eight events, but one write-ahead record for two swaps
        // The log of a boot before is only kept where there was one.
        assertThat(seen)
                .containsExactlyInAnyOrderElementsOf(STEPS.stream()
                        .filter(name -> !name.equals("keep the log of the boot before"))
                        .toList());
    }

    @Test
    void recoversFromACutBeforeEachStepOfEachRecovery() throws Exception {
        for (int step = 0; step < 62; step++) {
            for (int second = 0; ; second++) {
                Path dir = fresh();
                MemoryRegister register = new MemoryRegister();
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
        assertThat(cases).isGreaterThan(60);
    }

    @Test
    void recoversFromACutBeforeEachStepAfterAReboot() throws Exception {
        Set<String> seen = new LinkedHashSet<>();
        boolean wasCut = true;
        for (int step = 0; wasCut; step++) {
            Path dir = fresh();
            MemoryRegister register = new MemoryRegister();
            cut(dir, register, new Fuse(Integer.MAX_VALUE));
            register.reset();
            underWay.clear();
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
                    log.afterServe("intent"); // so that the next process takes the same steps
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
                            Path.of(arguments[0]),
                            bridge.register().orElseThrow(),
                            Disk.LOCAL,
                            step -> {
                                if (left[0]-- == 0) {
                                    killed(told, step);
                                }
                            },
                            System::nanoTime)) {
                ModelEvent next = log.serving().containsValue(Models.V2) ? Models.V1 : Models.V2;
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
        cut(dir, new MemoryRegister(), new Fuse(Integer.MAX_VALUE));
        try (Stream<Path> files = Files.list(dir)) {
            assertThat(files.map(file -> file.getFileName().toString())).containsExactly("events.log");
        }
    }
}
