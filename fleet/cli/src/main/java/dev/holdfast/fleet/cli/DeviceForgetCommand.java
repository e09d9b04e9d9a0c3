package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.rollout.RolloutStore;
import java.io.PrintWriter;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Removes what the fleet knows of a device. */
@Command(
        name = "forget",
        footer = {"", "Example:", "  fleet devices forget cam-7"},
        description =
                "Removes a device's keys, wishes and reports; a device of that name enrols as a new one. Is audited.")
final class DeviceForgetCommand extends DeviceVerb {
    @Parameters(arity = "1..*", paramLabel = "DEVICE", description = "The devices' names.")
    List<String> devices = new ArrayList<>();

    @Override
    public Integer call() throws Exception {
        FleetDirectory directory = directory();
        PrintWriter out = out();
        for (String device : devices) {
            boolean enrolled = new DeviceRecords(directory).forget(device, Clock.systemUTC());
            if (RolloutStore.isThere(directory.root())) {
                try (RolloutStore store = RolloutStore.open(directory.root())) {
                    store.labels().forget(device);
                }
            }
            out.println("forgot " + device);
            if (enrolled) {
                out.println("  brokers accept its TLS certificate until it expires: take it out of their lists");
                out.println(
                        "  where it is there still, it enrols again if something lets it in; to keep it out: fleet devices reject");
            }
        }
        return 0;
    }
}
