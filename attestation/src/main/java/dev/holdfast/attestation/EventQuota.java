package dev.holdfast.attestation;

import dev.holdfast.attestation.LoggedEvent.Cause;
import java.util.Optional;

/**
 * How much the log takes in one boot, and how much of it the inference process can cause. That process is hostile to the agent:
 * it can say at each challenge that it serves something else. So it has a ration for the whole boot, and never gets the last
 * quarter of the log, which is kept for starts of the agent and for what orders ask. Not thread-safe.
 */
final class EventQuota {
    /** Of all events as frames in the file; what else evidence carries at most, its claims and the machine's logs, takes less. */
    static final int MAX_BYTES = Attester.MAX_EVIDENCE_BYTES - 256 * 1024;

    /**
     * Events on account of the inference process. An honest one needs at most one for each of its models when it comes back,
     * and none while it says what it said before. Ordinary ones take 22 KiB, so that a liar does not make evidence much
     * longer for every verifier.
     */
    static final int MAX_PROBED = 64;

    static final int RESERVED_EVENTS = EventLog.MAX_EVENTS / 4;
    static final int RESERVED_BYTES = MAX_BYTES / 4;

    private int events;
    private int bytes;
    private int probed;

    /** Why the log does not take {@code event}; empty where it does. */
    Optional<String> refusal(LoggedEvent event) {
        boolean probe = event.cause() == Cause.PROBE;
        if (probe && probed >= MAX_PROBED) {
            return Optional.of(MAX_PROBED + " changes since the last boot came from the process that serves");
        }
        int lastEvent = EventLog.MAX_EVENTS - (probe ? RESERVED_EVENTS : 0);
        int lastByte = MAX_BYTES - (probe ? RESERVED_BYTES : 0);
        return events >= lastEvent || bytes + EventFile.frameBytes(event) > lastByte
                ? Optional.of("the event log is full: " + events + " events of " + bytes + " bytes since the last boot")
                : Optional.empty();
    }

    void add(LoggedEvent event) {
        events++;
        bytes += EventFile.frameBytes(event);
        probed += event.cause() == Cause.PROBE ? 1 : 0;
    }

    void clear() {
        events = 0;
        bytes = 0;
        probed = 0;
    }
}
