package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.Event;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Verdict;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Events that were read before. An event holds nothing of its device, so a fleet's devices log the same models in the same
 * bytes, and a device sends its log again with each evidence; reading them once spares half of an appraisal. What is kept
 * follows from the bytes alone, so nobody can put a wrong reading in. Thread-safe.
 */
final class KnownEvents {
    /** Some megabytes at the most; more different events than a fleet has models. */
    private static final int MAX_EVENTS = 1024;

    private static final Map<Binary, Event> KNOWN = new ConcurrentHashMap<>();

    private KnownEvents() {}

    /** As {@link Event#parse}. */
    static Verdict<Event> parse(Binary content) {
        Event known = KNOWN.get(content);
        if (known != null) {
            return Verdict.accepted(known);
        }
        Verdict<Event> read = Event.parse(content);
        if (read instanceof Verdict.Accepted<Event>(Event event)) {
            if (KNOWN.size() >= MAX_EVENTS) {
                KNOWN.clear();
            }
            KNOWN.put(content, event);
        }
        return read;
    }
}
