package dev.holdfast.fleet.rollout;

import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/** What the numbers say of the newest ring, with the numbers. Where there are none yet, nothing has passed. */
sealed interface Judgement {
    /** In one sentence. */
    String says();

    /** The next ring may open. */
    record Pass(String says) implements Judgement {}

    /** Neither good nor bad enough. */
    record Hold(String says) implements Judgement {}

    /** The rollout ends. */
    record Abort(String says) implements Judgement {}

    /**
     * Judges.
     *
     * @param ring of the newest ring that is open
     * @param all of all rings together
     * @param lastEnd when the last device of the ring ended
     */
    static Judgement of(
            RolloutPlan plan, int index, RingCounts ring, RingCounts all, Optional<Instant> lastEnd, Instant now) {
        RolloutPlan.Abort abort = plan.abort();
        long ended = all.ended();
        if (ended >= abort.atLeast() && percent(all.failed(), ended) > abort.failedPercent()) {
            return new Abort(share(all.failed(), ended, "of the devices that have ended failed") + "; more than "
                    + number(abort.failedPercent()) + " % of at least " + abort.atLeast());
        }
        RolloutPlan.Gate gate = plan.gate();
        String name = "ring " + plan.rings().get(index).name() + ": ";
        long total = ring.total();
        if (total == 0) {
            return new Hold(name + "no enrolled device belongs to it; nothing is shown by nobody");
        }
        if (percent(ring.ended(), total) < gate.endedPercent()) {
            return new Hold(name + share(ring.ended(), total, "of its devices have ended") + ", the gate asks for "
                    + number(gate.endedPercent()) + " %; they are: " + ring);
        }
        if (percent(ring.failed(), total) > gate.failedPercent()) {
            return new Hold(name + share(ring.failed(), total, "of its devices failed") + ", the gate takes at most "
                    + number(gate.failedPercent()) + " %; they are: " + ring);
        }
        if (ring.confirmed() == 0) {
            return new Hold(name + "no device serves the release; they are: " + ring);
        }
        long attested = ring.of(ExecutionState.ATTESTED);
        if (percent(attested, ring.confirmed()) < gate.attestedPercent()) {
            return new Hold(name
                    + share(attested, ring.confirmed(), "of the devices that say they serve it are proved by evidence")
                    + ", the gate asks for " + number(gate.attestedPercent()) + " %");
        }
        Instant rested = lastEnd.map(end -> end.plus(gate.soak())).orElse(now);
        if (now.isBefore(rested)) {
            return new Hold(name + "all that the gate asks is there; it rests until " + rested);
        }
        return new Pass(name + share(ring.ended(), total, "of its devices have ended") + ", "
                + share(ring.failed(), total, "failed") + ", "
                + share(attested, ring.confirmed(), "of those that serve it are proved by evidence"));
    }

    private static double percent(long part, long whole) {
        return whole == 0 ? 0 : 100.0 * part / whole;
    }

    private static String share(long part, long whole, String what) {
        return part + " of " + whole + " (" + number(percent(part, whole)) + " %) " + what;
    }

    private static String number(double percent) {
        return percent == Math.rint(percent)
                ? Long.toString((long) percent)
                : String.format(Locale.ROOT, "%.2f", percent);
    }
}
