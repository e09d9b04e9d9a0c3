package dev.holdfast.trust.client;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.Collections;
import java.util.Iterator;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What this device has seen: the floor for every later refresh and install. Versions are 0 where nothing was seen.
 *
 * @param sequence number of the record
 * @param generation what the TEE's counter said when versions or floors changed last
 * @param root the last root of the chain
 * @param seen versions of the other metadata
 * @param trustedTime lower bound of the time, in seconds since 1970, raised by authenticated statements only
 * @param floors lowest security epoch that is accepted of each model, by its name; absent for 0
 */
record TrustState(
        long sequence, long generation, Root root, Seen seen, long trustedTime, SortedMap<String, Long> floors) {
    /** Models whose floors are kept: more than a device ever runs. */
    static final int MAX_FLOORS = 512;

    private static final int FORMAT = 2;

    /** A root by version and hash. */
    record Root(long version, Sha256 hash) {}

    /** Versions of the timestamp, the snapshot that it names, the targets that this one names, and the Director's last order. */
    record Seen(long timestamp, long snapshot, long targets, long director) {
        private static final Seen NOTHING = new Seen(0, 0, 0, 0);
    }

    TrustState {
        floors = Collections.unmodifiableSortedMap(new TreeMap<>(floors));
    }

    static TrustState first(long rootVersion, Sha256 rootHash) {
        return new TrustState(0, 0, new Root(rootVersion, rootHash), Seen.NOTHING, 0, new TreeMap<>());
    }

    TrustState root(long version, Sha256 hash) {
        return new TrustState(sequence, generation, new Root(version, hash), seen, trustedTime, floors);
    }

    TrustState image(long timestamp, long snapshot, long targets) {
        Seen image = new Seen(timestamp, snapshot, targets, seen.director);
        return new TrustState(sequence, generation, root, image, trustedTime, floors);
    }

    TrustState director(long version, long time) {
        Seen ordered = new Seen(seen.timestamp, seen.snapshot, seen.targets, version);
        return new TrustState(sequence, generation, root, ordered, Math.max(trustedTime, time), floors);
    }

    TrustState numbered(long number, long counted) {
        return new TrustState(number, counted, root, seen, trustedTime, floors);
    }

    /** A floor never falls. */
    TrustState floor(String model, long epoch) {
        SortedMap<String, Long> raised = new TreeMap<>(floors);
        raised.merge(model, epoch, Math::max);
        return new TrustState(sequence, generation, root, seen, trustedTime, raised);
    }

    long floor(String model) {
        return floors.getOrDefault(model, 0L);
    }

    /** Whether {@code other} knows of other versions or floors than this one; a timestamp alone, or the time, does not count. */
    boolean differsFrom(TrustState other) {
        return root.version != other.root.version
                || seen.snapshot != other.seen.snapshot
                || seen.targets != other.seen.targets
                || seen.director != other.seen.director
                || !floors.equals(other.floors);
    }

    ObjectNode toJson() {
        ObjectNode json = Json.object()
                .put("format", FORMAT)
                .put("sequence", sequence)
                .put("generation", generation)
                .put("rootVersion", root.version)
                .put("rootHash", root.hash.hex())
                .put("timestampVersion", seen.timestamp)
                .put("snapshotVersion", seen.snapshot)
                .put("targetsVersion", seen.targets)
                .put("directorVersion", seen.director)
                .put("trustedTime", trustedTime);
        ObjectNode named = json.putObject("floors");
        floors.forEach(named::put);
        return json;
    }

    static TrustState fromJson(Fields fields) throws RejectedException {
        fields.integer("format", 1, FORMAT);
        SortedMap<String, Long> floors = new TreeMap<>();
        if (fields.has("floors")) {
            Fields named = fields.object("floors");
            for (Iterator<String> names = named.node().fieldNames(); names.hasNext(); ) {
                String name = names.next();
                floors.put(name, named.integer(name, 0));
            }
        }
        return new TrustState(
                fields.integer("sequence", 0),
                fields.integer("generation", 0),
                new Root(fields.integer("rootVersion", 1), fields.sha256("rootHash")),
                new Seen(
                        fields.integer("timestampVersion", 0),
                        fields.integer("snapshotVersion", 0),
                        fields.integer("targetsVersion", 0),
                        fields.integer("directorVersion", 0)),
                fields.integer("trustedTime", 0),
                floors);
    }
}
