package dev.holdfast.attestation;

import dev.holdfast.attestation.EvidenceClaims.Serving;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** What the answer of the process that serves comes to, for one evidence. Not thread-safe. */
final class Answer {
    /** Names that a claim's text has room for. */
    private static final int MAX_TOLD = 2;

    private final Set<String> confirmed = new HashSet<>();
    private final SortedSet<String> unrecorded = new TreeSet<>();
    private String reason = "";
    private boolean contradictory;

    /** The process serves this as the log names it, by now. What is in service answers to its pinned name, too. */
    void confirmed(ModelEvent event) {
        confirmed.add(event.place());
        confirmed.add(ModelEvent.grace(event.model(), event.slot()));
    }

    /** The process serves something as {@code model} that the log does not name, and takes no event of. */
    void unrecorded(String model, String why) {
        unrecorded.add(model);
        reason = why;
    }

    /** The process says of the same bytes what it did not say before. Nothing that it says counts in this evidence. */
    void contradictory() {
        contradictory = true;
    }

    /**
     * The state of each place of {@code named}; of those that the answer leaves open, {@code CHANGING} or {@code ABSENT}.
     *
     * @param changing whether a model is in the middle of a swap
     */
    SortedMap<String, Serving> states(SortedMap<String, ModelEvent> named, Predicate<String> changing) {
        SortedMap<String, Serving> all = new TreeMap<>();
        named.forEach((place, event) -> {
            Serving open = changing.test(event.model()) ? Serving.CHANGING : Serving.ABSENT;
            Serving state = confirmed.contains(place) ? Serving.CONFIRMED : open;
            all.put(place, contradictory ? Serving.UNKNOWN : state);
        });
        return all;
    }

    /** What serves and is not in the log, as the text of a claim; empty where the log names all of it. */
    Optional<String> gap() {
        if (unrecorded.isEmpty()) {
            return Optional.empty();
        }
        String names = unrecorded.stream().limit(MAX_TOLD).collect(Collectors.joining(", "));
        int more = unrecorded.size() - MAX_TOLD;
        return Optional.of(
                "does not name what serves as " + names + (more > 0 ? " and " + more + " more" : "") + ": " + reason);
    }
}
