package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What a verifier remembers of a device's evidence. It only rises, and only by evidence whose signatures, nonce and quote hold,
 * whatever else became of that evidence. So it does not matter in which order evidence is remembered.
 *
 * @param newest the newest moment of the device that was seen
 * @param seenAt the verifier's own time when it was seen in evidence; absent before the first, and in records of earlier versions
 * @param floors by model, the highest floor of the security epoch that was seen, of models that the device no longer runs, too
 */
public record DeviceMemory(DeviceTime newest, Optional<Instant> seenAt, SortedMap<String, Floor> floors) {
    /** Twice what a device keeps, which sets the bound. */
    public static final int MAX_FLOORS = 1024;

    /** Nothing was seen yet. */
    public static final DeviceMemory NONE = new DeviceMemory(DeviceTime.START, Optional.empty(), new TreeMap<>());

    /**
     * A floor of the security epoch.
     *
     * @param epoch the floor
     * @param since the earliest moment of the device at which it was seen to be so high
     */
    public record Floor(long epoch, DeviceTime since) {}

    public DeviceMemory {
        floors = Collections.unmodifiableSortedMap(new TreeMap<>(floors));
    }

    /** A device of which only its enrolment was seen. */
    static DeviceMemory enrolled(DeviceTime then) {
        return new DeviceMemory(then, Optional.empty(), new TreeMap<>());
    }

    /**
     * The memory after evidence.
     *
     * @param shown the floors in it, by model
     * @param at the verifier's time
     */
    DeviceMemory after(DeviceTime made, Map<String, Long> shown, Instant at) {
        SortedMap<String, Floor> kept = new TreeMap<>(floors);
        shown.forEach((model, epoch) -> {
            Floor known = kept.get(model);
            if (epoch > 0 && (known != null || kept.size() < MAX_FLOORS)) {
                boolean higher = known == null || epoch > known.epoch;
                boolean earlier = known != null && epoch == known.epoch && made.isBefore(known.since);
                if (higher || earlier) {
                    kept.put(model, new Floor(epoch, made));
                }
            }
        });
        return made.isBefore(newest)
                ? new DeviceMemory(newest, seenAt, kept)
                : new DeviceMemory(made, seenAt.filter(at::isBefore).or(() -> Optional.of(at)), kept);
    }

    /** In a few words, for people. */
    @Override
    public String toString() {
        if (equals(NONE)) {
            return "nothing seen before";
        }
        return newest
                + seenAt.map(at -> ", seen " + at).orElse("")
                + (floors.isEmpty()
                        ? ""
                        : "; epoch floors "
                                + floors.entrySet().stream()
                                        .map(floor -> floor.getKey() + " "
                                                + floor.getValue().epoch())
                                        .collect(Collectors.joining(", ")));
    }

    void into(ObjectNode json) {
        put(json, "last", newest);
        seenAt.ifPresent(at -> json.put("lastSeenAt", at.toString()));
        ObjectNode list = json.putObject("floors");
        floors.forEach((model, floor) -> {
            ObjectNode one = list.putObject(model).put("epoch", floor.epoch);
            put(one, "since", floor.since);
        });
    }

    /** Reads the fields of a record in any of its formats. */
    static DeviceMemory from(JsonNode json) throws RejectedException {
        SortedMap<String, Floor> floors = new TreeMap<>();
        JsonNode list = json.path("floors");
        if (!list.isMissingNode() && !list.isObject() || list.size() > MAX_FLOORS) {
            throw wrong("floors");
        }
        for (Map.Entry<String, JsonNode> entry : list.properties()) {
            if (!ModelName.isName(entry.getKey())) {
                throw wrong("floors");
            }
            floors.put(entry.getKey(), new Floor(number(entry.getValue(), "epoch"), time(entry.getValue(), "since")));
        }
        return new DeviceMemory(time(json, "last"), seenAt(json.path("lastSeenAt")), floors);
    }

    private static Optional<Instant> seenAt(JsonNode at) throws RejectedException {
        try {
            return at.isMissingNode() ? Optional.empty() : Optional.of(Instant.parse(at.asText()));
        } catch (DateTimeException e) {
            throw wrong("lastSeenAt");
        }
    }

    private static void put(ObjectNode json, String prefix, DeviceTime time) {
        json.put(prefix + "ResetCount", time.resetCount()).put(prefix + "ClockMillis", time.clockMillis());
    }

    private static DeviceTime time(JsonNode json, String prefix) throws RejectedException {
        return new DeviceTime(number(json, prefix + "ResetCount"), number(json, prefix + "ClockMillis"));
    }

    private static long number(JsonNode node, String name) throws RejectedException {
        JsonNode value = node.path(name);
        if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
            throw wrong(name);
        }
        return value.longValue();
    }

    private static RejectedException wrong(String name) {
        return new RejectedException(Code.WIRE_FIELD, name + " of an enrolled device");
    }
}
