package dev.holdfast.fleet.settings;

import dev.holdfast.link.ClientId;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.LinkException;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** A connection for one errand. */
public final class BrokerLink {
    private static final long POLL_MILLIS = 20;
    /** What another attempt does not change: a person has to. */
    private static final Set<Code> FOR_A_PERSON =
            Set.of(Code.LNK_LOGIN, Code.LNK_FILE, Code.LNK_UNTRUSTED, Code.LNK_HOST, Code.LNK_EXPIRED);

    private BrokerLink() {}

    /** Waits until connection and subscriptions are up; not for what only a person can mend. */
    public static MqttLink connect(
            FleetBroker broker, List<String> filters, Duration deadline, MqttLink.Receiver receiver)
            throws IOException, RejectedException {
        LinkConfig config = broker.link(ClientId.fresh("", "operator"), filters);
        MqttLink link = ReconnectingLink.open(config, receiver);
        long end = System.nanoTime() + deadline.toNanos();
        try {
            while (!link.connected()) {
                Optional<Rejection> lost = link.status().lost();
                if (System.nanoTime() > end
                        || lost.map(Rejection::code)
                                .filter(FOR_A_PERSON::contains)
                                .isPresent()) {
                    Rejection why = lost.orElse(new Rejection(Code.LNK_DOWN, "not reached within " + deadline));
                    throw LinkException.of(new Rejection(why.code(), broker.address() + ": " + why.detail()));
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
