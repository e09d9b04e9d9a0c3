package dev.holdfast.acceptance;

import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;

/** Somebody else at the broker, who hears all topics of a device and may say anything. */
final class Tap implements AutoCloseable {
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
