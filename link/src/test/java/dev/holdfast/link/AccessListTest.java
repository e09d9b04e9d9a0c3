package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.holdfast.testkit.Mosquitto;
import dev.holdfast.testkit.RabbitMq;
import dev.holdfast.testkit.TestAuthority;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The access lists that are shipped, in real brokers: of every topic of docs/protocol/mqtt.md a device reaches its own ones alone. */
class AccessListTest {
    private static final Path SHIPPED = Path.of("../systemd/broker");
    private static final Path PROTOCOL = Path.of("../docs/protocol/mqtt.md");
    private static final Pattern LEAF = Pattern.compile("^\\| `([a-z]+)` \\| (device|service|verifier) \\| ");

    private static final Topics OWN = new Topics("demo", "device-1");
    private static final Topics OTHER = new Topics("demo", "device-2");
    private static final Topics ELSEWHERE = new Topics("other", "device-1");

    @TempDir
    Path folder;

    @Test
    void mosquittoKeepsDevicesApart() throws Exception {
        assumeTrue(Mosquitto.isInstalled(), "needs mosquitto");
        List<String> listeners = new ArrayList<>();
        for (String list : List.of("devices.acl", "fleet.acl")) {
            Path file = Files.writeString(
                    folder.resolve(list),
                    Files.readString(SHIPPED.resolve(list)).replace("FLEET", "demo"));
            // The name that a certificate would prove is taken on trust: that is the listener's part, not the list's.
            listeners.add("allow_anonymous true\nacl_file " + file + "\n");
        }
        try (Mosquitto broker = Mosquitto.start(folder, listeners)) {
            attack(new Doors(broker.port(0), broker.port(1), false));
        }
    }

    @Test
    @Tag("full")
    void rabbitMqKeepsDevicesApart() throws Exception {
        assumeTrue(RabbitMq.isInstalled(), "needs RabbitMQ");
        String fleet = Files.readString(SHIPPED.resolve("rabbitmq-fleet.json")).replace("FLEET", "demo");
        String device =
                Files.readString(SHIPPED.resolve("rabbitmq-device.json")).replace("FLEET", "demo");
        Files.writeString(
                folder.resolve("definitions.json"),
                merged(fleet, device.replace("DEVICE", "device-1"), device.replace("DEVICE", "device-2")));
        try (RabbitMq broker = RabbitMq.start(folder)) {
            attack(new Doors(broker.port(), broker.port(), true));
        }
    }

    /** By the configuration that is shipped: who a client is, is the common name of its certificate. */
    @Test
    @Tag("full")
    void rabbitMqKnowsADeviceByItsCertificate() throws Exception {
        assumeTrue(RabbitMq.isInstalled(), "needs RabbitMQ");
        TestAuthority authority = new TestAuthority("authority");
        KeyPair server = TestAuthority.elliptic();
        KeyPair pair = TestAuthority.elliptic();
        Path data = Files.createDirectories(folder.resolve("data"));
        Path ca = Files.writeString(data.resolve("device-authority.crt"), authority.pem());
        Files.writeString(data.resolve("server.crt"), authority.certificate("b", server.getPublic(), "localhost"));
        Files.writeString(data.resolve("server.key"), TestAuthority.pem(server));
        int port = freePort();
        Files.writeString(
                folder.resolve("more.conf"),
                Files.readString(SHIPPED.resolve("rabbitmq.conf"))
                        .replace("/etc/rabbitmq/holdfast/", "/var/lib/rabbitmq/")
                        .replace("= 8883", "= " + port)
                        .replaceFirst("(?m)^mqtt.listeners.tcp.default = 127.0.0.1:1883$", ""));
        String device =
                Files.readString(SHIPPED.resolve("rabbitmq-device.json")).replace("FLEET", "demo");
        Files.writeString(folder.resolve("definitions.json"), merged(device.replace("DEVICE", "device-1")));
        BrokerAccess access = new BrokerAccess(
                Optional.empty(),
                Optional.of(new BrokerAccess.ClientKey.Files(
                        Files.writeString(
                                folder.resolve("crt"), authority.certificate("device-1", pair.getPublic(), "")),
                        TestAuthority.secret(folder.resolve("key"), TestAuthority.pem(pair)))),
                List.of(ca));
        try (RabbitMq broker = RabbitMq.start(folder)) {
            LinkConfig config = LinkConfig.of(
                            "mqtts://localhost:" + port,
                            ClientId.fresh("demo", "device-1"),
                            List.of(OWN.answer(), OWN.desired(), OWN.challenge()))
                    .withPresence(OWN.online())
                    .with(access);
            try (ReconnectingLink link = ReconnectingLink.open(config, message -> {})) {
                await(() -> link.connected() || link.status().lost().isPresent());
                assertThat(link.status().lost()).isEmpty();
                link.publish(OWN.status(), new byte[1], true);
                // RabbitMQ ends the connection over it.
                assertThatThrownBy(() -> link.publish(OTHER.status(), new byte[1], true))
                        .isInstanceOf(LinkException.class);
            }
            assertThat(broker.log()).doesNotContain("crash");
        }
    }

    private static void await(Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.call()) {
            assertThat(System.nanoTime()).as("in time").isLessThan(end);
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return probe.getLocalPort();
        }
    }

    /** As {@code rabbitmqctl import_definitions} would, file after file; with passwords, where the listener would ask for certificates. */
    private static String merged(String... files) {
        StringBuilder all = new StringBuilder("{\"vhosts\":[{\"name\":\"/\"}]");
        for (String list : List.of("users", "permissions", "topic_permissions")) {
            List<String> entries = new ArrayList<>();
            for (String file : files) {
                Matcher entry = Pattern.compile("\"" + list + "\": \\[\\s*(\\{.*?})\\s*]", Pattern.DOTALL)
                        .matcher(file);
                assertThat(entry.find()).as(list).isTrue();
                entries.add(entry.group(1)
                        .replaceFirst(
                                "\"name\": \"([^\"]+)\", \"password_hash\": \"\"",
                                "\"name\": \"$1\", \"password\": \"of-$1\""));
            }
            all.append(",\"")
                    .append(list)
                    .append("\":[")
                    .append(String.join(",", entries))
                    .append(']');
        }
        return all.append('}').toString();
    }

    /**
     * Where clients come in.
     *
     * @param passwords whether a name needs one
     */
    private record Doors(int devices, int fleet, boolean passwords) {
        BareClient device(String name) throws IOException {
            return BareClient.connect(devices, name, passwords ? "of-" + name : "");
        }

        BareClient operator() throws IOException {
            return BareClient.connect(fleet, passwords ? "fleet" : "", passwords ? "of-fleet" : "");
        }
    }

    /** Leaves that a device sends, or hears, by the table of the protocol. */
    private static List<String> leaves(boolean sent) throws IOException {
        List<String> leaves = new ArrayList<>();
        for (String line : Files.readAllLines(PROTOCOL)) {
            Matcher row = LEAF.matcher(line);
            if (row.find() && row.group(2).equals("device") == sent) {
                leaves.add(row.group(1));
            }
        }
        assertThat(leaves).as("rows of " + PROTOCOL).hasSizeGreaterThanOrEqualTo(3);
        return leaves;
    }

    private static List<String> topics(Topics of, List<String> leaves) {
        return leaves.stream()
                .map(leaf -> "holdfast/v1/" + of.fleet() + "/d/" + of.device() + "/" + leaf)
                .toList();
    }

    private static void attack(Doors doors) throws Exception {
        List<String> sent = leaves(true);
        List<String> heard = leaves(false);
        List<BareClient> spies = new ArrayList<>();
        try (BareClient device = doors.device("device-1");
                BareClient victim = doors.device("device-2");
                BareClient fleet = doors.operator()) {
            // What waits at the broker must not be had either.
            assertThat(fleet.publish(OTHER.desired(), true)).isLessThan(0x80);
            for (String topic : topics(OTHER, heard)) {
                assertThat(victim.subscribe(topic)).isLessThan(0x80);
            }
            for (String topic : topics(OWN, heard)) {
                assertThat(device.subscribe(topic)).isLessThan(0x80);
            }
            for (String leaf : sent) {
                assertThat(fleet.subscribe(Topics.allDevices("demo", leaf))).isLessThan(0x80);
            }
            spies.addAll(spies(doors, sent, heard));

            for (String topic : topics(OWN, sent)) {
                assertThat(device.publish(topic, false)).as(topic).isLessThan(0x80);
            }
            for (String topic : topics(OTHER, sent)) {
                assertThat(victim.publish(topic, false)).as(topic).isLessThan(0x80);
            }
            for (Topics to : List.of(OWN, OTHER)) {
                for (String topic : topics(to, heard)) {
                    assertThat(fleet.publish(topic, false)).as(topic).isLessThan(0x80);
                }
            }
            assertDenied(doors, sent, heard);

            // A ping comes back after everything that was on its way.
            device.ping();
            victim.ping();
            fleet.ping();
            assertThat(device.heard()).containsExactlyInAnyOrderElementsOf(topics(OWN, heard));
            assertThat(victim.heard()).containsAll(topics(OTHER, heard)).allMatch(topics(OTHER, heard)::contains);
            assertThat(fleet.heard())
                    .hasSize(2 * sent.size())
                    .containsAll(topics(OWN, sent))
                    .containsAll(topics(OTHER, sent));
            for (BareClient spy : spies) {
                spy.drain();
                assertThat(spy.heard()).allMatch(topics(OWN, heard)::contains);
            }
        } finally {
            for (BareClient spy : spies) {
                spy.close();
            }
        }
    }

    /** Device 1 once for each filter that it has no business with; a broker may refuse it, end the connection, or deliver nothing. */
    private static List<BareClient> spies(Doors doors, List<String> sent, List<String> heard) throws IOException {
        List<String> filters = new ArrayList<>(List.of(
                "#", "holdfast/#", "holdfast/v1/demo/d/+/answer", "holdfast/v1/demo/d/device-2/#", "+/+/+/+/+/+"));
        filters.addAll(topics(OTHER, heard));
        filters.addAll(topics(OTHER, sent));
        filters.addAll(topics(ELSEWHERE, heard));
        List<BareClient> spies = new ArrayList<>();
        for (String filter : filters) {
            BareClient spy = doors.device("device-1");
            spies.add(spy);
            spy.subscribe(filter);
        }
        return spies;
    }

    private static void assertDenied(Doors doors, List<String> sent, List<String> heard) throws IOException {
        List<String> topics = new ArrayList<>(List.of("holdfast", "holdfast/v1/demo/d/device-1/ask/more"));
        topics.addAll(topics(OWN, heard));
        topics.addAll(topics(OTHER, sent));
        topics.addAll(topics(OTHER, heard));
        topics.addAll(topics(ELSEWHERE, sent));
        topics.addAll(topics(ELSEWHERE, heard));
        for (String topic : topics) {
            try (BareClient device = doors.device("device-1")) {
                assertThat(device.publish(topic, false))
                        .as("device-1 on " + topic)
                        .isGreaterThanOrEqualTo(0x80);
            }
        }
        for (String topic : topics(OWN, sent)) {
            try (BareClient fleet = doors.operator()) {
                assertThat(fleet.publish(topic, false))
                        .as("the fleet on " + topic)
                        .isGreaterThanOrEqualTo(0x80);
            }
        }
    }
}
