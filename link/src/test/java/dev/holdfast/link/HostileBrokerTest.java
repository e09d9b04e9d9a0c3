package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.testkit.HostileBroker;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a broker that breaks every rule can do to a link: cost it time, and nothing else. */
class HostileBrokerTest {
    private static final Duration LIMIT = Duration.ofSeconds(180);
    private static final Duration ANSWER = Duration.ofSeconds(1);
    private static final Duration SOON = Duration.ofMillis(2);
    private static final List<String> FILTERS = List.of("holdfast/v1/f/d/d/answer", "holdfast/v1/f/d/d/desired");
    private static final int SOME = 5;
    private static final int MANY = 100;

    private record Case(HostileBroker.Behaviour behaviour, Code code) {}

    private static final Map<String, Case> CASES = Map.ofEntries(
            Map.entry("mute", new Case(HostileBroker.mute(), Code.LNK_SILENT)),
            Map.entry("half CONNACK", new Case(HostileBroker.halfConnAck(), Code.LNK_SILENT)),
            Map.entry("closing", new Case(HostileBroker.closing(), Code.LNK_DOWN)),
            Map.entry("closing after CONNACK", new Case(HostileBroker.closingAfterConnAck(), Code.LNK_DOWN)),
            Map.entry("garbage", new Case(HostileBroker.garbage(1), Code.LNK_PROTOCOL)),
            Map.entry("endless before CONNACK", new Case(HostileBroker.endlessPacket(268_435_455), Code.LNK_PROTOCOL)),
            Map.entry("endless message", new Case(HostileBroker.endlessMessage(268_435_455), Code.LNK_PROTOCOL)),
            Map.entry("not authorized", new Case(HostileBroker.refusing(0x87), Code.LNK_DENIED)),
            Map.entry("another MQTT", new Case(HostileBroker.refusing(0x84), Code.LNK_PROTOCOL)),
            Map.entry("subscription refused", new Case(HostileBroker.refusingSubscriptions(0x87), Code.LNK_DENIED)),
            Map.entry("taken over", new Case(HostileBroker.disconnecting(0x8e), Code.LNK_TAKEN_OVER)),
            Map.entry("shutting down", new Case(HostileBroker.disconnecting(0x8b), Code.LNK_DOWN)));

    /** All at once: most of the time goes by with waiting for the mute ones. */
    @Test
    void eachIsToldByTheCodeOfItsCause() throws Exception {
        Map<String, HostileBroker> brokers = new HashMap<>();
        Map<String, ReconnectingLink> links = new HashMap<>();
        try {
            for (Map.Entry<String, Case> each : CASES.entrySet()) {
                HostileBroker broker = HostileBroker.start(each.getValue().behaviour());
                brokers.put(each.getKey(), broker);
                links.put(each.getKey(), open(broker, message -> {}));
            }
            for (Map.Entry<String, ReconnectingLink> each : links.entrySet()) {
                until(() -> each.getValue().status().lost().isPresent());
                assertThat(each.getValue().status().lost().orElseThrow().code())
                        .as(each.getKey())
                        .isEqualTo(
                                Objects.requireNonNull(CASES.get(each.getKey())).code());
            }
        } finally {
            links.values().forEach(ReconnectingLink::close);
            for (HostileBroker broker : brokers.values()) {
                broker.close();
            }
        }
    }

    /** Of each attempt against a broker that takes the connection and says nothing, nothing stays behind. */
    @Test
    void threadsAndDescriptorsAreFlatAfterSomeFailedAttempts() throws Exception {
        failAgainAndAgain(SOME);
    }

    @Test
    @Tag("full")
    void threadsAndDescriptorsAreFlatAfterAHundredFailedAttempts() throws Exception {
        failAgainAndAgain(MANY);
    }

    private static void failAgainAndAgain(int attempts) throws Exception {
        try (HostileBroker broker = HostileBroker.start(HostileBroker.mute());
                ReconnectingLink link = ReconnectingLink.open(
                        config(broker).withPace(Duration.ofMillis(400), SOON, SOON), message -> {})) {
            until(() -> broker.accepted() >= 5);
            int threads = ManagementFactory.getThreadMXBean().getThreadCount();
            long descriptors = descriptors();
            until(() -> broker.accepted() >= 5 + attempts);
            System.out.printf(
                    "%d attempts: threads %d -> %d, descriptors %d -> %d, open at the broker %d%n",
                    broker.accepted(),
                    threads,
                    ManagementFactory.getThreadMXBean().getThreadCount(),
                    descriptors,
                    descriptors(),
                    broker.open());
            until(() -> ManagementFactory.getThreadMXBean().getThreadCount() <= threads + 3);
            until(() -> descriptors() <= descriptors + 6);
            until(() -> broker.open() <= 2);

            // After the thaw there is one live client, which nobody throws off.
            broker.become(HostileBroker.polite());
            until(link::connected);
            until(() -> broker.open() == 1);
            int then = broker.accepted();
            link.publish("holdfast/v1/f/d/d/ask", new byte[10], false);
            assertThat(broker.accepted()).isEqualTo(then);
        }
    }

    @Test
    void aPacketIsRefusedByItsLengthBeforeAnythingIsReservedForIt() throws Exception {
        try (HostileBroker broker = HostileBroker.start(HostileBroker.endlessMessage(268_435_455));
                ReconnectingLink link = open(broker, message -> {})) {
            until(() -> broker.accepted() >= 3);
            var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
            long before = threads.getTotalThreadAllocatedBytes();
            int accepted = broker.accepted();
            until(() -> broker.accepted() >= accepted + 8);
            long each = (threads.getTotalThreadAllocatedBytes() - before) / (broker.accepted() - accepted);
            System.out.printf("%d KiB for each packet of 256 MiB%n", each >> 10);
            assertThat(each).isLessThan(4 << 20);
            assertThat(link.status().lost().orElseThrow().code()).isEqualTo(Code.LNK_PROTOCOL);
        }
    }

    @Test
    void aMessageThatIsNeverAcknowledgedEndsTheConnectionAndHasItsCode() throws Exception {
        try (HostileBroker broker = HostileBroker.start(HostileBroker.neverAcknowledging());
                ReconnectingLink link = open(broker, message -> {})) {
            until(link::connected);
            assertThatThrownBy(() -> link.publish("t", new byte[1], false))
                    .isInstanceOfSatisfying(
                            LinkException.class,
                            e -> assertThat(e.rejection().code()).isEqualTo(Code.LNK_SILENT));
            until(() -> broker.accepted() > 1);
        }
    }

    /** Whatever a text holds, the library's parsers do not see it; a message that they die of would end a device's link for good. */
    @Test
    void strangeTextsEndNothing() throws Exception {
        BlockingQueue<MqttLink.Inbound> taken = new ArrayBlockingQueue<>(100);
        try (HostileBroker broker = HostileBroker.start(HostileBroker.speakingStrangely(FILTERS.get(1)));
                ReconnectingLink link = open(broker, taken::add)) {
            List<String> heard = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                MqttLink.Inbound message = taken.poll(LIMIT.toSeconds(), TimeUnit.SECONDS);
                assertThat(message).isNotNull();
                heard.add(message.topic() + " " + new String(message.payload(), StandardCharsets.US_ASCII));
            }
            assertThat(heard).containsExactly(FILTERS.get(1) + "? a", FILTERS.get(1) + " b", FILTERS.get(1) + " c");
            link.publish("t", new byte[1], false);
            assertThat(broker.accepted()).isEqualTo(1);
        }
    }

    @Test
    void aBrokerThatAnswersNoPingIsSilent() throws Exception {
        LinkConfig.Pace pace = new LinkConfig.Pace(ANSWER, SOON, SOON, Duration.ofSeconds(1), Duration.ZERO);
        try (HostileBroker broker = HostileBroker.start(HostileBroker.neverPonging());
                ReconnectingLink link = ReconnectingLink.open(config(broker).with(pace), message -> {})) {
            until(() -> link.status().lost().isPresent());
            assertThat(link.status().lost().orElseThrow().code()).isEqualTo(Code.LNK_SILENT);
        }
    }

    /** Who waits for an acknowledgement may be wanted elsewhere, which is nothing to the others. */
    @Test
    void anInterruptedPublisherEndsNoConnection() throws Exception {
        AtomicBoolean flag = new AtomicBoolean();
        try (HostileBroker broker = HostileBroker.start(HostileBroker.neverAcknowledging());
                ReconnectingLink link = ReconnectingLink.open(
                        config(broker).withPace(Duration.ofSeconds(30), SOON, SOON), message -> {})) {
            until(link::connected);
            Thread publisher = Thread.ofPlatform().start(() -> {
                try {
                    link.publish("t", new byte[1], false);
                } catch (LinkException e) {
                    flag.set(Thread.currentThread().isInterrupted());
                }
            });
            until(() -> publisher.getState() == Thread.State.TIMED_WAITING);
            publisher.interrupt();
            publisher.join(LIMIT);
            assertThat(flag).isTrue();
            assertThat(link.connected()).isTrue();
            assertThat(broker.accepted()).isEqualTo(1);
        }
    }

    /** A connection that lives for a moment is a failure: pauses grow, and do not begin anew with each CONNACK. */
    @Test
    void aClientThatIsThrownOffAgainAndAgainComesBackMoreAndMoreSlowly() throws Exception {
        try (HostileBroker broker = HostileBroker.start(HostileBroker.disconnecting(0x8e));
                ReconnectingLink link = ReconnectingLink.open(
                        config(broker).withPace(ANSWER, Duration.ofMillis(20), Duration.ofMinutes(5)), message -> {})) {
            until(() -> link.status().takeovers() >= 3);
            assertThat(link.status().takenOver()).isPresent();
            until(() -> link.status()
                    .nextAttempt()
                    .filter(next -> next.isAfter(Instant.now().plusSeconds(1)))
                    .isPresent());
            System.out.println("thrown off " + link.status().takeovers() + " times until a pause was longer than 1 s");
        }
    }

    /** On a line that fails all the time, what gets through between two failures is enough to go on. */
    @Test
    void aConnectionThatWasOfUseIsNoFailureHoweverShort() throws Exception {
        int connections = 12;
        try (HostileBroker broker = HostileBroker.start(HostileBroker.polite());
                ReconnectingLink link = ReconnectingLink.open(
                        config(broker).withPace(ANSWER, Duration.ofMillis(20), Duration.ofMinutes(5)), message -> {})) {
            for (int i = 1; i <= connections; i++) {
                until(link::connected);
                link.useful();
                broker.hangUp();
                until(() -> !link.connected());
                // Of 12 pauses that doubled each time the last one would be a minute.
                assertThat(Duration.between(
                                Instant.now(), link.status().nextAttempt().orElseGet(Instant::now)))
                        .as("pause after connection " + i)
                        .isLessThan(Duration.ofSeconds(1));
            }
            assertThat(broker.accepted()).isGreaterThanOrEqualTo(connections);
        }
    }

    /** Who takes over from this client is no better for what the broker gave it before. */
    @Test
    void aClientThatIsThrownOffComesBackMoreSlowlyEvenIfItsConnectionWasOfUse() throws Exception {
        try (HostileBroker broker = HostileBroker.start(HostileBroker.disconnecting(0x8e));
                ReconnectingLink link = ReconnectingLink.open(
                        config(broker).withPace(ANSWER, Duration.ofMillis(20), Duration.ofMinutes(5)), message -> {})) {
            until(() -> {
                link.useful();
                return link.status()
                        .nextAttempt()
                        .filter(next -> next.isAfter(Instant.now().plusSeconds(1)))
                        .isPresent();
            });
            assertThat(link.status().takeovers()).isPositive();
        }
    }

    @Test
    void aFloodIsDroppedWithinItsBoundAndSaidToHaveBeenMissed() throws Exception {
        byte[] payload = new byte[100 * 1024];
        BlockingQueue<MqttLink.Inbound> taken = new ArrayBlockingQueue<>(100_000);
        Semaphore go = new Semaphore(0);
        AtomicInteger missed = new AtomicInteger();
        MqttLink.Receiver slow = new MqttLink.Receiver() {
            @Override
            public void received(MqttLink.Inbound message) {
                taken.add(message);
                go.acquireUninterruptibly();
            }

            @Override
            public void missed() {
                missed.incrementAndGet();
            }
        };
        try (HostileBroker broker = HostileBroker.start(HostileBroker.flooding(FILTERS.get(1), payload, 1000));
                ReconnectingLink link = ReconnectingLink.open(config(broker), slow)) {
            // All of the flood is read before this is acknowledged: the publisher is not held up.
            until(link::connected);
            link.publish("t", new byte[1], false);
            go.release(10_000);
            until(() -> missed.get() > 0);
            assertThat(taken.size()).isLessThan(200);
        } finally {
            go.release(10_000);
        }
    }

    @Test
    void clientIdsHoldFleetAndDeviceAndCannotBeGuessed() throws Exception {
        HashSet<String> seen = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            String id = ClientId.fresh("demo", "camera-front-7");
            assertThat(id).matches("cameraf[0-9A-Za-z]+|camerafr[0-9A-Za-z]+").hasSizeLessThanOrEqualTo(23);
            assertThat(seen.add(id)).isTrue();
        }
        String rest = ClientId.fresh("demo", "cam").substring(3, 8);
        assertThat(ClientId.fresh("demo", "cam")).startsWith("cam" + rest);
        assertThat(ClientId.fresh("other", "cam")).doesNotStartWith("cam" + rest);
        assertThat(ClientId.fresh("demo", "___")).hasSize(15);
    }

    @Test
    void aLinkThatIsClosedLeavesNothing() throws Exception {
        try (HostileBroker broker = HostileBroker.start(HostileBroker.polite())) {
            ReconnectingLink link = open(broker, message -> {});
            until(link::connected);
            link.close();
            until(() -> broker.open() == 0);
            until(() -> Thread.getAllStackTraces().keySet().stream()
                    .noneMatch(thread -> thread.getName().startsWith("link-")
                            || thread.getName().startsWith("MQTT ")));
            assertThatThrownBy(() -> link.publish("t", new byte[1], false)).isInstanceOf(LinkException.class);
        }
    }

    private static LinkConfig config(HostileBroker broker) {
        return LinkConfig.of(broker.uri(), ClientId.fresh("f", "d"), FILTERS);
    }

    private static ReconnectingLink open(HostileBroker broker, MqttLink.Receiver receiver) {
        return ReconnectingLink.open(config(broker).withPace(ANSWER, SOON, SOON), receiver);
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return files.count();
        }
    }

    private static void until(Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("in time").isLessThan(end);
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }
}
