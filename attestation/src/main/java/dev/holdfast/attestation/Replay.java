package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** The events of one boot, and what they lead to. Not thread-safe. */
final class Replay {
    private final List<Binary> contents = new ArrayList<>();
    private final SortedMap<String, ModelEvent> models = new TreeMap<>();
    private Sha256 register = Event.ZERO;
    private Optional<Binary> lastStart = Optional.empty();

    void add(Binary content) {
        contents.add(content);
        register = Event.extend(register, Event.digest(content));
        switch (Event.parse(content)) {
            case Verdict.Accepted<Event>(Event.Model(ModelEvent event)) -> event.applyTo(models);
            case Verdict.Accepted<Event>(Event.AgentStart _) -> lastStart = Optional.of(content);
            case Verdict.Rejected<Event> _ -> {} // It was extended, so it stays; a verifier refuses it.
        }
    }

    void clear() {
        contents.clear();
        models.clear();
        register = Event.ZERO;
        lastStart = Optional.empty();
    }

    List<Binary> contents() {
        return Collections.unmodifiableList(contents);
    }

    /** The last event of each model that is not retired. */
    SortedMap<String, ModelEvent> models() {
        return Collections.unmodifiableSortedMap(models);
    }

    /** What the register must hold. */
    Sha256 register() {
        return register;
    }

    /** Whether the last start of an agent is this event. */
    boolean startedAs(Binary content) {
        return lastStart.filter(content::equals).isPresent();
    }
}
