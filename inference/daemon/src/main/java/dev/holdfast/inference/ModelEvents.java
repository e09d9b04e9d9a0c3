package dev.holdfast.inference;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Tells programs what happens to the models, as server-sent events: an index of vectors must not mix those of two versions. Whoever
 * begins to listen hears first what serves. Events are numbered, so that one who comes again hears what it missed, or from the beginning
 * where that is too long ago. A listener that takes nothing loses its connection; how many there are is bounded by the places for
 * connections. Thread-safe; nobody waits for a listener.
 */
final class ModelEvents {
    /** What happens. */
    enum Kind {
        /** It serves, told to one who begins to listen. */
        SERVING("serving"),
        /** Another version is loaded, and may serve soon. */
        ANNOUNCED("announced"),
        /** It will not serve. */
        WITHDRAWN("withdrawn"),
        /** It serves from now on, where another one did or none. */
        SWAPPED("swapped"),
        /** The same, and it is an older release than the one before. */
        ROLLED_BACK("rolled-back"),
        /** Nothing serves under this name any more. */
        RETIRED("retired"),
        /** It answers to its pinned name until a time, whichever version serves under the bare one. */
        GRACE("grace"),
        /** It does so no more. */
        GRACE_ENDED("grace-ended");

        private final String word;

        Kind(String word) {
            this.word = word;
        }
    }

    /**
     * What an event says beside what happened to which model.
     *
     * @param before the version that served until then
     * @param untilSeconds the end of its grace, in seconds since 1970
     * @param code why its grace ended before its time
     */
    record More(Optional<Slot> before, Optional<Long> untilSeconds, Optional<Code> code) {
        static final More NOTHING = new More(Optional.empty(), Optional.empty(), Optional.empty());

        static More before(Slot slot) {
            return new More(Optional.of(slot), Optional.empty(), Optional.empty());
        }

        static More until(long seconds) {
            return new More(Optional.empty(), Optional.of(seconds), Optional.empty());
        }

        static More because(Code code) {
            return new More(Optional.empty(), Optional.empty(), Optional.of(code));
        }
    }

    private static final int KEPT = 64;

    private record Event(long number, String name, ObjectNode body) {}

    private final Vertx vertx;
    private final Deque<Event> kept = new ArrayDeque<>();
    private final Set<EventStream> listeners = new LinkedHashSet<>();
    /** Numbers of two processes differ, so that nobody mistakes one for the other. */
    private final long first = System.currentTimeMillis() * 1000;

    private long next = first;

    ModelEvents(Vertx vertx) {
        this.vertx = vertx;
    }

    /** Something happened to a model. */
    void happened(Kind kind, Slot model, More more) {
        List<EventStream> lost = new ArrayList<>();
        synchronized (this) {
            Event event = new Event(next++, kind.word, body(kind, model, more));
            kept.addLast(event);
            if (kept.size() > KEPT) {
                kept.removeFirst();
            }
            for (EventStream listener : listeners) {
                if (!send(listener, event)) {
                    lost.add(listener);
                }
            }
            lost.forEach(listeners::remove);
        }
        lost.forEach(EventStream::cut);
    }

    /** {@code GET /v1/events}. */
    void listen(HttpServerRequest request, List<Slot> serving, List<Pointer.Grace> graced) {
        HttpServerResponse response = request.response();
        EventStream stream = new EventStream(vertx, response, RequestClock.Limits.QUIET);
        response.closeHandler(closed -> forget(stream));
        if (response.closed()) {
            return;
        }
        synchronized (this) {
            stream.open();
            long heard = number(request.getHeader("Last-Event-ID"));
            if (heard >= first && heard < next && (kept.isEmpty() || heard + 1 >= kept.getFirst().number)) {
                kept.stream().filter(event -> event.number > heard).forEach(event -> send(stream, event));
            } else {
                // It has the number of the last event before it, after which one who comes again goes on.
                serving.forEach(model -> send(stream, now(Kind.SERVING, model, More.NOTHING)));
                graced.forEach(each -> send(stream, now(Kind.GRACE, each.slot(), More.until(each.untilSeconds()))));
            }
            listeners.add(stream);
        }
    }

    /** What is, with the number of the last event before it. */
    private Event now(Kind kind, Slot model, More more) {
        return new Event(next - 1, kind.word, body(kind, model, more));
    }

    private synchronized void forget(EventStream stream) {
        listeners.remove(stream);
        stream.cut();
    }

    private static boolean send(EventStream listener, Event event) {
        return listener.offer(event.name, event.number, event.body);
    }

    private static ObjectNode body(Kind kind, Slot model, More more) {
        ObjectNode body = Json.object()
                .put("type", kind.word)
                .put("model", model.model())
                .put("version", model.version())
                .put("id", model.id())
                .put("system_fingerprint", model.fingerprint())
                .put("at", Instant.now().toString());
        more.before.ifPresent(old -> body.put("before", old.id()));
        more.untilSeconds.ifPresent(
                seconds -> body.put("until", Instant.ofEpochSecond(seconds).toString()));
        more.code.ifPresent(why -> body.put("holdfast", why.id()));
        return body;
    }

    private static long number(@Nullable String header) {
        try {
            return header == null ? -1 : Long.parseLong(header.trim());
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    synchronized int listeners() {
        return listeners.size();
    }
}
