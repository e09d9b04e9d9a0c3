package dev.holdfast.attestation;

import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.LongSupplier;

/** Which models are between their measurement and the flip of their pointer, and when each changed last. Not thread-safe. */
final class Swaps {
    /** A swap that takes longer between measurement and flip than this has failed and was not cleared. */
    static final Duration LIMIT = Duration.ofMinutes(5);

    /** Since when each is, by the clock that counts nanoseconds; absent where a crash interrupted it. */
    private final SortedMap<String, OptionalLong> since = new TreeMap<>();

    /** The count of changes at the last change of each model. At most one entry for each event of the log. */
    private final Map<String, Long> changedAt = new HashMap<>();

    private final LongSupplier nanoClock;
    private long changes;

    Swaps(LongSupplier nanoClock) {
        this.nanoClock = nanoClock;
    }

    void begin(String model) {
        since.put(model, OptionalLong.of(nanoClock.getAsLong()));
        changedAt.put(model, ++changes);
    }

    void end(String model) {
        since.remove(model);
        changed(model);
    }

    /** What else there is of a model changed, such as a release in its grace. */
    void changed(String model) {
        changedAt.put(model, ++changes);
    }

    void interrupted(String model) {
        since.put(model, OptionalLong.empty());
    }

    /** Those that a crash interrupted are under way no more. */
    void forgetInterrupted() {
        since.values().removeIf(OptionalLong::isEmpty);
    }

    void clear() {
        since.clear();
    }

    long changes() {
        return changes;
    }

    /** Whether what was known of {@code model} at {@code changesBefore} may be wrong by now. */
    boolean isChanging(String model, long changesBefore) {
        OptionalLong begun = since.getOrDefault(model, OptionalLong.empty());
        return begun.isPresent() && nanoClock.getAsLong() - begun.getAsLong() < LIMIT.toNanos()
                || changedAt.getOrDefault(model, 0L) > changesBefore;
    }

    boolean has(String model) {
        return since.containsKey(model);
    }

    boolean isEmpty() {
        return since.isEmpty();
    }

    SortedSet<String> models() {
        return Collections.unmodifiableSortedSet(new TreeSet<>(since.keySet()));
    }
}
