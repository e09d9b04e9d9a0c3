package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.FleetRestore;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Makes a fleet, or brings one back from a backup. */
@Command(
        name = "init",
        description =
                "Makes the keys and the first metadata of a fleet; prints the factory root's path. The keys in DIR/keys"
                        + " sign for every device: keep a copy elsewhere, and nobody else's eyes on them.",
        footer = {
            "",
            "Examples:",
            "  fleet init --name cameras --broker mqtts://broker.example:8883",
            "  fleet init --dir /srv/cameras --name cameras --broker mqtt://127.0.0.1",
            "  fleet init --name cameras --broker mqtt://127.0.0.1 --offline-keys /media/keys",
            "  fleet init --dir /srv/cameras --resume-after /mnt/backup/cameras"
        })
final class InitCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec = CommandSpec.create();

    @Mixin
    FleetCommand.InDirectory in = new FleetCommand.InDirectory();

    @Option(
            names = "--name",
            paramLabel = "NAME",
            description = "The fleet's name, as in holdfast.toml of its devices.")
    String name = "";

    @Mixin
    BrokerOptions broker = new BrokerOptions();

    @Option(
            names = "--offline-keys",
            paramLabel = "DIR",
            description =
                    "Folder for the keys of root, targets and revocations, apart from the fleet's directory, such as a"
                            + " USB stick: fleet serve runs without them, and publish, withdraw and renew take it as --keys DIR"
                            + " (default: DIR/keys of the fleet's directory).")
    Optional<Path> offline = Optional.empty();

    @Mixin
    PassphraseOption passphrase = new PassphraseOption();

    @Option(
            names = "--no-passphrase",
            description = "With --offline-keys: do not encrypt them. Whoever reads the folder has them then.")
    boolean open;

    @Option(
            names = "--resume-after",
            paramLabel = "BACKUP",
            description = "Go on with a fleet from an older copy of its directory, which may be --dir itself. Director,"
                    + " timestamp and snapshot get fresh keys, and all orders are held; see fleet resume.")
    Optional<Path> backup = Optional.empty();

    @Option(
            names = "--root-keys",
            paramLabel = "DIR",
            description =
                    "With --resume-after: a directory with root-<kind>.pem, and with the keys of targets where they are not in"
                            + " the backup; may be repeated.")
    List<Path> rootKeys = new ArrayList<>();

    @Option(
            names = "--root",
            paramLabel = "FILE",
            description =
                    "With --resume-after: a root that was published after the backup, oldest first; devices have it as"
                            + " trust/N.root.json.")
    List<Path> roots = new ArrayList<>();

    @Override
    public Integer call() throws Exception {
        if (backup.isPresent()) {
            return resume(backup.get());
        }
        if (name.isEmpty() || broker.address.isEmpty() || !rootKeys.isEmpty() || !roots.isEmpty()) {
            throw usage("fleet init --name NAME --broker URI, or --resume-after BACKUP");
        }
        FleetDirectory.Config config = new FleetDirectory.Config(name, "");
        FleetDirectory.Config named = config.with(broker.over(config.broker()));
        FleetRepository repository =
                new FleetRepository(in.directory(), offline.stream().toList(), passphrase, Clock.systemUTC());
        Optional<char[]> chosen = offline.isEmpty() || open ? Optional.empty() : Optional.of(passphrase.choose());
        spec.commandLine()
                .getOut()
                .println(repository.init(named, offline.orElse(in.directory().keys()), chosen));
        return 0;
    }

    private ParameterException usage(String expected) {
        return new ParameterException(spec.commandLine(), expected);
    }

    private int resume(Path from) throws Exception {
        if (!name.isEmpty() || !broker.isEmpty() || offline.isPresent()) {
            throw usage("name and broker come from the backup; see fleet settings afterwards where they changed");
        }
        FleetRepository repository = new FleetRepository(in.directory(), rootKeys, passphrase, Clock.systemUTC());
        FleetRestore.Begun begun = new FleetRestore(repository, Clock.systemUTC()).begin(from, roots, rootKeys);
        PrintWriter out = spec.commandLine().getOut();
        out.println("orders are held: " + begun.held().size());
        if (begun.root().isPresent()) {
            out.println("root " + begun.root().get() + " gives Director, timestamp and snapshot fresh keys");
            out.println("now: fleet serve, until devices are online; then fleet resume");
            return 0;
        }
        out.println("the root needs more signatures; on each holder's machine: fleet root sign --keys DIR "
                + begun.draft().getFileName());
        out.println("then: fleet root publish " + begun.draft() + "; fleet serve; fleet resume");
        return 1;
    }
}
