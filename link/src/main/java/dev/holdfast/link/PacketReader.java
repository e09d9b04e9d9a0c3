package dev.holdfast.link;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Reads the packets of an untrusted broker. The length is checked before anything is reserved for it, and whatever a broker must not
 * send to us ends in {@code LNK-PROTOCOL}. One thread reads; the times may be asked for by others.
 */
final class PacketReader {
    /** The longest message is a {@link Reply} with a block; the rest is topic and properties. */
    static final int MAX_PACKET_BYTES = 256 * 1024;
    /** What is no message has a few numbers and a sentence. */
    private static final int MAX_CONTROL_BYTES = 16 * 1024;

    private static final int MAX_SAID_CHARS = 200;

    private static final int CONNACK = 2;
    private static final int PUBLISH = 3;
    private static final int PUBACK = 4;
    private static final int SUBACK = 9;
    private static final int PINGRESP = 13;
    private static final int DISCONNECT = 14;

    private final InputStream in;
    private volatile long byteAtNanos = System.nanoTime();
    private volatile long begunAtNanos;
    private volatile boolean inside;

    PacketReader(InputStream in) {
        this.in = in;
    }

    /** When the last byte came. */
    long byteAtNanos() {
        return byteAtNanos;
    }

    /** For how long the packet that is being read has been on its way; 0 between two. */
    long underWayNanos() {
        return inside ? System.nanoTime() - begunAtNanos : 0;
    }

    /**
     * Waits for the next packet.
     *
     * @throws SocketTimeoutException where none begins in the socket's time; within a packet that time does not count
     * @throws LinkException where it is none that a broker may send
     */
    Packet next() throws IOException {
        int first = in.read();
        if (first < 0) {
            throw PacketFence.hungUp("");
        }
        byteAtNanos = System.nanoTime();
        begunAtNanos = byteAtNanos;
        inside = true;
        try {
            byte[] body = new byte[length(first >> 4)];
            for (int at = 0; at < body.length; ) {
                at += readSome(body, at);
            }
            return parse(first, body).orThrow();
        } catch (RejectedException e) {
            throw LinkException.of(e.rejection());
        } finally {
            inside = false;
        }
    }

    /** Waits for at least one byte more of the packet, however long: a deadline of the connection closes the socket. */
    private int readSome(byte[] bytes, int at) throws IOException {
        while (true) {
            try {
                int n = in.read(bytes, at, bytes.length - at);
                if (n < 0) {
                    throw PacketFence.hungUp(" within a packet");
                }
                byteAtNanos = System.nanoTime();
                return n;
            } catch (SocketTimeoutException e) {
                // The next byte may take its time.
            }
        }
    }

    /** Section 1.5.5: at most four bytes of seven bits. */
    private int length(int kind) throws IOException, RejectedException {
        int most = kind == PUBLISH ? MAX_PACKET_BYTES : MAX_CONTROL_BYTES;
        byte[] one = new byte[1];
        int length = 0;
        for (int shift = 0; shift < 28; shift += 7) {
            readSome(one, 0);
            length |= (one[0] & 0x7f) << shift;
            if (one[0] >= 0) {
                if (length > most) {
                    throw refused("a packet of kind " + kind + " has " + length + " bytes, at most " + most);
                }
                return length;
            }
        }
        throw refused("a length has more than four bytes");
    }

    private static RejectedException refused(String detail) {
        return new RejectedException(Code.LNK_PROTOCOL, detail);
    }

    /** Reads one packet whose first byte and body are given. Never throws. */
    static Verdict<Packet> parse(int first, byte[] body) {
        return Verdict.of(() -> packet(first, new Fields(body)));
    }

    private static Packet packet(int first, Fields fields) throws RejectedException {
        int kind = first >> 4;
        if (kind != PUBLISH && (first & 0x0f) != 0) {
            throw refused("reserved bits are set in a packet of kind " + kind);
        }
        return switch (kind) {
            case CONNACK -> connAck(fields);
            case PUBLISH -> publish(first & 0x0f, fields);
            case PUBACK -> new Packet.PubAck(fields.id(), fields.more() ? fields.octet() : 0);
            case SUBACK -> subAck(fields);
            case PINGRESP -> new Packet.PingResponse();
            case DISCONNECT -> {
                int reason = fields.more() ? fields.octet() : 0;
                yield new Packet.Disconnect(reason, fields.more() ? Properties.read(fields).said : "");
            }
            default -> throw refused("a broker sends no packet of kind " + kind + " to this client");
        };
    }

    /** Section 3.2. */
    private static Packet connAck(Fields fields) throws RejectedException {
        if (fields.octet() > 1) {
            throw refused("CONNACK has unknown flags");
        }
        int reason = fields.octet();
        // A broker of an older version answers with its own, shorter form.
        Properties properties = fields.more() ? Properties.read(fields) : new Properties();
        return new Packet.ConnAck(
                reason,
                properties.said,
                properties.receiveMaximum,
                properties.maximumQos > 0,
                properties.retains,
                properties.maxPacketBytes,
                properties.keepAliveSeconds,
                properties.wildcards,
                properties.shared);
    }

    /** Section 3.3. Nothing depends on its properties, so they are skipped; topic aliases were not offered. */
    private static Packet publish(int flags, Fields fields) throws RejectedException {
        int qos = flags >> 1 & 3;
        if (qos > 1) {
            throw refused("a message of QoS " + qos + ", which was not asked for");
        }
        String topic = fields.text();
        if (topic.isEmpty()) {
            throw refused("a message without a topic");
        }
        int id = qos == 1 ? fields.id() : 0;
        fields.skip(fields.varint());
        return new Packet.Publish(topic, fields.rest(), id);
    }

    /** Section 3.9. */
    private static Packet subAck(Fields fields) throws RejectedException {
        int id = fields.id();
        fields.skip(fields.varint());
        List<Integer> reasons = new ArrayList<>();
        while (fields.more()) {
            reasons.add(fields.octet());
        }
        return new Packet.SubAck(id, reasons);
    }

    /** Section 2.2.2, of CONNACK and DISCONNECT: what counts here is kept, the rest is stepped over. */
    private static final class Properties {
        private String said = "";
        private int receiveMaximum = 65_535;
        private int maximumQos = 2;
        private boolean retains = true;
        private long maxPacketBytes = Long.MAX_VALUE;
        private int keepAliveSeconds = -1;
        private boolean wildcards = true;
        private boolean shared = true;

        static Properties read(Fields fields) throws RejectedException {
            Properties properties = new Properties();
            Fields in = fields.part(fields.varint());
            while (in.more()) {
                properties.take(in.varint(), in);
            }
            return properties;
        }

        private void take(int id, Fields in) throws RejectedException {
            switch (id) {
                case 0x13 -> keepAliveSeconds = in.number(2);
                case 0x1f -> {
                    String text = in.text();
                    said = text.substring(0, Math.min(text.length(), MAX_SAID_CHARS));
                }
                case 0x21 -> receiveMaximum = Math.max(1, in.number(2));
                case 0x24 -> maximumQos = in.octet();
                case 0x25 -> retains = in.octet() != 0;
                case 0x27 -> maxPacketBytes = Math.max(1, Integer.toUnsignedLong(in.number(4)));
                case 0x28 -> wildcards = in.octet() != 0;
                case 0x2a -> shared = in.octet() != 0;
                case 0x01, 0x17, 0x19, 0x29 -> in.octet();
                case 0x22, 0x23 -> in.number(2);
                case 0x02, 0x11, 0x18 -> in.number(4);
                case 0x0b -> in.varint();
                case 0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1a, 0x1c -> in.skip(in.number(2));
                case 0x26 -> {
                    in.skip(in.number(2));
                    in.skip(in.number(2));
                }
                default -> throw refused("property 0x%02x is unknown".formatted(id));
            }
        }
    }

    /** Section 1.5, each read checked against the end. */
    private static final class Fields {
        private final byte[] bytes;
        private final int end;
        private int at;

        Fields(byte[] bytes) {
            this(bytes, 0, bytes.length);
        }

        private Fields(byte[] bytes, int at, int end) {
            this.bytes = bytes;
            this.at = at;
            this.end = end;
        }

        boolean more() {
            return at < end;
        }

        int octet() throws RejectedException {
            return number(1);
        }

        int number(int length) throws RejectedException {
            need(length);
            int value = 0;
            for (int i = 0; i < length; i++) {
                value = value << 8 | bytes[at++] & 0xff;
            }
            return value;
        }

        int id() throws RejectedException {
            int id = number(2);
            if (id == 0) {
                throw refused("a packet identifier is 0");
            }
            return id;
        }

        int varint() throws RejectedException {
            int value = 0;
            for (int shift = 0; shift < 28; shift += 7) {
                int octet = octet();
                value |= (octet & 0x7f) << shift;
                if ((octet & 0x80) == 0) {
                    return value;
                }
            }
            throw refused("a number has more than four bytes");
        }

        String text() throws RejectedException {
            int length = number(2);
            need(length);
            String text = new String(bytes, at, length, StandardCharsets.UTF_8);
            at += length;
            return text;
        }

        void skip(int length) throws RejectedException {
            need(length);
            at += length;
        }

        Fields part(int length) throws RejectedException {
            need(length);
            Fields part = new Fields(bytes, at, at + length);
            at += length;
            return part;
        }

        byte[] rest() {
            byte[] rest = Arrays.copyOfRange(bytes, at, end);
            at = end;
            return rest;
        }

        private void need(int length) throws RejectedException {
            if (length > end - at) {
                throw refused("a field goes beyond the packet's end");
            }
        }
    }
}
