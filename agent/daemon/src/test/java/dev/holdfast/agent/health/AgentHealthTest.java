package dev.holdfast.agent.health;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** When the agent says that it is ready and well, and when it does not. */
@Timeout(60)
class AgentHealthTest {
    @TempDir
    Path dir;

    @Test
    void isNotWellWithoutItsControlSocket() {
        Pulse pulse = new Pulse();
        pulse.beat();
        assertThatThrownBy(new AgentHealth(pulse, dir.resolve("control.sock"))::fault)
                .isInstanceOf(IOException.class);
    }

    @Test
    void isNotWellWhereItsLoopHangsAndSaysWhere() throws Exception {
        AtomicLong nanos = new AtomicLong();
        Pulse pulse = new Pulse(nanos::get);
        AgentHealth health = new AgentHealth(pulse, dir.resolve("control.sock"));
        assertThat(health.fault()).contains("the loop has not begun");

        CountDownLatch hangs = new CountDownLatch(1);
        Thread loop = Thread.ofPlatform().name("agent-work").start(() -> {
            pulse.beat();
            waitFor(hangs);
        });
        Awaitility.await().until(() -> loop.getState() == Thread.State.WAITING);
        nanos.set(Pulse.LIMIT.toNanos());
        assertThat(pulse.fault()).isEmpty();
        nanos.addAndGet(Duration.ofSeconds(1).toNanos());
        assertThat(health.fault().orElseThrow())
                .startsWith("agent-work has not moved for 301 s, at ")
                .contains("AgentHealthTest.waitFor");
        hangs.countDown();
        loop.join();
        assertThat(health.fault()).isEqualTo(Optional.of("agent-work has ended"));
    }

    private static void waitFor(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
