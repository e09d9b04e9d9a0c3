package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.testkit.HostileBroker;
import dev.holdfast.testkit.HostileBrokerClient;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** What a broker says in CONNACK (MQTT 5.0 section 3.2.2.3) counts, however narrow it is. */
class BrokerLimitsTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int PUBLISH = 3;
    private static final int SUBSCRIBE = 8;
    private static final int PING = 12;

    private static final byte[] ONLY_TWO = {0x21, 0, 2};
    private static final byte[] A_THOUSAND_BYTES = {0x27, 0, 0, 3, (byte) 0xe8};
    private static final byte[] NOTHING_RETAINED = {0x25, 0};
    private static final byte[] NO_QOS_1 = {0x24, 0};
    private static final byte[] A_PING_EACH_SECOND = {0x13, 0, 1};
    private static final byte[] NO_KEEP_ALIVE = {0x13, 0, 0};
    private static final byte[] NO_WILDCARDS = {0x28, 0};
    private static final byte[] NO_SHARES = {0x2a, 0};

    private final LinkedBlockingQueue<HostileBroker.Packet> packets = new LinkedBlockingQueue<>();

    /** Accepts the client on these terms and keeps what it sends. */
    private HostileBroker.Behaviour on(byte[] terms, HostileBroker.Behaviour then) {
        return client -> {
            client.awaitConnect();
            client.write(0x20, 3 + terms.length, 0, 0, terms.length);
            client.write(terms);
            then.meet(client);
        };
    }

    private void polite(HostileBrokerClient client) throws IOException {
        while (true) {
            HostileBroker.Packet packet = client.read();
            packets.add(packet);
            byte[] body = packet.body();
            switch (packet.kind()) {
                case PUBLISH -> {
                    if ((packet.flags() & 2) != 0) {
                        acknowledge(client, body);
                    }
                }
                case SUBSCRIBE -> client.write(0x90, 4, body[0], body[1], 0, 1);
                case PING -> client.write(0xd0, 0);
                default -> {}
            }
        }
    }

    private static void acknowledge(HostileBrokerClient client, byte[] publish) throws IOException {
        int at = 2 + ((publish[0] & 0xff) << 8 | publish[1] & 0xff);
        client.write(0x40, 2, publish[at], publish[at + 1]);
    }

    @Test
    void neverMoreMessagesAreUnderWayThanItTakes() throws Exception {
        AtomicInteger most = new AtomicInteger();
        HostileBroker.Behaviour slow = client -> {
            // Acknowledges the oldest only when one more than it takes might have come.
            Deque<byte[]> open = new ArrayDeque<>();
            for (int seen = 0; seen < 6; seen++) {
                open.add(client.read().body());
                most.accumulateAndGet(open.size(), Math::max);
                if (open.size() == 2) {
                    acknowledge(client, open.remove());
                }
            }
            for (byte[] each : open) {
                acknowledge(client, each);
            }
            client.listen();
        };
        try (HostileBroker broker = HostileBroker.start(on(ONLY_TWO, slow));
                ReconnectingLink link = open(broker)) {
            until(link::connected);
            List<Thread> publishers = new ArrayList<>();
            AtomicInteger taken = new AtomicInteger();
            for (int i = 0; i < 6; i++) {
                publishers.add(Thread.ofVirtual().start(() -> {
                    try {
                        link.publish("t", new byte[1], false);
                        taken.incrementAndGet();
                    } catch (LinkException e) {
                        // Counted below.
                    }
                }));
            }
            for (Thread each : publishers) {
                each.join(LIMIT);
            }
            assertThat(taken).hasValue(6);
            assertThat(most).hasValue(2);
            assertThat(broker.accepted()).isEqualTo(1);
        }
    }

    @Test
    void aMessageThatIsTooLongIsRefusedByTheNameOfTheLimitAndNothingElseHappens() throws Exception {
        try (HostileBroker broker = HostileBroker.start(on(A_THOUSAND_BYTES, this::polite));
                ReconnectingLink link = open(broker)) {
            until(link::connected);
            assertThat(link.maxPacketBytes()).isEqualTo(1000);
            assertThatThrownBy(() -> link.publish("t", new byte[1000], false))
                    .isInstanceOfSatisfying(
                            LinkException.class,
                            e -> assertThat(e.rejection().code()).isEqualTo(Code.LNK_LIMIT))
                    .hasMessageContaining("Maximum Packet Size")
                    .hasMessageContaining("1000");
            link.publish("t", new byte[900], false);
            assertThat(broker.accepted()).isEqualTo(1);
        }
    }

    @Test
    void nothingIsRetainedWhereTheBrokerRetainsNothing() throws Exception {
        try (HostileBroker broker = HostileBroker.start(on(NOTHING_RETAINED, this::polite));
                ReconnectingLink link = open(broker)) {
            until(link::connected);
            link.publish("t", new byte[1], true);
            assertThat(packets.remove().flags()).as("QoS 1, not retained").isEqualTo(2);
        }
    }

    @Test
    void messagesHaveTheQosThatTheBrokerTakes() throws Exception {
        try (HostileBroker broker = HostileBroker.start(on(NO_QOS_1, this::polite));
                ReconnectingLink link = open(broker)) {
            until(link::connected);
            link.publish("t", new byte[1], true);
            assertThat(take().flags()).as("QoS 0, retained").isEqualTo(1);
        }
    }

    /** Such a broker refuses CONNECT for its will, before it says what it lacks: sections 3.2.2.3.4 and 3.2.2.3.5. */
    @Test
    void aBrokerThatTakesNoSuchWillIsReachedWithAPlainOne() throws Exception {
        for (int reason : new int[] {0x9a, 0x9b}) {
            List<Integer> flags = new ArrayList<>();
            HostileBroker.Behaviour picky = client -> {
                int connect = client.read().body()[7];
                flags.add(connect);
                // Will retained, or of QoS 1.
                if ((connect & 0x38) != 0) {
                    client.write(0x20, 3, 0, reason, 0);
                } else {
                    client.write(0x20, 7, 0, 0, 4, 0x24, 0, 0x25, 0);
                    polite(client);
                }
            };
            try (HostileBroker broker = HostileBroker.start(picky);
                    ReconnectingLink link =
                            ReconnectingLink.open(config(broker).withPresence("online"), message -> {})) {
                until(link::connected);
                assertThat(link.status().lost().orElseThrow().code()).isEqualTo(Code.LNK_LIMIT);
                assertThat(flags).hasSize(2);
                assertThat(flags.getLast() & 0x3c).as("a will, plain").isEqualTo(0x04);
            }
        }
    }

    @Test
    void theShorterKeepAliveCounts() throws Exception {
        LinkConfig.Pace slow = new LinkConfig.Pace(
                Duration.ofSeconds(10),
                Duration.ofMillis(20),
                Duration.ofMillis(20),
                Duration.ofHours(1),
                Duration.ZERO);
        try (HostileBroker broker = HostileBroker.start(on(A_PING_EACH_SECOND, this::polite));
                ReconnectingLink link = ReconnectingLink.open(config(broker).with(slow), message -> {})) {
            until(link::connected);
            assertThat(take().kind()).isEqualTo(PING);
            assertThat(broker.accepted()).isEqualTo(1);
        }
        LinkConfig.Pace eager = new LinkConfig.Pace(
                Duration.ofSeconds(10),
                Duration.ofMillis(20),
                Duration.ofMillis(20),
                Duration.ofSeconds(1),
                Duration.ZERO);
        packets.clear();
        try (HostileBroker broker = HostileBroker.start(on(NO_KEEP_ALIVE, this::polite));
                ReconnectingLink link = ReconnectingLink.open(config(broker).with(eager), message -> {})) {
            until(link::connected);
            assertThat(take().kind()).isEqualTo(PING);
        }
    }

    /** RabbitMQ grants a shared subscription, says in CONNACK that it has none, and delivers nothing. */
    @Test
    void aSubscriptionThatTheBrokerDoesNotHaveIsNotTrusted() throws Exception {
        for (String filter : List.of("holdfast/v1/f/d/+/ask", "holdfast/#")) {
            try (HostileBroker broker = HostileBroker.start(on(NO_WILDCARDS, this::polite));
                    ReconnectingLink link = open(broker, filter)) {
                assertRefused(link, "Wildcard Subscription Available", filter);
            }
        }
        try (HostileBroker broker = HostileBroker.start(on(NO_SHARES, this::polite));
                ReconnectingLink link = open(broker, "$share/g/a/b")) {
            assertRefused(link, "Shared Subscription Available", "$share/g/a/b");
        }
        try (HostileBroker broker = HostileBroker.start(on(NO_WILDCARDS, this::polite));
                ReconnectingLink link = open(broker, "a/b")) {
            until(link::connected);
        }
    }

    private static void assertRefused(ReconnectingLink link, String limit, String filter) throws Exception {
        until(() -> link.status().lost().isPresent());
        assertThat(link.status().lost().orElseThrow().code()).isEqualTo(Code.LNK_LIMIT);
        assertThat(link.status().lost().orElseThrow().detail()).contains(limit).contains(filter);
        assertThat(link.connected()).isFalse();
    }

    private HostileBroker.Packet take() throws InterruptedException {
        HostileBroker.Packet packet = packets.poll(LIMIT.toSeconds(), TimeUnit.SECONDS);
        assertThat(packet).isNotNull();
        return packet;
    }

    private static LinkConfig config(HostileBroker broker, String... filters) {
        return LinkConfig.of(broker.uri(), ClientId.fresh("f", "d"), List.of(filters))
                .withPace(Duration.ofSeconds(10), Duration.ofMillis(20), Duration.ofMillis(20));
    }

    private static ReconnectingLink open(HostileBroker broker, String... filters) {
        return ReconnectingLink.open(config(broker, filters), message -> {});
    }

    private static void until(Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("in time").isLessThan(end);
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }
}
