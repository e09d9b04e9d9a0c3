package dev.holdfast.acceptance;

import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.link.Request;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;

/** Somebody else at the broker, who hears all topics of a device and may say anything. */
final class Tap implements AutoCloseable {
    /** Of the blocks in which the fleet publishes. */
    private static final int BLOCK_BYTES = 32 * 1024;

    private final List<MqttLink.Inbound> heard = new CopyOnWriteArrayList<>();
    private final MqttLink link;

    private Tap(String broker) {
        LinkConfig config = LinkConfig.of(broker, "tap-" + UUID.randomUUID(), List.of("holdfast/#"));
        link = ReconnectingLink.open(config, heard::add);
    }

    static Tap open(String broker) {
        Tap tap = new Tap(broker);
        tap.awaitConnected();
        return tap;
    }

    void awaitConnected() {
        Tools.until(Duration.ofSeconds(30), "the tap is connected", link::connected);
    }

    /** What was said on topics that end so, in order. */
    List<byte[]> heard(String leaf) {
        return heard.stream()
                .filter(message -> message.topic().endsWith("/" + leaf))
                .map(MqttLink.Inbound::payload)
                .toList();
    }

    /** A block that was asked for, or the part of one that begins so many bytes in it. */
    record Piece(int block, int offset) {}

    /** Which blocks were asked for, in order; on a bad line in pieces. */
    List<Piece> blocksAsked() {
        List<Piece> asked = new ArrayList<>();
        for (byte[] payload : heard("ask")) {
            if (Request.decode(payload) instanceof Verdict.Accepted<Request>(Request ask)
                    && ask.body() instanceof Request.Blocks(var _, int pieceBytes, List<Integer> pieces)) {
                int each = BLOCK_BYTES / pieceBytes;
                pieces.forEach(piece -> asked.add(new Piece(piece / each, piece % each * pieceBytes)));
            }
        }
        return asked;
    }

    void forget() {
        heard.clear();
    }

    void say(String topic, byte[] payload) throws Exception {
        link.publish(topic, payload, false);
    }

    @Override
    public void close() {
        link.close();
    }
}
