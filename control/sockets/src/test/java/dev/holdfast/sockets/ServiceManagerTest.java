package dev.holdfast.sockets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.control.UnixDatagram;
import dev.holdfast.testkit.NotifyReceiver;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a service manager hears, on a real datagram socket. */
@Timeout(60)
class ServiceManagerTest {
    private static final long TIMEOUT_MILLIS = 300;
    private static final Map<String, String> WATCHDOG = Map.of("WATCHDOG_USEC", String.valueOf(TIMEOUT_MILLIS * 1000));

    @TempDir
    Path folder;

    @BeforeAll
    static void receives() {
        boolean present = NotifyReceiver.available();
        assertThat(present || !"true".equals(System.getenv("CI"))).isTrue();
        assumeTrue(present, "python3 is not installed");
    }

    private static ServiceManager manager(String socket, Map<String, String> more) {
        Map<String, String> environment = new HashMap<>(more);
        environment.put("NOTIFY_SOCKET", socket);
        return ServiceManager.of(environment);
    }

    private String path() {
        return folder.resolve("notify").toString();
    }

    private static void await(NotifyReceiver heard, String message, int times) {
        Awaitility.await()
                .until(() -> heard.messages().stream()
                                .filter(each -> each.equals(message))
                                .count()
                        >= times);
    }

    @Test
    void tellsEachStepOfALifeInItsOrder() throws Exception {
        try (NotifyReceiver heard = new NotifyReceiver(path());
                ServiceManager manager = manager(path(), Map.of())) {
            manager.starting("opening the root of trust", Duration.ofMinutes(2));
            manager.watch(Optional::empty);
            await(heard, "READY=1", 1);
            manager.status("serves intent@1.0.0");
            manager.status("serves intent@1.0.0");
            manager.reloading();
            manager.reloaded();
            manager.ending(() -> manager.status("not said any more")).close();
            await(heard, "STOPPING=1|STATUS=Stopping", 1);

            List<String> messages = heard.messages();
            assertThat(messages.get(3)).matches("RELOADING=1\\|MONOTONIC_USEC=[0-9]+");
            assertThat(messages.subList(0, 3))
                    .containsExactly(
                            "EXTEND_TIMEOUT_USEC=120000000|STATUS=Starting: opening the root of trust",
                            "READY=1",
                            "STATUS=serves intent@1.0.0");
            assertThat(messages.subList(4, messages.size())).containsExactly("READY=1", "STOPPING=1|STATUS=Stopping");
        }
    }

    @Test
    void reachesAnAbstractName() throws Exception {
        String name = "@holdfast-test-" + ProcessHandle.current().pid();
        try (NotifyReceiver heard = new NotifyReceiver(name);
                ServiceManager manager = manager(name, Map.of())) {
            manager.watch(Optional::empty);
            await(heard, "READY=1", 1);
        }
    }

    @Test
    void isNotReadyBeforeTheCheckPasses() throws Exception {
        AtomicReference<Optional<String>> fault = new AtomicReference<>(Optional.of("no socket yet"));
        CountDownLatch asked = new CountDownLatch(3);
        try (NotifyReceiver heard = new NotifyReceiver(path());
                ServiceManager manager = manager(path(), Map.of())) {
            manager.watch(() -> {
                asked.countDown();
                return fault.get();
            });
            asked.await();
            manager.status("starts");
            await(heard, "STATUS=starts", 1);
            assertThat(heard.messages()).containsExactly("STATUS=starts");
            fault.set(Optional.empty());
            await(heard, "READY=1", 1);
        }
    }

    @Test
    void saysThatItIsWellForAsLongAsTheCheckPasses() throws Exception {
        AtomicReference<Optional<String>> fault = new AtomicReference<>(Optional.empty());
        try (NotifyReceiver heard = new NotifyReceiver(path());
                ServiceManager manager = manager(path(), WATCHDOG)) {
            manager.watch(fault::get);
            await(heard, "WATCHDOG=1", 3);
            fault.set(Optional.of("the loop hangs"));
            // One that was under way may still come; after it, silence for longer than the manager waits.
            assertSilence(heard, manager);
        }
    }

    @Test
    void fallsSilentWhereTheCheckItselfHangsOrFails() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        AtomicReference<ServiceManager.Check> check = new AtomicReference<>(Optional::empty);
        try (NotifyReceiver heard = new NotifyReceiver(path());
                ServiceManager manager = manager(path(), WATCHDOG)) {
            manager.watch(() -> check.get().fault());
            await(heard, "WATCHDOG=1", 1);
            check.set(() -> {
                throw new IOException("no answer within 5 s");
            });
            assertSilence(heard, manager);
            check.set(() -> {
                never.await();
                return Optional.empty();
            });
            assertSilence(heard, manager);
        }
    }

    /** Marks of our own, over a time in which a healthy process would have said so several times. */
    private static void assertSilence(NotifyReceiver heard, ServiceManager manager) {
        manager.status("from here on " + System.nanoTime());
        long until = System.nanoTime() + 4 * TIMEOUT_MILLIS * 1_000_000;
        Awaitility.await().until(() -> System.nanoTime() > until);
        String end = "to here " + System.nanoTime();
        manager.status(end);
        await(heard, "STATUS=" + end, 1);
        List<String> messages = heard.messages();
        int from = messages.size() - 1;
        while (!messages.get(from).startsWith("STATUS=from here on")) {
            from--;
        }
        assertThat(messages.subList(from + 1, messages.size() - 1).stream()
                        .filter("WATCHDOG=1"::equals)
                        .count())
                .isLessThanOrEqualTo(1);
    }

    @Test
    void aStatusIsOneLineWhateverIsInIt() throws Exception {
        try (NotifyReceiver heard = new NotifyReceiver(path());
                ServiceManager manager = manager(path(), Map.of())) {
            manager.status("serves x\nWATCHDOG=trigger\u0007 " + "y".repeat(500));
            Awaitility.await().until(() -> !heard.messages().isEmpty());
            assertThat(heard.messages().getFirst())
                    .startsWith("STATUS=serves x WATCHDOG=trigger y")
                    .hasSizeLessThan(220);
        }
    }

    @Test
    void aWatchdogOfAnotherProcessIsNotFed() throws Exception {
        Map<String, String> environment = Map.of("WATCHDOG_USEC", "300000", "WATCHDOG_PID", "1");
        CountDownLatch asked = new CountDownLatch(2);
        try (NotifyReceiver heard = new NotifyReceiver(path());
                ServiceManager manager = manager(path(), environment)) {
            manager.watch(() -> {
                asked.countDown();
                return Optional.empty();
            });
            await(heard, "READY=1", 1);
            assertThat(asked.await(1, TimeUnit.SECONDS)).isFalse();
        }
    }

    @Test
    void withoutAManagerNothingIsAsked() {
        try (ServiceManager manager = ServiceManager.of(WATCHDOG)) {
            manager.watch(() -> {
                throw new AssertionError();
            });
            manager.starting("nothing", Duration.ofSeconds(1));
            manager.status("nothing");
        }
    }

    @Test
    void aManagerThatIsAwayHoldsUpNobody() throws Exception {
        try (ServiceManager manager = manager(path(), WATCHDOG)) {
            manager.status("nobody hears it");
        }
        assertThatThrownBy(() -> new UnixDatagram("vsock:2:1234")).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> new UnixDatagram("/" + "x".repeat(107))).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> new UnixDatagram(path()).send(new byte[] {1}))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("errno 2");
    }
}
