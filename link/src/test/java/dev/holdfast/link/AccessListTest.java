package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The access lists that are shipped, in a real mosquitto. */
class AccessListTest {
    private static final Path MOSQUITTO = Path.of("/usr/sbin/mosquitto");
    private static final Path SHIPPED = Path.of("../systemd/broker");
    private static final int NOT_AUTHORIZED = 0x87;
    private static final int NOBODY_LISTENS = 0x10;

    @TempDir
    Path folder;

    @Test
    void aDeviceReachesItsOwnTopicsAndNoOthers() throws Exception {
        assumeTrue(Files.isExecutable(MOSQUITTO), "needs mosquitto");
        int devices = freePort();
        int service = freePort();
        Path config = Files.writeString(folder.resolve("mosquitto.conf"), """
                user root
                per_listener_settings true
                listener %d 127.0.0.1
                allow_anonymous true
                acl_file %s
                listener %d 127.0.0.1
                allow_anonymous true
                acl_file %s
                """.formatted(
                        devices, list("devices.acl"), service, list("fleet.acl")));
        Process broker = new ProcessBuilder(MOSQUITTO.toString(), "-c", config.toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile())
                .start();
        try {
            awaitPort(devices);
            awaitPort(service);
            attack(devices, service);
        } finally {
            broker.destroy();
            assertThat(broker.waitFor(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    private static void attack(int devices, int service) throws Exception {
        Topics own = new Topics("demo", "device-1");
        Topics other = new Topics("demo", "device-2");
        Topics elsewhere = new Topics("other", "device-1");
        try (Client device = new Client(devices, "device-1");
                Client victim = new Client(devices, "device-2");
                Client fleet = new Client(service, "")) {
            device.subscribe("holdfast/#", own.answer(), own.desired(), own.challenge(), other.answer());
            fleet.subscribe(Topics.allDevices("demo", Topics.ASK), Topics.allDevices("demo", Topics.STATUS));
            victim.subscribe(other.answer(), other.desired(), other.challenge());

            for (String topic : List.of(own.ask(), own.evidence(), own.status(), own.online())) {
                assertThat(device.publish(topic)).as(topic).isIn(0, NOBODY_LISTENS);
            }
            for (String topic : List.of(
                    own.answer(),
                    own.desired(),
                    own.challenge(),
                    other.ask(),
                    other.status(),
                    other.online(),
                    other.answer(),
                    other.desired(),
                    other.challenge(),
                    elsewhere.ask(),
                    "holdfast")) {
                assertThat(device.publish(topic)).as(topic).isEqualTo(NOT_AUTHORIZED);
            }
            for (Topics to : List.of(own, other)) {
                assertThat(fleet.publish(to.answer())).isZero();
                assertThat(fleet.publish(to.desired())).isZero();
                assertThat(fleet.publish(to.challenge())).isZero();
            }
            assertThat(fleet.publish(own.ask())).isEqualTo(NOT_AUTHORIZED);
            // A ping comes back after everything that was on its way.
            device.ping();
            victim.ping();
            fleet.ping();
            assertThat(device.heard).containsOnly(own.answer(), own.desired(), own.challenge());
            assertThat(victim.heard).containsOnly(other.answer(), other.desired(), other.challenge());
            assertThat(fleet.heard).containsExactlyInAnyOrder(own.ask(), own.status());
        }
    }

    private Path list(String name) throws IOException {
        return Files.writeString(
                folder.resolve(name), Files.readString(SHIPPED.resolve(name)).replace("FLEET", "demo"));
    }

    private static int freePort() throws IOException {
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return probe.getLocalPort();
        }
    }

    private static void awaitPort(int port) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (true) {
            try (Socket probe = new Socket(InetAddress.getLoopbackAddress(), port)) {
                assertThat(probe.isConnected()).isTrue();
                return;
            } catch (IOException e) {
                assertThat(System.nanoTime()).as("the broker listens").isLessThan(end);
                TimeUnit.MILLISECONDS.sleep(20);
            }
        }
    }

    /** A client with a user's name. One thread. */
    private static final class Client implements AutoCloseable {
        private final Socket socket;
        private final OutputStream out;
        private final PacketReader in;
        private final List<String> heard = new ArrayList<>();

        Client(int port, String user) throws IOException {
            socket = new Socket(InetAddress.getLoopbackAddress(), port);
            socket.setSoTimeout(10_000);
            out = socket.getOutputStream();
            in = new PacketReader(new BufferedInputStream(socket.getInputStream()));
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            body.writeBytes(new byte[] {0, 4, 'M', 'Q', 'T', 'T', 5, (byte) (user.isEmpty() ? 2 : 0x82), 0, 60, 0});
            text(body, ClientId.fresh("demo", user));
            if (!user.isEmpty()) {
                text(body, user);
            }
            out.write(new byte[] {0x10, (byte) body.size()});
            out.write(body.toByteArray());
            assertThat(in.next())
                    .isInstanceOfSatisfying(
                            Packet.ConnAck.class,
                            ack -> assertThat(ack.reason()).isZero());
        }

        private static void text(ByteArrayOutputStream out, String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            out.write(0);
            out.write(bytes.length);
            out.writeBytes(bytes);
        }

        void subscribe(String... filters) throws IOException {
            out.write(PacketWriter.subscribe(1, List.of(filters)));
            awaitOther();
        }

        int publish(String topic) throws IOException {
            out.write(PacketWriter.publish(topic, new byte[] {'x'}, false, 7));
            return ((Packet.PubAck) awaitOther()).reason();
        }

        void ping() throws IOException {
            out.write(PacketWriter.ping());
            awaitOther();
        }

        /** The next packet that is no message. */
        private Packet awaitOther() throws IOException {
            while (true) {
                Packet packet = in.next();
                if (!(packet instanceof Packet.Publish(String topic, byte[] _, int id))) {
                    return packet;
                }
                heard.add(topic);
                if (id != 0) {
                    out.write(PacketWriter.pubAck(id));
                }
            }
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }
}
