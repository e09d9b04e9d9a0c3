package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.AcceptedKeys;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.KeyLine;
import dev.holdfast.fleet.PendingDevices;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Accepts many keys before their devices come. */
@Command(
        name = "import",
        footer = {
            "",
            "Examples:",
            "  fleet devices import keys.csv",
            "",
            "A line of the file: the key, the name, and what its TPM is; the last two may be left out.",
            "  endorsement,name,grants",
            "  3f9c...64 digits...,cam-7,hardware",
            "  81aa...64 digits...,,"
        },
        description = {
            "Accepts the endorsement keys of a list, all or none: each is let in when it comes, under its name where one is"
                    + " given. A key that was rejected stays so. Is audited.",
            "A line that is wrong is shown with its number, and then nothing is imported."
        })
final class DeviceImportCommand extends DeviceVerb {
    @Parameters(paramLabel = "FILE.csv", description = "The list.")
    Path file = Path.of("");

    @Option(names = "--no-hint", description = "Send no hint to those that wait: they ask by themselves.")
    boolean noHint;

    @Override
    public Integer call() throws Exception {
        FleetDirectory directory = directory();
        KeyLine.Listing listing = KeyLine.parse(KeyLine.bytes(file));
        if (!listing.problems().isEmpty()) {
            var err = spec.commandLine().getErr();
            listing.problems()
                    .forEach(one ->
                            err.println(file + ":" + one.line() + ": " + Code.CFG_INVALID.id() + ": " + one.what()));
            throw new RejectedException(Code.CFG_INVALID, file + ": nothing was imported; correct the lines above");
        }
        AcceptedKeys.Decided decided = keys(directory).take(listing.lines(), String.valueOf(file.getFileName()));
        out().println("keys in the list: " + listing.lines().size() + "; new or changed: " + decided.changed()
                + (decided.rejected() == 0 ? "" : "; stay rejected: " + decided.rejected()));
        PendingDevices pending = new PendingDevices(directory);
        List<String> hinted = new ArrayList<>();
        for (KeyLine line : listing.lines()) {
            pending.find(line.endorsement()).ifPresent(one -> hinted.add(one.device()));
        }
        if (!noHint) {
            OrderHint.wake(directory.config(), hinted, spec.commandLine().getErr());
        }
        return 0;
    }
}
