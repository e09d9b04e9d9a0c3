package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventLogTest {
    /** The power goes. */
    private static final class PowerCut extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private static final class Register implements MeasurementRegister {
        Sha256 value = new Sha256(Binary.copyOf(new byte[32]));
        long resets = 1;
        boolean cutBefore;
        boolean cutAfter;

        void reboot() {
            value = new Sha256(Binary.copyOf(new byte[32]));
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
            if (cutBefore) {
                throw new PowerCut();
            }
            value = Event.extend(value, digest);
            if (cutAfter) {
                throw new PowerCut();
            }
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

    private EventLog open() throws Exception {
        return EventLog.open(dir.resolve("log"), register);
    }

    /** The log file of a device that serves version 1 and whose agent has stopped. */
    private Path servingV1() throws Exception {
        try (EventLog log = open()) {
            log.agentStarted("agent", "1");
            log.beforeServe(Models.V1);
            log.afterServe("intent");
        }
        return dir.resolve("log/events.log");
    }

    @Test
    void aRestartedAgentFindsItsLogAgain() throws Exception {
        servingV1();
        try (EventLog log = open()) {
            assertThat(log.serving()).containsOnly(Map.entry("intent", Models.V1));
            assertThat(log.contents()).hasSize(2);
            assertThat(log.replayed()).isEqualTo(register.value);
            assertThat(log.broken()).isEmpty();
            assertThat(log.interrupted()).isEmpty();
        }
    }

    @Test
    void forgetsAnEventThatWasNotExtendedWhenThePowerWent() throws Exception {
        servingV1();
        try (EventLog log = open()) {
            register.cutBefore = true;
            assertThatThrownBy(() -> log.beforeServe(Models.V2)).isInstanceOf(PowerCut.class);
        }
        register.cutBefore = false;
        try (EventLog log = open()) {
            assertThat(log.serving()).containsOnly(Map.entry("intent", Models.V1));
            assertThat(log.interrupted()).isEmpty();
            assertThat(log.broken()).isEmpty();
        }
    }

    @Test
    void finishesAnEventThatWasExtendedButNotAppended() throws Exception {
        servingV1();
        try (EventLog log = open()) {
            register.cutAfter = true;
            assertThatThrownBy(() -> log.beforeServe(Models.V2)).isInstanceOf(PowerCut.class);
        }
        register.cutAfter = false;
        try (EventLog log = open()) {
            assertThat(log.serving()).containsOnly(Map.entry("intent", Models.V2));
            assertThat(log.interrupted()).containsOnly(Map.entry("intent", Models.V2));
            assertThat(log.replayed()).isEqualTo(register.value);
            assertThat(log.broken()).isEmpty();
        }
    }

    @Test
    void finishesATornAppend() throws Exception {
        Path file = servingV1();
        try (EventLog log = open()) {
            log.beforeServe(Models.V2);
        }
        cutTail(file, 5);
        try (EventLog log = open()) {
            assertThat(log.serving()).containsOnly(Map.entry("intent", Models.V2));
            assertThat(log.replayed()).isEqualTo(register.value);
            assertThat(log.broken()).isEmpty();
        }
    }

    @Test
    void tellsTheCallerOfAFlipThatMayNotHaveHappenedAndSettlesIt() throws Exception {
        servingV1();
        try (EventLog log = open()) {
            log.beforeServe(Models.V2);
        }
        try (EventLog log = open()) {
            assertThat(log.interrupted()).containsOnly(Map.entry("intent", Models.V2));
            log.ensureServing(List.of(Models.V1.as(ModelEvent.Kind.ROLLBACK)));
            assertThat(log.serving()).containsOnly(Map.entry("intent", Models.V1.as(ModelEvent.Kind.ROLLBACK)));
            assertThat(log.interrupted()).isEmpty();
            int events = log.contents().size();
            log.ensureServing(List.of(Models.V1));
            assertThat(log.contents()).hasSize(events);
        }
    }

    @Test
    void goesOnInOneProcessAfterAStepThatFailed() throws Exception {
        try (EventLog log = open()) {
            register.cutAfter = true;
            assertThatThrownBy(() -> log.beforeServe(Models.V2)).isInstanceOf(PowerCut.class);
            register.cutAfter = false;
            log.ensureServing(List.of(Models.V1));
            assertThat(log.contents()).hasSize(2);
            assertThat(log.replayed()).isEqualTo(register.value);
            assertThat(log.broken()).isEmpty();
        }
    }

    @Test
    void beginsAfreshAfterAReboot() throws Exception {
        servingV1();
        register.reboot();
        try (EventLog log = open()) {
            assertThat(log.serving()).isEmpty();
            assertThat(log.contents()).isEmpty();
            assertThat(log.broken()).isEmpty();
        }
    }

    @Test
    void measuresAgainWhenTheTeeWasResetUnderARunningAgent() throws Exception {
        servingV1();
        try (EventLog log = open()) {
            register.reboot();
            log.ensureServing(List.of(Models.V1));
            assertThat(log.serving()).containsOnly(Map.entry("intent", Models.V1));
            assertThat(log.contents()).hasSize(1);
            assertThat(log.replayed()).isEqualTo(register.value);
            assertThat(log.broken()).isEmpty();
        }
    }

    @Test
    void doesNotHideALostTail() throws Exception {
        cutTail(servingV1(), 5);
        try (EventLog log = open()) {
            assertThat(log.broken()).isPresent();
        }
    }

    @Test
    void doesNotHideAnEditedEvent() throws Exception {
        Path file = servingV1();
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 3] ^= 1;
        Files.write(file, bytes);
        try (EventLog log = open()) {
            assertThat(log.broken()).isPresent();
            log.beforeServe(Models.V2);
            log.afterServe("intent");
            assertThat(log.broken()).isPresent();
        }
    }

    @Test
    void doesNotHideAnExtendBySomeoneElse() throws Exception {
        servingV1();
        try (EventLog log = open()) {
            register.extend(Models.hash("another program"));
            log.beforeServe(Models.V2);
            assertThat(log.broken()).isPresent();
        }
    }

    @Test
    void doesNotHideARegisterThatWasNotZeroAtFirst() throws Exception {
        register.extend(Models.hash("another program"));
        try (EventLog log = open()) {
            assertThat(log.broken()).isPresent();
        }
    }

    @Test
    void readsAnyFileWithoutFallingOver() throws Exception {
        Path file = servingV1();
        byte[] good = Files.readAllBytes(file);
        java.util.Random random = new java.util.Random(5);
        for (int i = 0; i < 300; i++) {
            byte[] bad = java.util.Arrays.copyOf(good, random.nextInt(good.length + 8));
            for (int flips = 0; flips < 3 && bad.length > 0; flips++) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            Files.write(file, bad);
            try (EventLog log = open()) {
                assertThat(log.broken().isPresent() || log.replayed().equals(register.value))
                        .isTrue();
            }
        }
    }

    private static void cutTail(Path file, int bytes) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(channel.size() - bytes);
        }
    }
}
