package dev.holdfast.testkit;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** One client, and what may be done to it. One thread. */
public final class HostileBrokerClient {
    private static final byte[] CONNACK = {0x20, 3, 0, 0, 0};
    private static final int CONNECT = 1;
    private static final int PUBLISH = 3;
    private static final int SUBSCRIBE = 8;
    private static final int PING = 12;
    private static final int DISCONNECT = 14;

    private final DataInputStream in;
    private final OutputStream out;
    private final List<String> names;

    HostileBrokerClient(Socket socket, List<String> names) throws IOException {
        this.names = names;
        in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
        out = socket.getOutputStream();
    }

    public void write(int... bytes) throws IOException {
        byte[] packet = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            packet[i] = (byte) bytes[i];
        }
        write(packet);
    }

    public void write(byte[] bytes) throws IOException {
        out.write(bytes);
        out.flush();
    }

    /** The next packet of the client. */
    public HostileBroker.Packet read() throws IOException {
        int first = in.readUnsignedByte();
        int length = 0;
        for (int shift = 0, octet = 0x80; (octet & 0x80) != 0; shift += 7) {
            octet = in.readUnsignedByte();
            length |= (octet & 0x7f) << shift;
        }
        byte[] body = in.readNBytes(length);
        if (body.length < length) {
            throw new EOFException();
        }
        return new HostileBroker.Packet(first >> 4, first & 0x0f, body);
    }

    /** Reads CONNECT, and keeps the client's name. */
    public void awaitConnect() throws IOException {
        HostileBroker.Packet packet = read();
        if (packet.kind() != CONNECT) {
            throw new IOException("no CONNECT");
        }
        remember(packet);
    }

    private void remember(HostileBroker.Packet connect) {
        // Name and level of the protocol, flags, keep-alive: 10 bytes; properties with a length of one byte; the
        // name.
        byte[] body = connect.body();
        int at = 11 + body[10];
        int length = (body[at] & 0xff) << 8 | body[at + 1] & 0xff;
        names.add(new String(body, at + 2, length, StandardCharsets.UTF_8));
    }

    /** Accepts the client and its subscriptions. */
    public void politeBeginning() throws IOException {
        awaitConnect();
        write(CONNACK);
        HostileBroker.Packet packet = read();
        if (packet.kind() == SUBSCRIBE) {
            write(subAck(packet, 1));
        }
    }

    byte[] subAck(HostileBroker.Packet packet, int reason) {
        byte[] body = packet.body();
        ByteArrayOutputStream reasons = new ByteArrayOutputStream();
        for (int at = 3 + body[2]; at + 2 < body.length; at += 3 + ((body[at] & 0xff) << 8 | body[at + 1] & 0xff)) {
            reasons.write(reason);
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(HostileBroker.head(0x90, 3 + reasons.size()));
        out.write(body, 0, 2);
        out.write(0);
        out.writeBytes(reasons.toByteArray());
        return out.toByteArray();
    }

    /** Answers until the client leaves. */
    public void serve(int subscriptions, boolean acknowledges, boolean pongs) throws IOException {
        while (true) {
            // A behaviour that began politely has read CONNECT already.
            HostileBroker.Packet packet = read();
            switch (packet.kind()) {
                case CONNECT -> {
                    remember(packet);
                    write(CONNACK);
                }
                case SUBSCRIBE -> write(subAck(packet, subscriptions));
                case PUBLISH -> {
                    byte[] body = packet.body();
                    int at = 2 + ((body[0] & 0xff) << 8 | body[1] & 0xff);
                    if (acknowledges && (packet.flags() & 2) != 0) {
                        write(0x40, 2, body[at], body[at + 1]);
                    }
                }
                case PING -> {
                    if (pongs) {
                        write(0xd0, 0);
                    }
                }
                case DISCONNECT -> {
                    return;
                }
                default -> {}
            }
        }
    }

    /** Takes what comes and answers nothing, until the client leaves. */
    public void listen() throws IOException {
        in.transferTo(OutputStream.nullOutputStream());
    }

    /** Bytes without end. */
    public void flood() throws IOException {
        byte[] zeros = new byte[64 * 1024];
        while (true) {
            write(zeros);
        }
    }
}
