package dev.holdfast.testkit;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Sha256;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * A client of an MQTT 5 broker that publishes whatever it likes on the topics of a fleet: questions without end, in its own name, in
 * that of others and in made-up ones; reports; parts of evidence; junk; more than fits. It writes raw packets (MQTT 5.0 section 3), so
 * that no library keeps it polite, and reads what the broker says only to throw it away.
 *
 * <p>Closing it ends its floods and its connection. Thread-safe.
 */
public final class HostileDevice implements AutoCloseable {
    private static final int CONNECT_MILLIS = 5_000;
    /** Of QoS 1; a broker closes the connection of a client that has more in flight than it allows. */
    private static final int WINDOW = 16;

    private static final int TICKS_PER_SECOND = 50;

    private final Socket socket;
    private final OutputStream out;
    private final String fleet;
    private final Semaphore window = new Semaphore(WINDOW);
    private final List<Flood> floods = new ArrayList<>();
    private int packetId;
    private volatile boolean closed;

    private HostileDevice(Socket socket, String fleet) throws IOException {
        this.socket = socket;
        this.out = new BufferedOutputStream(socket.getOutputStream(), 64 * 1024);
        this.fleet = fleet;
    }

    /** Connects without a name, a password or a will. */
    public static HostileDevice connect(String host, int port, String fleet) throws IOException {
        Socket socket = new Socket();
        try {
            socket.connect(new InetSocketAddress(host, port), CONNECT_MILLIS);
            socket.setTcpNoDelay(true);
            HostileDevice device = new HostileDevice(socket, fleet);
            device.connect();
            return device;
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    private void connect() throws IOException {
        byte[] id = ("hostile-" + UUID.randomUUID()).getBytes(StandardCharsets.US_ASCII);
        ByteBuffer body = ByteBuffer.allocate(64);
        // Protocol name, version 5, clean start, no keep-alive, no properties.
        body.putShort((short) 4).put("MQTT".getBytes(StandardCharsets.US_ASCII)).put((byte) 5);
        body.put((byte) 2).putShort((short) 0).put((byte) 0);
        body.putShort((short) id.length).put(id);
        packet(0x10, body.flip());
        out.flush();
        DataInputStream in = new DataInputStream(socket.getInputStream());
        socket.setSoTimeout(CONNECT_MILLIS);
        byte[] answer = read(in);
        if (answer.length < 3 || answer[0] >> 4 != 2 || answer[2] != 0) {
            throw new IOException("the broker refused the connection");
        }
        socket.setSoTimeout(0);
        Thread.ofVirtual().name("hostile-device").start(() -> readAll(in));
    }

    private void readAll(DataInputStream in) {
        try {
            while (!closed) {
                byte[] packet = read(in);
                if ((packet[0] & 0xf0) == 0x40) {
                    window.release();
                }
            }
        } catch (IOException e) {
            closed = true;
        }
    }

    /** The first byte of a packet and what follows its length. */
    private static byte[] read(DataInputStream in) throws IOException {
        byte first = in.readByte();
        int length = 0;
        for (int shift = 0; shift < 28; shift += 7) {
            int more = in.readUnsignedByte();
            length |= (more & 0x7f) << shift;
            if (more < 0x80) {
                break;
            }
        }
        byte[] packet = new byte[1 + length];
        packet[0] = first;
        in.readFully(packet, 1, length);
        return packet;
    }

    private void packet(int first, ByteBuffer body) throws IOException {
        out.write(first);
        int length = body.remaining();
        do {
            int digit = length & 0x7f;
            length >>>= 7;
            out.write(length > 0 ? digit | 0x80 : digit);
        } while (length > 0);
        out.write(body.array(), body.arrayOffset() + body.position(), body.remaining());
    }

    /** The topic of a leaf of any device. */
    public String topic(String device, String leaf) {
        return "holdfast/v1/" + fleet + "/d/" + device + "/" + leaf;
    }

    /** Publishes with QoS 0 whatever is given, on any topic; the broker may close the connection for it. */
    public void publish(String topic, byte[] payload, boolean retained) throws IOException {
        publish(topic, payload, retained, false);
    }

    /** The same with QoS 1, {@value #WINDOW} at a time: such messages take places in the queues of their receivers. */
    public void publishAcknowledged(String topic, byte[] payload) throws IOException {
        try {
            if (!window.tryAcquire(CONNECT_MILLIS, TimeUnit.MILLISECONDS)) {
                throw new IOException("the broker acknowledges nothing");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        publish(topic, payload, false, true);
    }

    private synchronized void publish(String topic, byte[] payload, boolean retained, boolean acknowledged)
            throws IOException {
        if (closed) {
            throw new IOException("closed");
        }
        byte[] name = topic.getBytes(StandardCharsets.UTF_8);
        ByteBuffer body = ByteBuffer.allocate(name.length + payload.length + 5);
        body.putShort((short) name.length).put(name);
        if (acknowledged) {
            packetId = packetId % 0xffff + 1;
            body.putShort((short) packetId);
        }
        body.put((byte) 0).put(payload);
        packet(0x30 | (acknowledged ? 2 : 0) | (retained ? 1 : 0), body.flip());
        out.flush();
    }

    // --- what it says ---

    /** A message to publish. */
    public record Message(String topic, byte[] payload) {}

    /** The n-th message of a flood. */
    @FunctionalInterface
    public interface Messages {
        Message at(long n);
    }

    private static byte[] request(long n, Cbor.DictBuilder body) {
        byte[] id = ByteBuffer.allocate(16).putLong(8, n).array();
        return CborWriter.write(body.put("id", Cbor.of(Binary.copyOf(id))).build());
    }

    /** Questions for the timestamp: the cheapest. */
    public Messages metadata(String device) {
        return n -> new Message(
                topic(device, "ask"),
                request(
                        n,
                        Cbor.dict()
                                .put("kind", Cbor.of("metadata"))
                                .put("name", Cbor.of("timestamp.json"))
                                .put("offset", Cbor.of(0))));
    }

    /** Questions for a signed order, each with a nonce of its own. */
    public Messages orders(String device) {
        return n -> {
            byte[] nonce = ByteBuffer.allocate(32).putLong(n).array();
            return new Message(
                    topic(device, "ask"),
                    request(
                            n,
                            Cbor.dict()
                                    .put("kind", Cbor.of("director"))
                                    .put("nonce", Cbor.of(Binary.copyOf(nonce)))
                                    .put("offset", Cbor.of(0))));
        };
    }

    /** Questions for as many and as long blocks as one question may name. */
    public Messages blocks(String device, Sha256 blob) {
        List<Cbor> indices = new ArrayList<>();
        for (long i = 0; i < 16; i++) {
            indices.add(Cbor.of(i));
        }
        return n -> new Message(
                topic(device, "ask"),
                request(
                        n,
                        Cbor.dict()
                                .put("kind", Cbor.of("blocks"))
                                .put("blob", Cbor.of(blob.value()))
                                .put("bytes", Cbor.of(96 * 1024))
                                .put("indices", new Cbor.Array(indices))));
    }

    /** Any message, each time from another name that nobody gave to a device. */
    public Messages fromMadeUpNames(String leaf, byte[] payload) {
        return n -> new Message(topic("ghost-" + n, leaf), payload);
    }

    /** The questions of {@code asked}, each from another made-up name. */
    public Messages fromMadeUpNames(Messages asked) {
        return n -> {
            Message message = asked.at(n);
            String leaf = message.topic.substring(message.topic.lastIndexOf('/') + 1);
            return new Message(topic("ghost-" + n, leaf), message.payload);
        };
    }

    /** Bytes that are no message of the protocol. @param bytes length of each */
    public Messages junk(String device, String leaf, int bytes, long seed) {
        return n -> {
            byte[] payload = new byte[bytes];
            new Random(seed + n).nextBytes(payload);
            return new Message(topic(device, leaf), payload);
        };
    }

    /**
     * Parts of evidence that never becomes whole: {@code {nonce, total, offset, data}} in any order, of totals up to 2 GiB.
     *
     * @param nonce the challenge that they claim to answer
     */
    public Messages evidenceParts(String device, byte[] nonce, long seed) {
        return n -> {
            Random random = new Random(seed + n);
            byte[] data = new byte[random.nextInt(1, 1024)];
            return new Message(
                    topic(device, "evidence"),
                    CborWriter.write(Cbor.dict()
                            .put("nonce", Cbor.of(Binary.copyOf(nonce)))
                            .put("total", Cbor.of((long) random.nextInt(Integer.MAX_VALUE)))
                            .put("offset", Cbor.of((long) random.nextInt(Integer.MAX_VALUE)))
                            .put("data", Cbor.of(Binary.copyOf(data)))
                            .build()));
        };
    }

    /** Takes turns with others. */
    public static Messages alternating(List<Messages> all) {
        return n -> all.get((int) (n % all.size())).at(n / all.size());
    }

    /** What is being said again and again. Closing it ends it. */
    public static final class Flood implements AutoCloseable {
        private final AtomicLong sent = new AtomicLong();
        private volatile boolean ended;
        private volatile boolean broken;

        private Flood() {}

        /** Messages until now. */
        public long sent() {
            return sent.get();
        }

        /** Whether the broker closed the connection. */
        public boolean broken() {
            return broken;
        }

        @Override
        public void close() {
            ended = true;
        }
    }

    /** Publishes with QoS 0, evenly over each second, until it is closed. */
    public Flood flood(Messages messages, int perSecond) {
        Flood flood = new Flood();
        synchronized (floods) {
            floods.add(flood);
        }
        Thread.ofPlatform().name("hostile-flood").daemon().start(() -> run(flood, messages, perSecond));
        return flood;
    }

    private void run(Flood flood, Messages messages, int perSecond) {
        long began = System.nanoTime();
        try {
            while (!flood.ended && !closed) {
                long due = (long) ((System.nanoTime() - began) / 1e9 * perSecond);
                for (long n = flood.sent.get(); n < due && !flood.ended; n++) {
                    Message message = messages.at(n);
                    publish(message.topic, message.payload, false);
                    flood.sent.incrementAndGet();
                }
                LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(1) / TICKS_PER_SECOND);
            }
        } catch (IOException e) {
            flood.broken = !flood.ended;
        }
    }

    @Override
    public void close() throws IOException {
        closed = true;
        synchronized (floods) {
            floods.forEach(Flood::close);
        }
        socket.close();
    }
}
