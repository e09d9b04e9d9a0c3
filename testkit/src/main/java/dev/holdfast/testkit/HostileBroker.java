package dev.holdfast.testkit;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A broker that listens on the loopback address and does to each client what its behaviour says, in raw bytes of MQTT 5. Thread-safe;
 * the behaviour may change at any time and counts for the connections after that.
 */
public final class HostileBroker implements AutoCloseable {
    private static final byte[] CONNACK = {0x20, 3, 0, 0, 0};
    private static final int PUBLISH = 3;

    /** What happens to one client, from its first byte to the end of the connection. */
    @FunctionalInterface
    public interface Behaviour {
        void meet(HostileBrokerClient client) throws IOException;
    }

    /** A packet of a client: kind, flags and everything after the length. */
    public record Packet(int kind, int flags, byte[] body) {}

    private final ServerSocket listener;
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private final List<String> clientIds = new CopyOnWriteArrayList<>();
    private final AtomicInteger accepted = new AtomicInteger();
    private volatile Behaviour behaviour;

    private HostileBroker(Behaviour behaviour) throws IOException {
        this.behaviour = behaviour;
        this.listener = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().name("hostile-broker").start(this::accept);
    }

    public static HostileBroker start(Behaviour behaviour) throws IOException {
        return new HostileBroker(behaviour);
    }

    public void become(Behaviour next) {
        behaviour = next;
    }

    public int port() {
        return listener.getLocalPort();
    }

    public String uri() {
        return "mqtt://127.0.0.1:" + port();
    }

    /** How many connections were accepted so far. */
    public int accepted() {
        return accepted.get();
    }

    /** How many connections neither side has closed. */
    public int open() {
        return open.size();
    }

    /** The names under which clients connected, in the order in which they came. */
    public List<String> clientIds() {
        return List.copyOf(clientIds);
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket socket = listener.accept();
                accepted.incrementAndGet();
                open.add(socket);
                Behaviour now = behaviour;
                Thread.ofVirtual().name("hostile-broker-client").start(() -> serve(socket, now));
            } catch (IOException e) {
                // The listener is closed.
            }
        }
    }

    private void serve(Socket socket, Behaviour towards) {
        try (socket) {
            towards.meet(new HostileBrokerClient(socket, clientIds));
        } catch (IOException e) {
            // The client went away, which is its right.
        } finally {
            open.remove(socket);
        }
    }

    /** Ends every connection without a word. */
    public void hangUp() throws IOException {
        for (Socket socket : open) {
            socket.close();
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        hangUp();
    }

    // --- behaviours ---

    /** Takes connections and whatever comes, and never says a word. */
    public static Behaviour mute() {
        return HostileBrokerClient::listen;
    }

    /** Closes each connection as soon as it is there. */
    public static Behaviour closing() {
        return client -> {};
    }

    /** The first half of CONNACK, then nothing. */
    public static Behaviour halfConnAck() {
        return client -> {
            client.awaitConnect();
            client.write(Arrays.copyOf(CONNACK, 3));
            client.listen();
        };
    }

    /** A packet that says it has {@code length} bytes, before CONNACK, and then bytes without end. */
    public static Behaviour endlessPacket(int length) {
        return client -> {
            client.awaitConnect();
            client.write(head(PUBLISH << 4, length));
            client.flood();
        };
    }

    /** The same after a polite beginning. */
    public static Behaviour endlessMessage(int length) {
        return client -> {
            client.politeBeginning();
            client.write(head(PUBLISH << 4, length));
            client.flood();
        };
    }

    /** Random bytes instead of CONNACK. */
    public static Behaviour garbage(long seed) {
        return client -> {
            client.awaitConnect();
            byte[] bytes = new byte[4096];
            new Random(seed).nextBytes(bytes);
            client.write(bytes);
            client.listen();
        };
    }

    /** Refuses the client by a reason code of MQTT 5.0 section 3.2.2.2. */
    public static Behaviour refusing(int reason) {
        return client -> {
            client.awaitConnect();
            client.write(0x20, 3, 0, reason, 0);
        };
    }

    /** Accepts the client and closes. */
    public static Behaviour closingAfterConnAck() {
        return client -> {
            client.awaitConnect();
            client.write(CONNACK);
        };
    }

    /** Accepts client and subscriptions, then ends the connection by a reason code of section 3.14.2.1. */
    public static Behaviour disconnecting(int reason) {
        return client -> {
            client.politeBeginning();
            client.write(0xe0, 2, reason, 0);
        };
    }

    /** Refuses every subscription by a reason code of section 3.9.3. */
    public static Behaviour refusingSubscriptions(int reason) {
        return client -> client.serve(reason, true, true);
    }

    /** Takes messages and never acknowledges one. */
    public static Behaviour neverAcknowledging() {
        return client -> client.serve(0, false, true);
    }

    /** Takes everything and never answers to PINGREQ. */
    public static Behaviour neverPonging() {
        return client -> client.serve(0, true, false);
    }

    /** Does what a broker does for one client, but hands no message on. */
    public static Behaviour polite() {
        return client -> client.serve(0, true, true);
    }

    /** Polite, and sends {@code count} messages without asking whether they are wanted. */
    public static Behaviour flooding(String topic, byte[] payload, int count) {
        return client -> {
            client.politeBeginning();
            byte[] message = message(topic, payload);
            for (int i = 0; i < count; i++) {
                client.write(message);
            }
            client.serve(0, true, true);
        };
    }

    /**
     * Well framed, with control characters wherever there is a text: in CONNACK, in a topic, in a property. Then a message on
     * {@code topic} as it should be, and politeness.
     */
    public static Behaviour speakingStrangely(String topic) {
        return client -> {
            client.awaitConnect();
            client.write(properties(0x20, new byte[] {0, 0}, new byte[0]));
            HostileBroker.Packet subscribe = client.read();
            client.write(client.subAck(subscribe, 1));
            client.write(message(topic + "\u0001", new byte[] {'a'}));
            byte[] name = topic.getBytes(StandardCharsets.UTF_8);
            ByteArrayOutputStream begin = new ByteArrayOutputStream();
            begin.write(name.length >> 8);
            begin.write(name.length);
            begin.writeBytes(name);
            client.write(properties(PUBLISH << 4, begin.toByteArray(), new byte[] {'b'}));
            client.write(message(topic, new byte[] {'c'}));
            client.serve(0, true, true);
        };
    }

    /** A packet with a user property (section 3.3.2.3.7) whose name and value are control characters. */
    private static byte[] properties(int first, byte[] before, byte[] after) {
        byte[] property = {0x26, 0, 1, 1, 0, 1, 2};
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(head(first, before.length + 1 + property.length + after.length));
        out.writeBytes(before);
        out.write(property.length);
        out.writeBytes(property);
        out.writeBytes(after);
        return out.toByteArray();
    }

    /** A message of QoS 0. */
    public static byte[] message(String topic, byte[] payload) {
        byte[] name = topic.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(head(PUBLISH << 4, 2 + name.length + 1 + payload.length));
        out.write(name.length >> 8);
        out.write(name.length);
        out.writeBytes(name);
        out.write(0);
        out.writeBytes(payload);
        return out.toByteArray();
    }

    /** The fixed header of section 2.1. */
    static byte[] head(int first, int length) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(first);
        int left = length;
        do {
            out.write(left > 0x7f ? left & 0x7f | 0x80 : left);
            left >>>= 7;
        } while (left > 0);
        return out.toByteArray();
    }
}
