package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.FleetRepository;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A fleet directory, and where keys are that its service does not have. */
final class OfflineKeys {
    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Option(
            names = "--keys",
            paramLabel = "DIR",
            description = "Folder with keys that are kept apart from the fleet's directory, such as a USB stick;"
                    + " repeatable.")
    List<Path> folders = new ArrayList<>();

    @Mixin
    PassphraseOption passphrase = new PassphraseOption();

    FleetRepository repository() {
        return new FleetRepository(in.directory(), folders, passphrase, Clock.systemUTC());
    }
}
