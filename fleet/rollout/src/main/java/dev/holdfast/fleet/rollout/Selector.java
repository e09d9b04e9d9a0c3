package dev.holdfast.fleet.rollout;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.link.Topics;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Which devices belong to a ring. */
public sealed interface Selector {
    /** Of a name or a value of a label. */
    int MAX_LABEL_CHARS = 64;
    /** Of a ring that names its devices, and labels of a device. */
    int MAX_DEVICES = 10_000;

    int MAX_LABELS = 32;
    /** In 1/100 of a percent. */
    int ALL = 10_000;

    /** Whether the device belongs to it; {@code rollout} is what a hash is salted with, so that the first ones are not always the same. */
    boolean takes(String rollout, String device, Map<String, String> labels);

    void into(ObjectNode ring);

    /**
     * A share of all devices, by a hash of rollout and device: a device that comes later belongs to a ring as all others do.
     *
     * @param hundredths of a percent, 1 to {@value #ALL}; shares of later rings include those of earlier ones
     */
    record Percent(int hundredths) implements Selector {
        @Override
        public boolean takes(String rollout, String device, Map<String, String> labels) {
            byte[] hash = Sha256.of((rollout + "\n" + device).getBytes(StandardCharsets.UTF_8))
                    .toArray();
            return Long.remainderUnsigned(ByteBuffer.wrap(hash).getLong(), ALL) < hundredths;
        }

        @Override
        public void into(ObjectNode ring) {
            ring.put("percent", hundredths / 100.0);
        }

        @Override
        public String toString() {
            return hundredths % 100 == 0
                    ? hundredths / 100 + " %"
                    : String.format(Locale.ROOT, "%.2f %%", hundredths / 100.0);
        }
    }

    /** Devices that have all of these labels. */
    record Labels(SortedMap<String, String> wanted) implements Selector {
        public Labels {
            wanted = new TreeMap<>(wanted);
        }

        @Override
        public boolean takes(String rollout, String device, Map<String, String> labels) {
            return labels.entrySet().containsAll(wanted.entrySet());
        }

        @Override
        public void into(ObjectNode ring) {
            ObjectNode named = ring.putObject("labels");
            wanted.forEach(named::put);
        }

        @Override
        public String toString() {
            return wanted.entrySet().stream()
                    .map(one -> one.getKey() + "=" + one.getValue())
                    .collect(Collectors.joining(", "));
        }
    }

    /** These devices. */
    record Named(SortedSet<String> devices) implements Selector {
        public Named {
            devices = new TreeSet<>(devices);
        }

        @Override
        public boolean takes(String rollout, String device, Map<String, String> labels) {
            return devices.contains(device);
        }

        @Override
        public void into(ObjectNode ring) {
            ArrayNode list = ring.putArray("devices");
            devices.forEach(list::add);
        }

        @Override
        public String toString() {
            return devices.size() == 1 ? devices.first() : devices.size() + " devices by name";
        }
    }

    /** Of the object of a ring, which has exactly one of {@code percent}, {@code labels} and {@code devices}. */
    static Selector read(Fields ring) throws RejectedException {
        int ways = (ring.has("percent") ? 1 : 0) + (ring.has("labels") ? 1 : 0) + (ring.has("devices") ? 1 : 0);
        if (ways != 1) {
            throw new RejectedException(
                    Code.CFG_INVALID, ring.path() + " needs one of percent, labels and devices, and no other of them");
        }
        if (ring.has("percent")) {
            return new Percent((int) Math.round(ring.numberOr("percent", 0.01, 100, 0) * 100));
        }
        if (ring.has("labels")) {
            SortedMap<String, String> wanted = new TreeMap<>();
            Fields named = ring.object("labels");
            for (Iterator<String> names = named.node().fieldNames(); names.hasNext(); ) {
                String name = names.next();
                wanted.put(name, named.text(name, MAX_LABEL_CHARS));
                if (!isLabel(name) || !isLabel(wanted.get(name)) || wanted.size() > MAX_LABELS) {
                    throw ring.wrong("labels", "at most " + MAX_LABELS + " labels such as site=berlin");
                }
            }
            if (wanted.isEmpty()) {
                throw ring.wrong("labels", "one label at least");
            }
            return new Labels(wanted);
        }
        SortedSet<String> devices = new TreeSet<>();
        for (JsonNode one : new ArrayList<>(ring.array("devices", MAX_DEVICES))) {
            if (!one.isTextual() || !Topics.isName(one.textValue())) {
                throw ring.wrong("devices", "names of devices");
            }
            devices.add(one.textValue());
        }
        if (devices.isEmpty()) {
            throw ring.wrong("devices", "one device at least");
        }
        return new Named(devices);
    }

    /** Letters, digits, '.', '_', '-' and '/', from 1 to {@value #MAX_LABEL_CHARS} of them. */
    static boolean isLabel(String text) {
        return text.matches("[A-Za-z0-9._/-]{1," + MAX_LABEL_CHARS + "}");
    }
}
