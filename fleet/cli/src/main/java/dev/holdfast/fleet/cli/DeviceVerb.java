package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.AcceptedKeys;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.PendingDevices;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** What the verbs of {@code fleet devices} have in common. */
abstract class DeviceVerb implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @ParentCommand
    DevicesCommand listing = new DevicesCommand();

    @Option(names = "--dir", paramLabel = "DIR", description = "The fleet directory (default: that of fleet devices).")
    Optional<Path> dir = Optional.empty();

    /** Of a fleet that is there; {@code FLT-ABSENT}. */
    final FleetDirectory directory() throws IOException, RejectedException {
        FleetDirectory directory = dir.map(FleetDirectory::new).orElseGet(listing.in::directory);
        directory.config();
        return directory;
    }

    static AcceptedKeys keys(FleetDirectory directory) {
        return new AcceptedKeys(directory, Clock.systemUTC());
    }

    final PrintWriter out() {
        return spec.commandLine().getOut();
    }

    /** Who waits under a name; where several keys do, a person has to say which, {@code CFG-INVALID}. */
    static Optional<PendingDevices.Pending> waiting(FleetDirectory directory, String device, String verb)
            throws IOException, RejectedException {
        FleetDirectory.requireName(device);
        List<PendingDevices.Pending> found = new PendingDevices(directory)
                .list(Instant.now()).stream()
                        .filter(one -> one.device().equals(device))
                        .toList();
        if (found.size() > 1) {
            throw new RejectedException(
                    Code.CFG_INVALID,
                    found.size() + " keys wait for the name " + device + ": fleet devices " + verb + " " + device
                            + " --endorsement with the key that holdfast status on the device shows: "
                            + found.stream()
                                    .limit(3)
                                    .map(one -> one.endorsement().hex())
                                    .collect(Collectors.joining(", "))
                            + (found.size() > 3 ? ", ..." : ""));
        }
        return found.stream().findFirst();
    }
}
