package dev.holdfast.fleet.cli;

import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.KeyLine;
import dev.holdfast.fleet.PendingDevices;
import dev.holdfast.tee.Assurance;
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

/** Lets devices in. */
@Command(
        name = "accept",
        footer = {
            "",
            "Examples:",
            "  fleet devices accept cam-7",
            "  fleet devices accept cam-7 --endorsement 3f9c... --grants firmware"
        },
        description = {
            "Lets devices in that wait, or one by its key before it comes. It gets its certificate with its next question. Is"
                    + " audited.",
            "It is granted what its maker's certificate says, else emulated: who accepts a name that he sees in a list has"
                    + " seen no TPM."
        })
final class DeviceAcceptCommand extends DeviceVerb {
    @Parameters(arity = "0..*", paramLabel = "DEVICE", description = "The devices' names.")
    List<String> devices = new ArrayList<>();

    @Option(
            names = "--endorsement",
            paramLabel = "HEX",
            description =
                    "The key of one device, as its holdfast status shows it: SHA-256 of its endorsement key. Without"
                            + " DEVICE the key may come under any name that is free.")
    Optional<String> endorsement = Optional.empty();

    @Option(
            names = "--grants",
            paramLabel = "RANK",
            description = "With --endorsement: what you know that its TPM is, hardware, firmware or emulated.")
    Optional<String> grants = Optional.empty();

    @Option(names = "--no-hint", description = "Send no hint: the devices ask by themselves, within ten minutes.")
    boolean noHint;

    @Override
    public Integer call() throws Exception {
        if (endorsement.isPresent() ? devices.size() > 1 : devices.isEmpty() || grants.isPresent()) {
            throw new ParameterException(
                    spec.commandLine(),
                    "fleet devices accept DEVICE..., or fleet devices accept [DEVICE] --endorsement HEX [--grants RANK]");
        }
        FleetDirectory directory = directory();
        List<String> hinted = new ArrayList<>();
        try {
            if (endorsement.isPresent()) {
                Optional<Assurance> rank =
                        grants.isPresent() ? Optional.of(EnrolmentPolicy.assurance(grants.get())) : Optional.empty();
                accept(
                        directory,
                        KeyLine.key(endorsement.get()),
                        devices.stream().findFirst(),
                        rank,
                        hinted);
            }
            for (String device : endorsement.isPresent() ? List.<String>of() : devices) {
                PendingDevices.Pending one = waiting(directory, device, "accept")
                        .orElseThrow(() -> new RejectedException(
                                Code.FLT_ABSENT, "no device " + device + " waits; see fleet devices pending"));
                accept(directory, one.endorsement(), Optional.of(device), Optional.empty(), hinted);
            }
        } finally {
            if (!noHint) {
                OrderHint.wake(directory.config(), hinted, spec.commandLine().getErr());
            }
        }
        return 0;
    }

    private void accept(
            FleetDirectory directory,
            Sha256 key,
            Optional<String> device,
            Optional<Assurance> rank,
            List<String> hinted)
            throws IOException, RejectedException {
        if (device.isPresent()) {
            FleetDirectory.requireName(device.get());
            if (directory.isEnrolled(device.get())
                    && !new DeviceRecords(directory)
                            .read(device.get())
                            .endorsement()
                            .equals(key)) {
                throw new RejectedException(
                        Code.CFG_INVALID,
                        device.get() + " is enrolled with another key; if its TPM was changed: fleet devices replace "
                                + device.get() + " --endorsement " + key);
            }
        }
        PendingDevices pending = new PendingDevices(directory);
        keys(directory).decide(new KeyLine(key, device, rank, false), "accept");
        pending.find(key).ifPresent(one -> hinted.add(one.device()));
        pending.remove(key);
        out().println("accepted " + device.map(name -> name + ", ").orElse("") + "key " + key
                + (hinted.isEmpty() ? "; it is let in when it comes" : ""));
    }
}
