package dev.holdfast.fleet.cli;

import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.link.BrokerAddress;
import dev.holdfast.link.LinkException;
import dev.holdfast.wire.Code;
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
 * The operator's command. Exit code 0 means yes, 1 no or failed, 2 wrong usage; an error is one line {@code CODE: detail}
 * on the error stream.
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
            DesireCommand.class,
            BundleCommand.class,
            ServeCommand.class,
            AttestCommand.class,
            VerifyCommand.class,
            DevicesCommand.class,
            ResumeCommand.class,
            DeltaCommand.class,
            RootCommand.class
        })
public final class FleetCommand {
    private static final int FAILED = 1;
    private static final int USAGE = 2;

    public static void main(String[] args) {
        System.exit(run(new PrintWriter(System.out, true), new PrintWriter(System.err, true), args));
    }

    /** Runs one command; for tests too. */
    public static int run(PrintWriter out, PrintWriter err, String... args) {
        return new CommandLine(new FleetCommand())
                .setOut(out)
                .setErr(err)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((failure, line, parsed) -> {
                    err.println(reason(failure));
                    return FAILED;
                })
                .setParameterExceptionHandler((failure, rest) -> {
                    err.println(new Rejection(Code.CFG_INVALID, String.valueOf(failure.getMessage())));
                    return USAGE;
                })
                .execute(args.length == 0 ? new String[] {"--help"} : args);
    }

    private static Rejection reason(Exception failure) {
        return switch (failure) {
            case RejectedException rejected -> rejected.rejection();
            case NoSuchFileException absent -> new Rejection(Code.FLT_ABSENT, "no file " + absent.getFile());
            case LinkException link -> link.rejection();
            case IOException io -> new Rejection(Code.FLT_IO, io.toString());
            case UncheckedIOException io -> new Rejection(Code.FLT_IO, io.toString());
            default -> new Rejection(Code.FLT_IO, failure.toString());
        };
    }

    /** {@code --dir}, which most commands take. */
    static final class InDirectory {
        @Option(names = "--dir", description = "The fleet directory (default: ${DEFAULT-VALUE}).")
        Path dir = Path.of("fleet");

        FleetDirectory directory() {
            return new FleetDirectory(dir);
        }

        FleetRepository repository() {
            return new FleetRepository(directory(), Clock.systemUTC());
        }
    }

    /** {@code --dir} and {@code --broker}. */
    static final class Connected {
        @CommandLine.Mixin
        InDirectory in = new InDirectory();

        @Option(names = "--broker", description = "Broker, such as mqtt://127.0.0.1 (default: as in fleet.json).")
        String broker = "";

        FleetDirectory.Config config() throws IOException, RejectedException {
            FleetDirectory.Config config = in.directory().config();
            if (broker.isEmpty()) {
                return config;
            }
            BrokerAddress.parse(broker).orThrow();
            return new FleetDirectory.Config(config.name(), broker);
        }
    }
}
