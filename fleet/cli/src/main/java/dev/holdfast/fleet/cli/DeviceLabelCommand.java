package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.rollout.RolloutStore;
import dev.holdfast.fleet.rollout.Rollouts;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Labels by which rings of a rollout take devices. */
@Command(
        name = "label",
        footer = {
            "",
            "Examples:",
            "  fleet devices label cam-7 site=berlin ring=canary",
            "  fleet devices label cam-7 ring=",
            "  fleet devices label cam-7"
        },
        description = "Gives a device labels, takes those without a value, and shows what it has then.")
final class DeviceLabelCommand extends DeviceVerb {
    @Parameters(index = "0", paramLabel = "DEVICE", description = "The device's name.")
    String device = "";

    @Parameters(index = "1..*", arity = "0..*", paramLabel = "NAME=VALUE", description = "A label; NAME= takes it.")
    List<String> labels = new ArrayList<>();

    @Override
    public Integer call() throws Exception {
        FleetDirectory directory = directory();
        try (RolloutStore store = RolloutStore.open(directory.root())) {
            Rollouts rollouts = RolloutCommand.rollouts(directory, store);
            for (String label : labels) {
                int equals = label.indexOf('=');
                if (equals < 1) {
                    throw new RejectedException(Code.CFG_INVALID, "a label is NAME=VALUE, such as site=berlin");
                }
                String value = label.substring(equals + 1);
                rollouts.label(
                        device, label.substring(0, equals), value.isEmpty() ? Optional.empty() : Optional.of(value));
            }
            SortedMap<String, String> now = store.labels().of(device);
            out().println(now.isEmpty() ? device + " has no label" : device);
            for (Map.Entry<String, String> one : now.entrySet()) {
                out().println("  " + one.getKey() + "=" + one.getValue());
            }
        }
        return 0;
    }
}
