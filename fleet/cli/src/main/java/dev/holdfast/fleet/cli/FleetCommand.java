package dev.holdfast.fleet.cli;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.VerbGroups;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.CodedFailure;
import dev.holdfast.wire.ExitCode;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Clock;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The operator's command. It ends as {@link ExitCode} says; an error is a line {@code CODE: detail} on the error stream, and below it
 * what to do.
 */
@Command(
        name = "fleet",
        mixinStandardHelpOptions = true,
        scope = CommandLine.ScopeType.INHERIT,
        version = "Holdfast fleet 0.1.0",
        description = "Keys, publishing, service and verifier of a Holdfast fleet.",
        subcommands = {
            InitCommand.class,
            TemplateCommand.class,
            PublishCommand.class,
            WithdrawCommand.class,
            RenewCommand.class,
            StatusCommand.class,
            DesireCommand.class,
            RolloutCommand.class,
            BundleCommand.class,
            ServeCommand.class,
            SettingsCommand.class,
            AttestCommand.class,
            VerifyCommand.class,
            VerifierCommand.class,
            DevicesCommand.class,
            ResumeCommand.class,
            DeltaCommand.class,
            RootCommand.class,
            ImageCommand.class
        })
public final class FleetCommand {
    public static void main(String[] args) {
        System.exit(program().run(args));
    }

    /** Runs one command; for tests too. */
    public static int run(PrintWriter out, PrintWriter err, String... args) {
        Program program = program();
        program.commandLine().setOut(out).setErr(err);
        return program.execute(args);
    }

    /** The whole model of the command, for completion and manual pages. */
    public static CommandLine commandLine() {
        return program().commandLine();
    }

    private static Program program() {
        return new Program(new CommandLine(new FleetCommand()))
                .helpWithoutVerb()
                .usageCode(Code.CFG_INVALID)
                .verbs(new VerbGroups()
                        .group("Set up")
                        .verbs("init", "settings", "serve", "status", "renew", "root", "resume")
                        .group("Publish and order")
                        .verbs("template", "publish", "withdraw", "desire", "rollout", "bundle", "delta")
                        .group("Devices")
                        .verbs("devices", "attest", "verify", "verifier")
                        .group("Releases")
                        .verbs("image"))
                .wording(FleetCommand::wording);
    }

    /** Files and links fail under a code here, too: what reads the error stream of a fleet's machine sorts by it. */
    private static CommandFailure wording(Throwable failure) {
        CommandFailure plain = CommandFailure.of(failure);
        if (failure instanceof CodedFailure coded) {
            // Here it is about what was typed, or a file that was named, and the detail says which.
            return coded.rejection().code() == Code.CFG_INVALID
                    ? new CommandFailure(ExitCode.FAILED, plain.what(), "")
                    : plain;
        }
        Code code = failure instanceof NoSuchFileException ? Code.FLT_ABSENT : Code.FLT_IO;
        return failure instanceof IOException || failure instanceof UncheckedIOException
                ? new CommandFailure(plain.exit(), new Rejection(code, plain.what()).toString(), plain.remedy())
                : plain;
    }

    /** {@code --dir}, which most commands take. */
    static final class InDirectory {
        private static final String DEFAULT_DIR = "/var/lib/holdfast-fleet";

        @Option(
                names = "--dir",
                paramLabel = "DIR",
                description = "The fleet directory, with its keys; HOLDFAST_FLEET_DIR names another default"
                        + " (default: ${DEFAULT-VALUE}).",
                defaultValue = "${env:HOLDFAST_FLEET_DIR:-" + DEFAULT_DIR + "}")
        Path dir = Path.of(DEFAULT_DIR);

        FleetDirectory directory() {
            return new FleetDirectory(dir);
        }

        FleetRepository repository() {
            return new FleetRepository(directory(), Clock.systemUTC());
        }
    }

    /** {@code --dir} and the broker, as {@code fleet.json} has it where no option says otherwise. */
    static final class Connected {
        @CommandLine.Mixin
        InDirectory in = new InDirectory();

        @CommandLine.Mixin
        BrokerOptions broker = new BrokerOptions();

        FleetDirectory.Config config() throws IOException, RejectedException {
            FleetDirectory.Config config = in.directory().config();
            return config.with(broker.over(config.broker()));
        }
    }
}
