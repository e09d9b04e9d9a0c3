package dev.holdfast.updater;

import java.util.HashMap;
import java.util.Map;

/**
 * Which models are on trial in the one process that serves them all: where it dies, the one that was being loaded is to blame, and
 * the others only if nobody else was on trial. Thread-safe.
 */
final class Trials {
    /** What a trial is at. */
    enum Stage {
        /** Being loaded and put to the test. */
        LOADING,
        /** In service, and watched. */
        PROBATION
    }

    private record Span(Stage stage, long begun) {}

    private final Map<String, Span> active = new HashMap<>();
    /** When each model was last being loaded, on the clock of {@link #ticks}. */
    private final Map<String, Long> lastLoading = new HashMap<>();

    private long ticks;

    /** Begins a stage of a model; what it was at before is over. */
    synchronized void begin(String model, Stage stage) {
        end(model);
        active.put(model, new Span(stage, ++ticks));
    }

    synchronized void end(String model) {
        Span over = active.remove(model);
        if (over != null && over.stage == Stage.LOADING) {
            lastLoading.put(model, ++ticks);
        }
    }

    /** Whether another model is, or was since this one's stage began, being loaded. */
    synchronized boolean othersLoading(String model) {
        Span own = active.get(model);
        long since = own == null ? ticks : own.begun;
        boolean now = active.entrySet().stream()
                .anyMatch(each -> !each.getKey().equals(model) && each.getValue().stage == Stage.LOADING);
        return now
                || lastLoading.entrySet().stream()
                        .anyMatch(each -> !each.getKey().equals(model) && each.getValue() > since);
    }

    /** The same, or in service and watched. */
    synchronized boolean othersOnTrial(String model) {
        return othersLoading(model) || active.keySet().stream().anyMatch(each -> !each.equals(model));
    }
}
