package dev.holdfast.trust.client;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;

/**
 * Numbers of the Director's orders that this device has seen, for each name that it had: a fleet numbers the orders of each name by
 * itself, so what was ordered of one name says nothing of another. A name comes from the device's own configuration, and an order
 * that names another one is refused before its number is looked at; so whoever controls the network cannot choose which number an
 * order is compared with.
 *
 * @param names the one that was raised last at the end; at most {@value #MAX_NAMES}
 * @param unnamed what a record of formats 1 and 2 knew, which did not say of which name: binds every name until an order is accepted,
 *     whose name it then was; 0 where there is none
 */
record OrdersSeen(List<Named> names, long unnamed) {
    static final OrdersSeen NONE = new OrdersSeen(List.of(), 0);
    /** More than a device is ever given. Beyond it, the name that was not used for the longest time is forgotten. */
    static final int MAX_NAMES = 64;

    private static final String FIELD = "orders";
    private static final String UNNAMED_FIELD = "directorVersion";
    private static final int MAX_NAME_CHARS = 256;

    /** The highest number that an order for {@code device} had. */
    record Named(String device, long version) {}

    OrdersSeen {
        names = List.copyOf(names);
    }

    /** What binds the next order for {@code device}; 0 for nothing. */
    long of(String device) {
        return names.stream()
                .filter(one -> one.device.equals(device))
                .mapToLong(Named::version)
                .reduce(unnamed, Math::max);
    }

    /** Whether {@code version} for {@code device} is news. */
    boolean changesWith(String device, long version) {
        return unnamed > 0 || version > of(device);
    }

    /** After an accepted order; as it was where that is no news. */
    OrdersSeen with(String device, long version) {
        if (!changesWith(device, version)) {
            return this;
        }
        List<Named> next = new ArrayList<>(names);
        next.removeIf(one -> one.device.equals(device));
        next.add(new Named(device, Math.max(version, of(device))));
        return new OrdersSeen(next.subList(Math.max(0, next.size() - MAX_NAMES), next.size()), 0);
    }

    void into(ObjectNode record) {
        ArrayNode list = record.putArray(FIELD);
        names.forEach(one -> list.addObject().put("device", one.device).put("version", one.version));
        if (unnamed > 0) {
            record.put(UNNAMED_FIELD, unnamed);
        }
    }

    static OrdersSeen read(Fields record) throws RejectedException {
        List<Named> names = new ArrayList<>();
        if (record.has(FIELD)) {
            for (JsonNode one : record.array(FIELD, MAX_NAMES)) {
                Fields named = Fields.of(one, Code.UPD_FORMAT);
                names.add(new Named(named.text("device", MAX_NAME_CHARS), named.integer("version", 1)));
            }
        }
        return new OrdersSeen(names, record.has(UNNAMED_FIELD) ? record.integer(UNNAMED_FIELD, 0) : 0);
    }
}
