package dev.holdfast.fleet;

import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.PahoLink;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

/** A connection for one errand. */
public final class BrokerLink {
    private static final long POLL_MILLIS = 20;

    private BrokerLink() {}

    /** Waits until connection and subscriptions are up. */
    public static MqttLink connect(String broker, List<String> filters, Duration deadline, MqttLink.Receiver receiver)
            throws IOException {
        LinkConfig config = LinkConfig.of(broker, "holdfast-operator-" + UUID.randomUUID(), filters);
        MqttLink link = PahoLink.open(config, receiver);
        long end = System.nanoTime() + deadline.toNanos();
        try {
            while (!link.connected()) {
                if (System.nanoTime() > end) {
                    throw new IOException(Code.LNK_DOWN.id() + ": " + broker + " is not reachable");
                }
                Thread.sleep(POLL_MILLIS);
            }
            return link;
        } catch (InterruptedException e) {
            link.close();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } catch (IOException e) {
            link.close();
            throw e;
        }
    }
}
