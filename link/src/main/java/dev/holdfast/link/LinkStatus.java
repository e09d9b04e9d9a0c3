package dev.holdfast.link;

import dev.holdfast.wire.Rejection;
import java.time.Instant;
import java.util.Optional;

/**
 * How a link is, at a moment.
 *
 * @param lost why the last connection or attempt ended; empty before the first one did
 * @param nextAttempt when it connects again; empty while it is connected or connecting
 * @param connections how often the broker was reached, since the start
 * @param takeovers how often another client took over the session, since the start
 * @param takenOver when that was last
 */
public record LinkStatus(
        boolean connected,
        Optional<Rejection> lost,
        Optional<Instant> nextAttempt,
        long connections,
        long takeovers,
        Optional<Instant> takenOver) {
    static final LinkStatus CONNECTING =
            new LinkStatus(false, Optional.empty(), Optional.empty(), 0, 0, Optional.empty());

    LinkStatus up() {
        return new LinkStatus(true, lost, Optional.empty(), connections + 1, takeovers, takenOver);
    }

    LinkStatus connecting() {
        return new LinkStatus(false, lost, Optional.empty(), connections, takeovers, takenOver);
    }

    LinkStatus down(Rejection why, boolean byTakeover, Instant now, Instant next) {
        return new LinkStatus(
                false,
                Optional.of(why),
                Optional.of(next),
                connections,
                takeovers + (byTakeover ? 1 : 0),
                byTakeover ? Optional.of(now) : takenOver);
    }
}
