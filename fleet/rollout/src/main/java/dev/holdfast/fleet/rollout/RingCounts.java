package dev.holdfast.fleet.rollout;

import java.util.EnumMap;
import java.util.Map;
import java.util.stream.Collectors;

/** How many devices of a ring, or of several, are in each state. */
public record RingCounts(Map<ExecutionState, Long> states) {
    static final RingCounts NONE = new RingCounts(Map.of());

    public RingCounts {
        Map<ExecutionState, Long> copy = new EnumMap<>(ExecutionState.class);
        copy.putAll(states);
        states = copy;
    }

    public long of(ExecutionState state) {
        return states.getOrDefault(state, 0L);
    }

    /** Those that count: not canceled, not removed. */
    public long total() {
        return states.entrySet().stream()
                .filter(one -> one.getKey().isCounted())
                .mapToLong(Map.Entry::getValue)
                .sum();
    }

    public long failed() {
        return states.entrySet().stream()
                .filter(one -> one.getKey().isFailure())
                .mapToLong(Map.Entry::getValue)
                .sum();
    }

    /** Those that say that they serve the release, proved or not. */
    public long confirmed() {
        return of(ExecutionState.CONFIRMED) + of(ExecutionState.ATTESTED);
    }

    /** Those that have taken the release or failed, whether or not that is proved. */
    public long ended() {
        return confirmed() + failed();
    }

    /** Ordered, and neither confirmed nor ended. */
    long underWay() {
        return of(ExecutionState.NOTIFIED) + of(ExecutionState.IN_PROGRESS);
    }

    public RingCounts plus(RingCounts other) {
        Map<ExecutionState, Long> sum = new EnumMap<>(ExecutionState.class);
        for (ExecutionState state : ExecutionState.values()) {
            sum.put(state, of(state) + other.of(state));
        }
        return new RingCounts(sum);
    }

    /** {@code 3 ATTESTED, 1 FAILED}. */
    @Override
    public String toString() {
        String text = states.entrySet().stream()
                .filter(one -> one.getValue() != 0)
                .map(one -> one.getValue() + " " + one.getKey())
                .collect(Collectors.joining(", "));
        return text.isEmpty() ? "no device" : text;
    }
}
