package dev.holdfast.cli;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.ConfigFile;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.control.Version;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The {@code holdfast} command, as far as it needs neither the TEE nor the store. */
@Command(
        name = "holdfast",
        mixinStandardHelpOptions = true,
        scope = CommandLine.ScopeType.INHERIT,
        version = Version.NAME,
        description = "Signed model updates, local inference and attestation on this device.",
        footer = {
            "",
            "Started by the same command, each as a process of its own:",
            "  agent       the update and attestation daemon",
            "  inference   the inference daemon",
            "  standalone  --model FILE.gguf serves one file on a laptop, unattested; without it both daemons, for development",
            "  bridge      a loopback port before the inference socket, for clients that cannot use a Unix socket; off",
            "              unless somebody starts it, and its callers are one user",
            "  provision   anchors the factory root in the TEE, once; --again after it was cleared",
            "  deprovision removes all of that from the TEE",
            "  attest      writes evidence for a nonce",
            "  doctor      checks this device part by part and says what to do"
        },
        subcommands = {
            HoldfastCommand.Explain.class,
            DeviceCommands.Status.class,
            DeviceCommands.Slots.class,
            DeviceCommands.History.class,
            InstallCommand.class,
            DeviceCommands.Rollback.class,
            DeviceCommands.Pause.class,
            DeviceCommands.Resume.class,
            DeviceCommands.Watch.class,
            RunCommand.class,
            PsCommand.class,
            ModelCommands.class
        })
public final class HoldfastCommand {
    private HoldfastCommand() {}

    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        return new CommandLine(new HoldfastCommand()).setExecutionExceptionHandler((failure, line, parsed) -> {
            line.getErr().println(CommandFailure.message(failure));
            return CommandFailure.exitCode(failure);
        });
    }

    /** What needs the configuration file. */
    abstract static class Configured implements Callable<Integer> {
        @Option(names = "--config", description = "configuration file", defaultValue = ConfigFile.DEFAULT)
        Path file = Path.of(ConfigFile.DEFAULT);

        SocketPaths sockets() throws RejectedException {
            return ConfigFile.read(file).orThrow().sockets();
        }
    }

    /** What talks to the applications' socket of a device, or to any other that is named. */
    abstract static class OnSocket extends Configured {
        @Option(
                names = "--socket",
                paramLabel = "PATH",
                description = "socket of an inference daemon, such as holdfast standalone; HOLDFAST_SOCKET, or the"
                        + " configuration file's, if not given",
                defaultValue = "${env:HOLDFAST_SOCKET}")
        @Nullable
        Path socket;

        Path inference() throws RejectedException, IOException {
            Path named = socket;
            Path path = named != null && isNamed() ? named : sockets().inference();
            if (Files.notExists(path)) {
                throw new IOException("there is no socket " + path
                        + ": start holdfast-inference.service, or holdfast standalone and name its socket by --socket");
            }
            return path;
        }

        /** Whether the socket does not come from the configuration file. */
        boolean isNamed() {
            return socket != null && !socket.toString().isEmpty();
        }
    }

    @Command(name = "explain", description = "Says what a code means and what to do about it.")
    static final class Explain implements Callable<Integer> {
        @Parameters(paramLabel = "CODE")
        String id = "";

        @Override
        public Integer call() throws RejectedException {
            Code code = Code.byId(id)
                    .orElseThrow(() -> new RejectedException(Code.API_NOT_FOUND, "no code is called " + id));
            System.out.println(code.id() + ": " + code.meaning() + ".\n" + code.remedy() + ".");
            return 0;
        }
    }
}
