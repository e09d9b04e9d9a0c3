package dev.holdfast.fleet;

import dev.holdfast.link.ClientId;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.LinkException;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/** A connection for one errand. */
public final class BrokerLink {
    private static final long POLL_MILLIS = 20;

    private BrokerLink() {}

    /** Waits until connection and subscriptions are up. */
    public static MqttLink connect(String broker, List<String> filters, Duration deadline, MqttLink.Receiver receiver)
            throws IOException {
        LinkConfig config = LinkConfig.of(broker, ClientId.fresh("", "operator"), filters);
        MqttLink link = ReconnectingLink.open(config, receiver);
        long end = System.nanoTime() + deadline.toNanos();
        try {
            while (!link.connected()) {
                if (System.nanoTime() > end) {
                    Rejection why =
                            link.status().lost().orElse(new Rejection(Code.LNK_DOWN, "not reached within " + deadline));
                    throw LinkException.of(new Rejection(why.code(), broker + ": " + why.detail()));
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
