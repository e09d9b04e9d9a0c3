package dev.holdfast.fleet.rollout;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** Labels of devices, by which rings take them. Thread-safe. */
public final class DeviceLabels {
    private final Database database;

    DeviceLabels(Database database) {
        this.database = database;
    }

    /** Of all devices that have some. */
    Map<String, SortedMap<String, String>> all() throws IOException, RejectedException {
        Map<String, SortedMap<String, String>> labels = new TreeMap<>();
        database.all(
                "select device, name, value from device_label",
                row -> labels.computeIfAbsent(row.text("device"), any -> new TreeMap<>())
                        .put(row.text("name"), row.text("value")));
        return labels;
    }

    /** Of one device; empty where it has none. */
    public SortedMap<String, String> of(String device) throws IOException, RejectedException {
        SortedMap<String, String> labels = new TreeMap<>();
        database.all(
                "select name, value from device_label where device = ?",
                row -> labels.put(row.text("name"), row.text("value")),
                device);
        return labels;
    }

    /** Gives a device a label, or takes it where there is no value; {@code CFG-INVALID} beyond {@value Selector#MAX_LABELS}. */
    void put(String device, String name, Optional<String> value) throws IOException, RejectedException {
        database.together(() -> {
            if (value.isEmpty()) {
                return database.update("delete from device_label where device = ? and name = ?", device, name);
            }
            int rows = database.update(
                    "insert into device_label (device, name, value) values (?, ?, ?)"
                            + " on conflict (device, name) do update set value = excluded.value",
                    device,
                    name,
                    value);
            if (of(device).size() > Selector.MAX_LABELS) {
                throw new RejectedException(
                        Code.CFG_INVALID, device + " would have more than " + Selector.MAX_LABELS + " labels");
            }
            return rows;
        });
    }

    /** A device of that name that comes later is another one. */
    public void forget(String device) throws IOException {
        database.update("delete from device_label where device = ?", device);
    }
}
