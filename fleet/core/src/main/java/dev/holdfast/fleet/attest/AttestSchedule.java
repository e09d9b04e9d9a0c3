package dev.holdfast.fleet.attest;

import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/**
 * Whose turn it is to be asked. All spans go by the monotonic clock, so a wall clock that jumps moves nobody's turn. Thread-safe; calls
 * do not block.
 *
 * <ul>
 *   <li>A device is asked again after nine to ten tenths of its interval, by chance: those that were asked together drift apart.
 *   <li>Those that are overdue at the start are spread over a time that grows with their number.
 *   <li>One that does not answer is asked later each time, and behind those that do.
 *   <li>What a device says can bring its turn forward, but only so often: see {@link Ration}. A turn that is not to be had waits for the
 *       next ration, and then counts once for all that was said.
 * </ul>
 */
final class AttestSchedule {
    /** Why a device is asked. The first is the most urgent. */
    enum Why {
        /** It says that it is about to go down. */
        REBOOT,
        /** A rollout waits for proof of what it says that it serves. */
        ROLLOUT,
        /** It says that it serves something else than when it was asked last. */
        FLIP,
        /** It was overdue, and came back to the broker. */
        RETURN,
        SCHEDULE;

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    record Turn(String device, Why why) {}

    /** Of the turns that a device, or a rollout that it is in, can bring forward. */
    private enum Ration {
        REBOOT(2, Duration.ofMinutes(5)),
        ROLLOUT(2, Duration.ofMinutes(5)),
        WORD(3, Duration.ofMinutes(10));

        final int burst;
        final long nanos;

        Ration(int burst, Duration each) {
            this.burst = burst;
            this.nanos = each.toNanos();
        }
    }

    private static final class Bucket {
        private final Ration ration;
        private double tokens;
        private long filledAt;

        Bucket(Ration ration, long now) {
            this.ration = ration;
            this.tokens = ration.burst;
            this.filledAt = now;
        }

        /** Takes a token. @return nanoseconds until it is one's own; 0 at once */
        long take(long now) {
            tokens = Math.min(ration.burst, tokens + (double) (now - filledAt) / ration.nanos);
            filledAt = now;
            tokens--;
            return tokens >= 0 ? 0 : (long) Math.ceil(-tokens * ration.nanos);
        }
    }

    private static final class Line {
        final String device;
        final Bucket reboot;
        final Bucket rollout;
        final Bucket word;
        Duration every = Duration.ZERO;
        Optional<Instant> looked = Optional.empty();
        long due;
        Why why = Why.SCHEDULE;
        int silent;
        boolean open;
        /** What was said while it was open or waits for a ration; each counts once. */
        final Set<Why> brought = EnumSet.noneOf(Why.class);

        Line(String device, long now) {
            this.device = device;
            this.reboot = new Bucket(Ration.REBOOT, now);
            this.rollout = new Bucket(Ration.ROLLOUT, now);
            this.word = new Bucket(Ration.WORD, now);
        }

        Bucket ration(Why why) {
            return switch (why) {
                case REBOOT -> reboot;
                case ROLLOUT -> rollout;
                case FLIP, RETURN, SCHEDULE -> word;
            };
        }
    }

    /** Questions that are open at a time: each may wait for half a minute. */
    static final int MAX_OPEN = 64;
    /** Turns a second; judging and keeping an answer takes some milliseconds. */
    static final int PER_SECOND = 20;

    private static final Duration FIRST_BACKOFF = Duration.ofMinutes(2);
    private static final Duration LAST_BACKOFF = Duration.ofHours(12);
    private static final long LEAST_SPREAD_NANOS = Duration.ofSeconds(20).toNanos();
    private static final long MAX_QUIET_NANOS = Duration.ofMinutes(1).toNanos();
    private static final int MAX_DOUBLINGS = 10;

    private final LongSupplier nanoTime;
    private final RandomGenerator random;
    private final Map<String, Line> lines = new HashMap<>();
    private double tokens = 1;
    private long filledAt;
    private int open;
    /** Nobody is due before; so nobody looks through all lines in vain. */
    private long quietUntil;

    AttestSchedule(LongSupplier nanoTime, RandomGenerator random) {
        this.nanoTime = nanoTime;
        this.random = random;
        this.filledAt = nanoTime.getAsLong();
        this.quietUntil = filledAt;
    }

    /**
     * Says when a device is due. The same said again changes nothing.
     *
     * @param every its interval
     * @param looked when it was looked at last, by whomever
     * @param in until then, by what is kept of its last verdict; not above zero where it is overdue
     */
    synchronized void put(String device, Duration every, Optional<Instant> looked, Duration in) {
        long now = nanoTime.getAsLong();
        Line line = lines.computeIfAbsent(device, fresh -> new Line(fresh, now));
        boolean same = line.every.equals(every) && line.looked.equals(looked);
        line.every = every;
        line.looked = looked;
        if (same || line.open || !line.brought.isEmpty() || line.silent > 0) {
            return;
        }
        // A verdict of the future is of a clock that was wrong.
        Duration left = in.compareTo(every) > 0 ? every : in;
        line.due = now + (left.isNegative() || left.isZero() ? part(spread(every)) : part(left.toNanos(), 9));
        line.why = Why.SCHEDULE;
        quietUntil = now;
    }

    /** Over how long those that are overdue are spread: twice what they take, and no more than their interval. */
    private long spread(Duration every) {
        long all = 2L * lines.size() * Duration.ofSeconds(1).toNanos() / PER_SECOND;
        return Math.min(every.toNanos(), Math.max(LEAST_SPREAD_NANOS, all));
    }

    /** A part of a span by chance, from none to the whole. */
    private long part(long nanos) {
        return (long) (random.nextDouble() * nanos);
    }

    /** The same from so many tenths on. */
    private long part(long nanos, int tenths) {
        return nanos / 10 * tenths + part(nanos / 10 * (10 - tenths));
    }

    synchronized boolean knows(String device) {
        return lines.containsKey(device);
    }

    /** Forgets all others. */
    synchronized void retain(Set<String> devices) {
        lines.values().removeIf(line -> !line.open && !devices.contains(line.device));
    }

    /** A device said something for which it is to be asked, or a rollout waits for it. The earliest turn counts for all that waits. */
    synchronized void bring(String device, Why why) {
        Line line = lines.get(device);
        if (line == null || line.brought.contains(why) || (why == Why.RETURN && (line.silent == 0 || line.open))) {
            return;
        }
        long now = nanoTime.getAsLong();
        long due = now + line.ration(why).take(now);
        if (why == Why.RETURN || why == Why.FLIP) {
            // A broker that comes back brings everybody at once.
            due += part(Duration.ofSeconds(1).toNanos());
        }
        if (line.brought.isEmpty() || due - line.due < 0) {
            line.due = due;
        }
        if (line.brought.isEmpty() || why.compareTo(line.why) < 0) {
            line.why = why;
        }
        line.brought.add(why);
        quietUntil = now;
    }

    /** The next device to ask, to be followed by {@link #done}; empty where none is due, or all may be under way. */
    synchronized Optional<Turn> next() {
        long now = nanoTime.getAsLong();
        tokens = Math.min(PER_SECOND, tokens + (now - filledAt) * PER_SECOND / 1e9);
        filledAt = now;
        if (tokens < 1 || open >= MAX_OPEN || quietUntil - now > 0) {
            return Optional.empty();
        }
        Optional<Line> first = lines.values().stream()
                .filter(line -> !line.open && line.due - now <= 0)
                .min(Comparator.<Line, Why>comparing(line -> line.why)
                        .thenComparing(line -> line.silent)
                        .thenComparing(line -> line.due - now));
        if (first.isEmpty()) {
            quietUntil = now
                    + lines.values().stream()
                            .filter(line -> !line.open)
                            .mapToLong(line -> line.due - now)
                            .min()
                            .orElse(MAX_QUIET_NANOS);
        }
        return first.map(line -> {
            tokens--;
            open++;
            line.open = true;
            line.brought.clear();
            return new Turn(line.device, line.why);
        });
    }

    /** The answer was judged, or none came. */
    synchronized void done(String device, boolean answered) {
        Line line = lines.get(device);
        if (line == null || !line.open) {
            return;
        }
        line.open = false;
        open--;
        quietUntil = nanoTime.getAsLong();
        line.silent = answered ? 0 : Math.min(MAX_DOUBLINGS, line.silent + 1);
        if (line.brought.isEmpty()) {
            long now = nanoTime.getAsLong();
            line.why = Why.SCHEDULE;
            line.due = now + (answered ? part(line.every.toNanos(), 9) : part(backoff(line), 7));
        }
    }

    private static long backoff(Line line) {
        long doubled = FIRST_BACKOFF.toNanos() << (line.silent - 1);
        return Math.min(
                doubled, Math.max(FIRST_BACKOFF.toNanos(), Math.min(line.every.toNanos(), LAST_BACKOFF.toNanos())));
    }

    /** It was looked at now: what is kept of that later puts nothing off. */
    synchronized void looked(String device, Instant at) {
        Line line = lines.get(device);
        if (line != null) {
            line.looked = Optional.of(at);
        }
    }

    /** The question could not be asked: nothing is said of the device by that. */
    synchronized void unasked(String device) {
        Line line = lines.get(device);
        if (line != null && line.open) {
            line.open = false;
            open--;
            quietUntil = nanoTime.getAsLong();
            line.due = quietUntil + part(Duration.ofSeconds(30).toNanos(), 5);
        }
    }

    /** Whether nobody is due now. */
    synchronized boolean isQuiet() {
        return quietUntil - nanoTime.getAsLong() > 0;
    }

    /** Questions under way. */
    synchronized int open() {
        return open;
    }
}
