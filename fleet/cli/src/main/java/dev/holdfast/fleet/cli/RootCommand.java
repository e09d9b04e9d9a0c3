package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetKeys;
import dev.holdfast.fleet.RootFolder;
import dev.holdfast.fleet.SignedRole;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Table;
import dev.holdfast.terminal.Units;
import dev.holdfast.trust.signing.RootSigning;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The ceremony of the root: drafted on the fleet's machine, signed by each holder on theirs, checked and published here. */
@Command(name = "root", description = "Drafts, signs and publishes the next root; tells what expires.")
final class RootCommand {
    @Spec
    CommandSpec spec = CommandSpec.create();

    private PrintWriter out() {
        return spec.commandLine().getOut();
    }

    @Command(name = "draft", description = "Writes the next root, not signed yet; fresh keys for the roles named.")
    int draft(
            @Mixin FleetCommand.InDirectory in,
            @Option(
                            names = "--rotate",
                            paramLabel = "ROLE",
                            description = "Roles that get fresh keys; the old ones are revoked.")
                    List<FleetKeys> rotate,
            @Parameters(paramLabel = "FILE", description = "Where to write it.") Path file)
            throws Exception {
        RootFolder folder = new RootFolder(in.directory());
        FleetDirectory.replace(
                file,
                folder.draft(
                        rotate == null ? List.of() : rotate, Clock.systemUTC().instant()));
        out().println(file);
        return 0;
    }

    @Command(
            name = "sign",
            description = "Adds the signatures of the root keys that are in a directory. Needs no fleet directory.")
    int sign(
            @Option(
                            names = "--keys",
                            paramLabel = "DIR",
                            required = true,
                            description = "Directory with root-<kind>.pem; may be repeated.")
                    List<Path> directories,
            @Mixin PassphraseOption passphrase,
            @Parameters(paramLabel = "FILE", description = "The draft, changed in place.") Path file)
            throws Exception {
        List<SigningKey> keys = new ArrayList<>();
        for (Path directory : directories) {
            keys.addAll(FleetKeys.ROOT.loadPresent(directory, passphrase));
        }
        FleetDirectory.replace(file, RootSigning.add(Files.readAllBytes(file), keys));
        if (keys.isEmpty()) {
            throw new RejectedException(
                    Code.FLT_KEYS,
                    "no key of the role root, such as root-ed25519.pem, is in "
                            + directories.stream().map(Path::toString).collect(Collectors.joining(", ")));
        }
        keys.forEach(key -> out().println(key));
        return 0;
    }

    @Command(
            name = "publish",
            description = "Checks a signed root as devices will, and publishes it with fresh metadata.")
    int publish(@Mixin OfflineKeys keys, @Parameters(paramLabel = "FILE", description = "The signed draft.") Path file)
            throws Exception {
        long version = new RootFolder(keys.in.directory()).publish(Files.readAllBytes(file), keys.repository());
        out().println("root " + version + "; restart fleet serve where the Director's keys changed");
        return 0;
    }

    @Command(name = "status", description = "When each role expires. Exit code 1 where one does so within --days.")
    int status(
            @Mixin FleetCommand.InDirectory in,
            @Option(
                            names = "--days",
                            paramLabel = "N",
                            defaultValue = "3",
                            description = "Reminds this early (default: ${DEFAULT-VALUE}).")
                    int days)
            throws Exception {
        in.directory().config();
        Instant soon = Clock.systemUTC().instant().plus(Duration.ofDays(days));
        boolean late = false;
        Instant now = Instant.now();
        Table table = new Table("ROLE", "EXPIRES", "NOTE");
        for (Map.Entry<SignedRole, Instant> role : in.repository().expiries().entrySet()) {
            boolean due = role.getValue().isBefore(soon);
            late |= due;
            table.row(role.getKey().toString(), Units.time(role.getValue(), now), due ? "SIGN AGAIN" : "");
        }
        out().print(table.on(Program.output(spec)));
        out().flush();
        return late ? 1 : 0;
    }
}
