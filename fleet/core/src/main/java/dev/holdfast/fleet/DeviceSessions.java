package dev.holdfast.fleet;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;

/**
 * Which process reports under a device's name. Each start of an agent draws a session of its own, so one that was followed by another
 * never comes again, unless two devices have the same name: a copied disk, or an image that was written twice. Where it comes
 * again and again, that is the suspicion. Reports are not signed, so it is no proof. One thread.
 */
final class DeviceSessions {
    private static final Pattern SESSION = Pattern.compile("[0-9a-f]{16}");
    private static final int MAX_DEVICES = 100_000;
    /** More starts than that within {@link #WINDOW} are forgotten, oldest first. */
    private static final int MAX_EARLIER = 8;
    /** One return may be an old report that a broker had kept. */
    private static final int RETURNS = 2;

    private static final Duration WINDOW = Duration.ofHours(6);

    private final InstantSource clock;
    private final LongSupplier nanoTime;
    private final Map<String, Seen> devices = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Seen> eldest) {
            return size() > MAX_DEVICES;
        }
    };

    private static final class Seen {
        private String current = "";
        private final Set<String> earlier = new LinkedHashSet<>();
        private int returns;
        private Instant firstReturn = Instant.MIN;
        private long firstReturnNanos;
    }

    /** @param since when the earlier session came back first */
    record Suspicion(Instant since, int returns) {}

    DeviceSessions(InstantSource clock, LongSupplier nanoTime) {
        this.clock = clock;
        this.nanoTime = nanoTime;
    }

    /** Takes a report; a suspicion each time when an earlier session speaks again. What is no session is ignored. */
    Optional<Suspicion> reported(String device, String session) {
        if (!SESSION.matcher(session).matches()) {
            return Optional.empty();
        }
        Seen seen = devices.computeIfAbsent(device, fresh -> new Seen());
        if (session.equals(seen.current)) {
            return Optional.empty();
        }
        boolean returned = seen.earlier.remove(session);
        if (!seen.current.isEmpty()) {
            seen.earlier.add(seen.current);
        }
        if (seen.earlier.size() > MAX_EARLIER) {
            seen.earlier.remove(seen.earlier.iterator().next());
        }
        seen.current = session;
        if (!returned) {
            return Optional.empty();
        }
        long now = nanoTime.getAsLong();
        if (seen.returns == 0 || now - seen.firstReturnNanos > WINDOW.toNanos()) {
            seen.returns = 0;
            seen.firstReturn = clock.instant();
            seen.firstReturnNanos = now;
        }
        seen.returns++;
        return seen.returns >= RETURNS ? Optional.of(new Suspicion(seen.firstReturn, seen.returns)) : Optional.empty();
    }
}
