package dev.holdfast.fleet.cli;

import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.Replacement;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Lets a device enrol once with other keys. */
@Command(
        name = "replace",
        description = {
            "Lets a device enrol once with other keys, since its TPM was cleared or its board changed. What is desired"
                    + " of it stays. Is audited.",
            "Without an option the new keys must be in the same TPM as the old ones: the case of a cleared TPM."
        },
        footer = {"", "Examples:", "  fleet devices replace cam-7", "  fleet devices replace cam-7 --any-key --hours 2"
        })
final class DeviceReplaceCommand extends DeviceVerb {
    @Parameters(paramLabel = "DEVICE", description = "The device's name.")
    String device = "";

    @Option(
            names = "--endorsement",
            paramLabel = "HEX",
            description = "For another board: SHA-256 of its endorsement key's TPMT_PUBLIC, as in enrolment.json.")
    Optional<String> endorsement = Optional.empty();

    @Option(names = "--any-key", description = "Whoever enrols first under the name; for devices without a TPM.")
    boolean anyKey;

    @Option(names = "--hours", paramLabel = "N", description = "How long it may do so (default: ${DEFAULT-VALUE}).")
    int hours = 24;

    @Override
    public Integer call() throws Exception {
        FleetDirectory directory = directory();
        FleetDirectory.requireName(device);
        if (anyKey && endorsement.isPresent() || hours < 1) {
            throw new ParameterException(
                    spec.commandLine(), "fleet devices replace DEVICE [--endorsement HEX | --any-key] [--hours N]");
        }
        DeviceRecords records = new DeviceRecords(directory);
        EnrolledDevice known = records.read(device);
        if (!anyKey && endorsement.isEmpty() && known.assurance() == Assurance.SOFTWARE) {
            throw new RejectedException(
                    Code.CFG_INVALID,
                    device + " has no TPM that would tell it from others: fleet devices replace " + device
                            + " --any-key");
        }
        Optional<Sha256> key = endorsement.isPresent()
                ? Optional.of(Sha256.fromHex(endorsement.get()).orThrow())
                : Optional.of(known.endorsement());
        Replacement replacement =
                records.replace(device, anyKey ? Optional.empty() : key, Duration.ofHours(hours), Clock.systemUTC());
        out().println(device + " may enrol with other keys until " + replacement.until()
                + "; now restart its agent, after holdfast provision --again where its TPM was cleared");
        return 0;
    }
}
