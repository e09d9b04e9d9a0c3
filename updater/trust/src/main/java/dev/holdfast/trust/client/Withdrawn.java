package dev.holdfast.trust.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.schema.Revocations;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import java.util.Collections;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * What a device has seen withdrawn, in its signed record: so neither an older list nor one that nobody brings takes anything back.
 *
 * @param version of the newest list; 0 where there was none
 * @param paths of targets
 */
record Withdrawn(long version, SortedSet<String> paths) {
    static final Withdrawn NOTHING = new Withdrawn(0, Collections.emptySortedSet());
    private static final String FIELD = "withdrawn";
    private static final String VERSION = "version";
    private static final String PATHS = "paths";

    Withdrawn {
        paths = Collections.unmodifiableSortedSet(new TreeSet<>(paths));
    }

    /** After a list; it never says less than before. */
    Withdrawn with(Revocations list) {
        SortedSet<String> more = new TreeSet<>(paths);
        more.addAll(list.withdrawn().keySet());
        return new Withdrawn(Math.max(version, list.version()), more);
    }

    void into(ObjectNode record) {
        if (!equals(NOTHING)) {
            ObjectNode json = record.putObject(FIELD).put(VERSION, version);
            paths.forEach(json.putArray(PATHS)::add);
        }
    }

    static Withdrawn read(Fields record) throws RejectedException {
        if (!record.has(FIELD)) {
            return NOTHING;
        }
        Fields fields = record.object(FIELD);
        SortedSet<String> paths = new TreeSet<>();
        for (JsonNode path : fields.array(PATHS, Revocations.MAX_ENTRIES)) {
            if (!path.isTextual()) {
                throw new RejectedException(Code.UPD_FORMAT, "withdrawn paths are texts");
            }
            paths.add(path.textValue());
        }
        return new Withdrawn(fields.integer(VERSION, 0), paths);
    }
}
