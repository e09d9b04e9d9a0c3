package dev.holdfast.link;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/** Writes the packets of a client: MQTT 5.0 section 3. */
final class PacketWriter {
    private static final int AT_LEAST_ONCE = 1;

    private PacketWriter() {}

    /**
     * Section 3.1. A clean start: what matters is asked for again, and nothing waits for us at the broker.
     *
     * @param presence topic of a last will {@code 0}, QoS 1, retained
     */
    static byte[] connect(
            String clientId, int keepAliveSeconds, int receiveMaximum, int maxPacketBytes, Optional<String> presence) {
        Body properties =
                new Body().octet(0x21).number(receiveMaximum, 2).octet(0x27).number(maxPacketBytes, 4);
        Body body = new Body()
                .text("MQTT")
                .octet(5)
                .octet(0x02 | (presence.isPresent() ? 0x04 | AT_LEAST_ONCE << 3 | 0x20 : 0))
                .number(keepAliveSeconds, 2)
                .varint(properties.size())
                .bytes(properties.toByteArray())
                .text(clientId);
        presence.ifPresent(topic -> body.varint(0).text(topic).number(1, 2).octet('0'));
        return packet(0x10, body);
    }

    /** Section 3.8, every filter at QoS 1. */
    static byte[] subscribe(int id, List<String> filters) {
        Body body = new Body().number(id, 2).varint(0);
        filters.forEach(filter -> body.text(filter).octet(AT_LEAST_ONCE));
        return packet(0x82, body);
    }

    /** Section 3.3. @param id 0 for QoS 0 */
    static byte[] publish(String topic, byte[] payload, boolean retained, int id) {
        Body body = new Body().text(topic);
        if (id != 0) {
            body.number(id, 2);
        }
        body.varint(0).bytes(payload);
        return packet(0x30 | (id == 0 ? 0 : AT_LEAST_ONCE << 1) | (retained ? 1 : 0), body);
    }

    /** Section 3.4: success needs no reason. */
    static byte[] pubAck(int id) {
        return packet(0x40, new Body().number(id, 2));
    }

    /** Section 3.12. */
    static byte[] ping() {
        return packet(0xc0, new Body());
    }

    /** Section 3.14. @param withWill whether the broker shall publish the last will all the same */
    static byte[] disconnect(boolean withWill) {
        return packet(0xe0, withWill ? new Body().octet(0x04) : new Body());
    }

    private static byte[] packet(int first, Body body) {
        return new Body()
                .octet(first)
                .varint(body.size())
                .bytes(body.toByteArray())
                .toByteArray();
    }

    /** Section 1.5. */
    private static final class Body extends ByteArrayOutputStream {
        Body octet(int value) {
            write(value);
            return this;
        }

        Body number(int value, int length) {
            for (int shift = 8 * (length - 1); shift >= 0; shift -= 8) {
                write(value >> shift);
            }
            return this;
        }

        Body varint(int value) {
            int left = value;
            do {
                int octet = left & 0x7f;
                left >>>= 7;
                write(left > 0 ? octet | 0x80 : octet);
            } while (left > 0);
            return this;
        }

        Body text(String text) {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            return number(utf8.length, 2).bytes(utf8);
        }

        Body bytes(byte[] bytes) {
            writeBytes(bytes);
            return this;
        }
    }
}
