package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** The events of one boot, and what they lead to. Not thread-safe. */
final class Replay {
    private final List<Binary> contents = new ArrayList<>();
    private final SortedMap<String, ModelEvent> places = new TreeMap<>();
    /** What was said last of each release's tokenizer. */
    private final Map<SlotId, Sha256> tokenizers = new HashMap<>();

    private final EventQuota quota = new EventQuota();
    private Sha256 register = Event.ZERO;
    private Optional<Binary> lastStart = Optional.empty();

    void add(LoggedEvent logged) {
        Binary content = logged.content();
        contents.add(content);
        quota.add(logged);
        register = Event.extend(register, Event.digest(content));
        switch (Event.parse(content)) {
            case Verdict.Accepted<Event>(Event.Model(ModelEvent event)) -> {
                event.applyTo(places);
                event.tokenizer().ifPresent(said -> tokenizers.put(event.slot(), said));
            }
            case Verdict.Accepted<Event>(Event.AgentStart _) -> lastStart = Optional.of(content);
            case Verdict.Rejected<Event> _ -> {} // It was extended, so it stays; a verifier refuses it.
        }
    }

    void clear() {
        contents.clear();
        places.clear();
        tokenizers.clear();
        quota.clear();
        register = Event.ZERO;
        lastStart = Optional.empty();
    }

    List<Binary> contents() {
        return Collections.unmodifiableList(contents);
    }

    /** The last event of each place that is not left: of models, and of releases in their grace. */
    SortedMap<String, ModelEvent> places() {
        return Collections.unmodifiableSortedMap(places);
    }

    /** The last event of each model that is not retired. */
    SortedMap<String, ModelEvent> models() {
        return of(false);
    }

    /** The releases in their grace, by their places. */
    SortedMap<String, ModelEvent> graces() {
        return of(true);
    }

    private SortedMap<String, ModelEvent> of(boolean grace) {
        SortedMap<String, ModelEvent> found = new TreeMap<>(places);
        found.values().removeIf(event -> event.kind().isOfGrace() != grace);
        return found;
    }

    /** What the register must hold. */
    Sha256 register() {
        return register;
    }

    /** Whether the last event of the place puts this release there, for whatever reason. */
    boolean names(ModelEvent actual) {
        ModelEvent last = places.get(actual.place());
        return last != null && last.as(actual.kind()).equals(actual);
    }

    /** Whether the log names another tokenizer of the same release, or one where now nobody says it: bytes have but one. */
    boolean contradicts(ModelEvent actual) {
        Sha256 said = tokenizers.get(actual.slot());
        return said != null && !actual.tokenizer().equals(Optional.of(said));
    }

    /** Why the log does not take {@code event}; empty where it does. */
    Optional<String> refusal(ModelEvent event, LoggedEvent.Cause cause) {
        if (!places.containsKey(event.place())) {
            boolean grace = event.kind().isOfGrace();
            int most = grace ? EventLog.MAX_GRACED : EventLog.MAX_NAMED;
            if (of(grace).size() >= most) {
                return Optional.of(
                        "the event log names " + most + (grace ? " releases in their grace" : " models") + " already");
            }
        }
        return refusal(LoggedEvent.of(event, cause));
    }

    Optional<String> refusal(LoggedEvent event) {
        return quota.refusal(event);
    }

    /** Whether the last start of an agent is this event. */
    boolean startedAs(Binary content) {
        return lastStart.filter(content::equals).isPresent();
    }
}
