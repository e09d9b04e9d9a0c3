package dev.holdfast.updater;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.ByteArrayOutputStream;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.zip.CRC32C;

/** A line of the journal as it is written; {@link InstallJournal} reads it. */
final class JournalLine {
    private static final int PREV_CHARS = 16;

    private JournalLine() {}

    /** @param full whether the slot was not named in full before */
    static ObjectNode body(InstallRecord record, boolean full) {
        ObjectNode body = begin(record.sequence(), record.at())
                .put("order", record.orderVersion())
                .put("state", record.state().name())
                .put("id", record.slot().slotId().hex());
        if (full) {
            body.set("slot", record.slot().toJson());
        }
        record.reason().ifPresent(why -> body.put("code", why.code().id()).put("detail", why.detail()));
        if (!record.note().isEmpty()) {
            body.put("note", record.note());
        }
        record.trial().ifPresent(log -> body.set("trial", log.toJson()));
        return body;
    }

    static ObjectNode body(OperatorRecord record) {
        ObjectNode body = begin(record.sequence(), record.at())
                .put("operator", record.action().name());
        if (!record.reason().isEmpty()) {
            body.put("note", record.reason());
        }
        return body;
    }

    private static ObjectNode begin(long sequence, Instant at) {
        return Json.object().put("n", sequence).put("at", at.toEpochMilli());
    }

    /** The line without its end. */
    static byte[] line(ObjectNode body, String previous) {
        body.put("prev", previous);
        body.put("crc", crc(Json.write(body)));
        return Json.write(body);
    }

    static byte[] ended(byte[] line) {
        byte[] ended = Arrays.copyOf(line, line.length + 1);
        ended[line.length] = '\n';
        return ended;
    }

    /**
     * A whole journal.
     *
     * @param previous link to its last line
     */
    record Written(byte[] bytes, String previous) {}

    /** These records in the order of their numbers, the first of which follows nothing. */
    static Written all(List<InstallRecord> records, List<OperatorRecord> operator) {
        SortedMap<Long, ObjectNode> bodies = new TreeMap<>();
        Set<dev.holdfast.control.Slot> named = new HashSet<>();
        records.forEach(record -> bodies.put(record.sequence(), body(record, named.add(record.slot()))));
        operator.forEach(record -> bodies.put(record.sequence(), body(record)));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        String previous = "";
        for (ObjectNode body : bodies.values()) {
            byte[] line = line(body, previous);
            bytes.writeBytes(ended(line));
            previous = link(line);
        }
        return new Written(bytes.toByteArray(), previous);
    }

    /** What the next line names the line by. */
    static String link(byte[] line) {
        return Sha256.of(line).hex().substring(0, PREV_CHARS);
    }

    static long crc(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return crc.getValue();
    }
}
