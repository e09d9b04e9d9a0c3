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
 * What this device has seen under one factory root: the floor for every later refresh and install. Versions are 0 where nothing was
 * seen.
 *
 * @param sequence number of the record
 * @param count what the TEE's counter said when versions or floors changed last
 * @param anchor hash of the factory root: under another one, nothing of this counts
 * @param root the last root of the chain
 * @param seen versions of the Image repository's metadata
 * @param orders numbers of the Director's orders, for each name that the device had
 * @param trustedTime lower bound of the time, in seconds since 1970, raised by authenticated statements only
 * @param floors lowest security epoch that is accepted of each model, by its name; absent for 0
 * @param withdrawn what no order may bring back
 */
record TrustState(
        long sequence,
        Count count,
        Sha256 anchor,
        Root root,
        Seen seen,
        OrdersSeen orders,
        long trustedTime,
        SortedMap<String, Long> floors,
        Withdrawn withdrawn) {
    /** Models whose floors are kept: more than a device ever runs. */
    static final int MAX_FLOORS = 512;

    private static final int FORMAT = 3;
    private static final String COUNTER_FIELD = "counter";
    private static final int MAX_COUNTER_CHARS = 128;

    /** In the place of a counter's identity, which is hexadecimal or nothing. */
    private static final String RENEWING = "renewing";

    /**
     * A generation.
     *
     * @param counter which counter it is of, {@link dev.holdfast.tee.MonotonicCounter#identity}
     */
    record Count(long generation, String counter) {
        static final Count NONE = new Count(0, "");

        /** Whether a person is having a new counter made for this record. */
        boolean isRenewing() {
            return counter.equals(RENEWING);
        }

        Count renewing() {
            return new Count(generation, RENEWING);
        }
    }

    /** A root by version and hash. */
    record Root(long version, Sha256 hash) {}

    /** Versions of the timestamp, the snapshot that it names, and the targets that this one names. */
    record Seen(long timestamp, long snapshot, long targets) {
        private static final Seen NOTHING = new Seen(0, 0, 0);
    }

    TrustState {
        floors = Collections.unmodifiableSortedMap(new TreeMap<>(floors));
    }

    /** A device that has seen its factory root, which is the first of the chain, and nothing else. */
    static TrustState first(long rootVersion, Sha256 rootHash) {
        return new TrustState(
                0,
                Count.NONE,
                rootHash,
                new Root(rootVersion, rootHash),
                Seen.NOTHING,
                OrdersSeen.NONE,
                0,
                new TreeMap<>(),
                Withdrawn.NOTHING);
    }

    TrustState root(long version, Sha256 hash) {
        return new TrustState(
                sequence, count, anchor, new Root(version, hash), seen, orders, trustedTime, floors, withdrawn);
    }

    TrustState image(long timestamp, long snapshot, long targets) {
        Seen image = new Seen(timestamp, snapshot, targets);
        return new TrustState(sequence, count, anchor, root, image, orders, trustedTime, floors, withdrawn);
    }

    /** After an order that was signed at {@code time}, in seconds since 1970, or later. */
    TrustState ordered(String device, long version, long time) {
        return new TrustState(
                sequence,
                count,
                anchor,
                root,
                seen,
                orders.with(device, version),
                Math.max(trustedTime, time),
                floors,
                withdrawn);
    }

    /** The Director has other keys: what the old ones signed verifies no more, so no number of theirs binds. */
    TrustState withoutOrders() {
        return new TrustState(sequence, count, anchor, root, seen, OrdersSeen.NONE, trustedTime, floors, withdrawn);
    }

    long generation() {
        return count.generation;
    }

    /** The same of the counter's next generation. */
    TrustState numbered(long number, long generation) {
        return numbered(number, new Count(generation, count.counter));
    }

    TrustState numbered(long number, Count counted) {
        return new TrustState(number, counted, anchor, root, seen, orders, trustedTime, floors, withdrawn);
    }

    /** What was withdrawn stays so. */
    TrustState withdrawn(Withdrawn more) {
        return new TrustState(sequence, count, anchor, root, seen, orders, trustedTime, floors, more);
    }

    /** A floor never falls. */
    TrustState floor(String model, long epoch) {
        SortedMap<String, Long> raised = new TreeMap<>(floors);
        raised.merge(model, epoch, Math::max);
        return new TrustState(sequence, count, anchor, root, seen, orders, trustedTime, raised, withdrawn);
    }

    long floor(String model) {
        return floors.getOrDefault(model, 0L);
    }

    /** Whether nothing was seen but {@code first}. */
    boolean isFirst(TrustState first) {
        return numbered(first.sequence, first.count).equals(first);
    }

    /** Whether {@code other} knows of other versions or floors than this one; a timestamp alone, or the time, does not count. */
    boolean differsFrom(TrustState other) {
        return !anchor.equals(other.anchor)
                || root.version != other.root.version
                || seen.snapshot != other.seen.snapshot
                || seen.targets != other.seen.targets
                || !orders.equals(other.orders)
                || !floors.equals(other.floors)
                || !withdrawn.equals(other.withdrawn);
    }

    ObjectNode toJson() {
        ObjectNode json = Json.object()
                .put("format", FORMAT)
                .put("sequence", sequence)
                .put("generation", count.generation)
                .put("anchor", anchor.hex())
                .put("rootVersion", root.version)
                .put("rootHash", root.hash.hex())
                .put("timestampVersion", seen.timestamp)
                .put("snapshotVersion", seen.snapshot)
                .put("targetsVersion", seen.targets)
                .put("trustedTime", trustedTime);
        if (!count.counter.isEmpty()) {
            json.put(COUNTER_FIELD, count.counter);
        }
        orders.into(json);
        ObjectNode named = json.putObject("floors");
        floors.forEach(named::put);
        withdrawn.into(json);
        return json;
    }

    /** @param factory hash of the factory root, which records of formats 1 and 2 do not name */
    static TrustState fromJson(Fields fields, Sha256 factory) throws RejectedException {
        long format = fields.integer("format", 1, FORMAT);
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
                new Count(
                        fields.integer("generation", 0),
                        fields.has(COUNTER_FIELD) ? fields.text(COUNTER_FIELD, MAX_COUNTER_CHARS) : ""),
                format < FORMAT ? factory : fields.sha256("anchor"),
                new Root(fields.integer("rootVersion", 1), fields.sha256("rootHash")),
                new Seen(
                        fields.integer("timestampVersion", 0),
                        fields.integer("snapshotVersion", 0),
                        fields.integer("targetsVersion", 0)),
                OrdersSeen.read(fields),
                fields.integer("trustedTime", 0),
                floors,
                Withdrawn.read(fields));
    }
}
