package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.KeyLine;
import dev.holdfast.fleet.PendingDevices;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Keeps devices out. */
@Command(
        name = "reject",
        footer = {"", "Examples:", "  fleet devices reject cam-7", "  fleet devices reject --all"},
        description = {
            "Keeps keys out, whatever vouches for them, until they are accepted. Is audited.",
            "A device that is enrolled gets no certificate any more: fleet devices forget takes it out at once."
        })
final class DeviceRejectCommand extends DeviceVerb {
    @Parameters(arity = "0..*", paramLabel = "DEVICE", description = "Names of devices that wait or are enrolled.")
    List<String> devices = new ArrayList<>();

    @Option(names = "--endorsement", paramLabel = "HEX", description = "One device by its key.")
    Optional<String> endorsement = Optional.empty();

    @Option(
            names = "--all",
            description =
                    "Empties the list of those that wait, without remembering them: who is there still asks again.")
    boolean all;

    @Override
    public Integer call() throws Exception {
        if ((all ? 1 : 0) + (endorsement.isPresent() || !devices.isEmpty() ? 1 : 0) != 1
                || endorsement.isPresent() && devices.size() > 1) {
            throw new ParameterException(
                    spec.commandLine(),
                    "fleet devices reject DEVICE..., fleet devices reject --endorsement HEX, or fleet devices reject --all");
        }
        FleetDirectory directory = directory();
        if (all) {
            out().println("no longer listed: " + new PendingDevices(directory).clear());
            return 0;
        }
        if (endorsement.isPresent()) {
            reject(directory, KeyLine.key(endorsement.get()), devices.stream().findFirst());
            return 0;
        }
        for (String device : devices) {
            Optional<PendingDevices.Pending> waits = waiting(directory, device, "reject");
            if (waits.isEmpty() && !directory.isEnrolled(device)) {
                throw new RejectedException(
                        Code.FLT_ABSENT, "no device " + device + " waits or is enrolled; see fleet devices pending");
            }
            reject(
                    directory,
                    waits.isPresent()
                            ? waits.get().endorsement()
                            : new DeviceRecords(directory).read(device).endorsement(),
                    Optional.of(device));
        }
        return 0;
    }

    private void reject(FleetDirectory directory, Sha256 key, Optional<String> device)
            throws IOException, RejectedException {
        keys(directory).decide(new KeyLine(key, device, Optional.empty(), true), "reject");
        new PendingDevices(directory).remove(key);
        out().println("rejected " + device.map(name -> name + ", ").orElse("") + "key " + key);
        if (device.filter(directory::isEnrolled).isPresent()) {
            out().println("  it is enrolled still: fleet devices forget " + device.get());
        }
    }
}
