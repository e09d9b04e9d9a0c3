package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A client that may do what ours never does, and says what the broker thinks of it. One thread. */
final class BareClient implements AutoCloseable {
    /** The broker ended the connection: it could not have said no more plainly. */
    private static final int ENDED = 0xff;

    private final Socket socket;
    private final OutputStream out;
    private final PacketReader in;
    private final List<String> heard = new ArrayList<>();

    private BareClient(int port) throws IOException {
        socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(10_000);
        out = socket.getOutputStream();
        in = new PacketReader(new BufferedInputStream(socket.getInputStream()));
    }

    /** @param user none is shown where it is empty; nor a password */
    static BareClient connect(int port, String user, String password) throws IOException {
        BareClient client = new BareClient(port);
        int flags = 2 | (user.isEmpty() ? 0 : 0x80) | (password.isEmpty() ? 0 : 0x40);
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        body.writeBytes(new byte[] {0, 4, 'M', 'Q', 'T', 'T', 5, (byte) flags, 0, 60, 0});
        text(body, ClientId.fresh("demo", user));
        if (!user.isEmpty()) {
            text(body, user);
        }
        if (!password.isEmpty()) {
            text(body, password);
        }
        client.out.write(new byte[] {0x10, (byte) body.size()});
        client.out.write(body.toByteArray());
        assertThat(client.in.next())
                .isInstanceOfSatisfying(
                        Packet.ConnAck.class, ack -> assertThat(ack.reason()).isZero());
        return client;
    }

    private static void text(ByteArrayOutputStream out, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.write(0);
        out.write(bytes.length);
        out.writeBytes(bytes);
    }

    /** The reason code; 0x80 and more is no. */
    int subscribe(String filter) throws IOException {
        return ask(PacketWriter.subscribe(1, List.of(filter))) instanceof Packet.SubAck(int _, List<Integer> reasons)
                ? reasons.getFirst()
                : ENDED;
    }

    /** The same. */
    int publish(String topic, boolean retained) throws IOException {
        return ask(PacketWriter.publish(topic, new byte[] {'x'}, retained, 7))
                        instanceof Packet.PubAck(int _, int reason)
                ? reason
                : ENDED;
    }

    void ping() throws IOException {
        assertThat(ask(PacketWriter.ping())).isInstanceOf(Packet.PingResponse.class);
    }

    /** Takes what is on its way, where the broker has not ended the connection. */
    void drain() throws IOException {
        ask(PacketWriter.ping());
    }

    /** Topics of the messages that came. */
    List<String> heard() {
        return heard;
    }

    /** The answer, which is the next packet that is no message. */
    private Packet ask(byte[] packet) throws IOException {
        try {
            out.write(packet);
            while (true) {
                Packet next = in.next();
                if (!(next instanceof Packet.Publish(String topic, byte[] _, int id))) {
                    return next;
                }
                heard.add(topic);
                if (id != 0) {
                    out.write(PacketWriter.pubAck(id));
                }
            }
        } catch (java.net.SocketException | java.io.EOFException e) {
            return new Packet.Disconnect(ENDED, "");
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
