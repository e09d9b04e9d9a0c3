package dev.holdfast.control;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads server-sent events as their bytes come (WHATWG HTML, section 9.2): a JSON object in the {@code data} line of each, and
 * {@code [DONE]} at the end. Lines of other fields and comments are passed over. Events of several data lines are not spoken here.
 * Belongs to one thread.
 */
final class EventReader {
    /** A piece of an answer has a few hundred bytes; an error has its detail. */
    static final int MAX_EVENT_BYTES = 64 * 1024;

    private static final String DATA = "data:";
    private static final String END = "[DONE]";

    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private boolean done;

    /** Whether the answer said that it is whole. */
    boolean isDone() {
        return done;
    }

    /** The events that are complete with these bytes. */
    List<JsonNode> read(byte[] bytes) throws RejectedException {
        List<JsonNode> events = new ArrayList<>();
        for (byte value : bytes) {
            if (done) {
                break;
            }
            if (value != '\n') {
                if (line.size() == MAX_EVENT_BYTES) {
                    throw new RejectedException(
                            Code.WIRE_TOO_LARGE, "an event is longer than " + MAX_EVENT_BYTES + " bytes");
                }
                line.write(value);
                continue;
            }
            String text = line.toString(StandardCharsets.UTF_8);
            line.reset();
            if (text.startsWith(DATA)) {
                String data = text.substring(DATA.length()).strip();
                if (data.equals(END)) {
                    done = true;
                } else {
                    events.add(Json.readObject(data.getBytes(StandardCharsets.UTF_8), MAX_EVENT_BYTES)
                            .orThrow());
                }
            }
        }
        return events;
    }
}
