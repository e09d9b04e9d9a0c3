package dev.holdfast.link;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Writes what a broker said once more, in the plainest form of MQTT 5.0 section 3: of properties only those of CONNACK that the client
 * library goes by, and no text but a topic, whose characters are ordinary. Reasons are for {@link BrokerAnswers}, which has heard them:
 * the library refuses to read some of them. So its own parsers read nothing that a broker wrote.
 */
final class PlainPacket {
    /** More than a topic of ours has; the library takes 65,535 bytes. */
    private static final int MAX_TOPIC_CHARS = 1024;
    /** The library reads two bytes as a signed number. */
    private static final int MAX_SHORT = Short.MAX_VALUE;

    private static final int GRANTED_MOST = 2;
    private static final int REFUSED = 0x80;

    private PlainPacket() {}

    /** The bytes of one packet. DISCONNECT is none that the library needs to read: it ends the connection before. */
    static byte[] of(Packet packet) {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        return switch (packet) {
            case Packet.ConnAck ack -> {
                body.write(0);
                body.write(0);
                properties(body, ack);
                yield packet(0x20, body);
            }
            case Packet.Publish(String topic, byte[] payload, int id) -> {
                byte[] name = ordinary(topic).getBytes(StandardCharsets.UTF_8);
                number(body, name.length, 2);
                body.writeBytes(name);
                if (id != 0) {
                    number(body, id, 2);
                }
                body.write(0);
                body.writeBytes(payload);
                yield packet(id == 0 ? 0x30 : 0x32, body);
            }
            case Packet.PubAck(int id, int reason) -> {
                number(body, id, 2);
                yield packet(0x40, body);
            }
            case Packet.SubAck(int id, var reasons) -> {
                number(body, id, 2);
                body.write(0);
                reasons.forEach(reason -> body.write(reason <= GRANTED_MOST ? reason : REFUSED));
                yield packet(0x90, body);
            }
            case Packet.PingResponse() -> packet(0xd0, body);
            case Packet.Disconnect(int reason, String said) -> {
                body.write(reason);
                yield packet(0xe0, body);
            }
        };
    }

    private static void properties(ByteArrayOutputStream body, Packet.ConnAck ack) {
        ByteArrayOutputStream properties = new ByteArrayOutputStream();
        properties.write(0x21);
        number(properties, Math.min(ack.receiveMaximum(), MAX_SHORT), 2);
        if (!ack.qos1()) {
            properties.write(0x24);
            properties.write(0);
        }
        if (!ack.retains()) {
            properties.write(0x25);
            properties.write(0);
        }
        if (ack.maxPacketBytes() <= 0xffff_ffffL) {
            properties.write(0x27);
            number(properties, ack.maxPacketBytes(), 4);
        }
        if (ack.keepAliveSeconds() >= 0) {
            properties.write(0x13);
            number(properties, Math.min(ack.keepAliveSeconds(), MAX_SHORT), 2);
        }
        body.write(properties.size());
        body.writeBytes(properties.toByteArray());
    }

    /** A topic that names nothing of ours keeps that property, and loses what a parser may refuse. */
    static String ordinary(String topic) {
        StringBuilder text = new StringBuilder(topic.length());
        topic.codePoints()
                .limit(MAX_TOPIC_CHARS)
                .map(each -> each < 0x20
                                || each >= 0x7f && each <= 0x9f
                                || each >= 0xd800 && each <= 0xdfff
                                || each >= 0xfdd0 && each <= 0xfdef
                                || (each & 0xfffe) == 0xfffe
                        ? '?'
                        : each)
                .forEach(text::appendCodePoint);
        return text.toString();
    }

    private static void number(ByteArrayOutputStream out, long value, int bytes) {
        for (int i = bytes - 1; i >= 0; i--) {
            out.write((int) (value >>> 8 * i));
        }
    }

    private static byte[] packet(int first, ByteArrayOutputStream body) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(first);
        int left = body.size();
        do {
            int digit = left & 0x7f;
            left >>>= 7;
            out.write(left > 0 ? digit | 0x80 : digit);
        } while (left > 0);
        out.writeBytes(body.toByteArray());
        return out.toByteArray();
    }
}
