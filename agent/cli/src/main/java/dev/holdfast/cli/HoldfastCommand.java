package dev.holdfast.cli;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.control.Version;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigReader;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.VerbGroups;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ExitCode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The {@code holdfast} command, as far as it needs neither the TEE nor the store. */
@Command(
        name = "holdfast",
        mixinStandardHelpOptions = true,
        scope = CommandLine.ScopeType.INHERIT,
        version = Version.NAME,
        description = "Signed model updates, local inference and attestation on this device.")
public final class HoldfastCommand {
    private static final Map<String, Class<?>> VERBS = Map.ofEntries(
            Map.entry("explain", Explain.class),
            Map.entry("status", DeviceCommands.Status.class),
            Map.entry("slots", DeviceCommands.Slots.class),
            Map.entry("history", DeviceCommands.History.class),
            Map.entry("install", InstallCommand.class),
            Map.entry("rollback", DeviceCommands.Rollback.class),
            Map.entry("pause", DeviceCommands.Pause.class),
            Map.entry("resume", DeviceCommands.Resume.class),
            Map.entry("watch", WatchCommand.class),
            Map.entry("run", RunCommand.class),
            Map.entry("ps", PsCommand.class),
            Map.entry("config", ConfigCommand.class),
            Map.entry("model", ModelCommands.class));

    private HoldfastCommand() {}

    public static void main(String[] args) {
        if (args.length == 1 && args[0].equals(Rehearsal.VERB)) {
            System.exit(Rehearsal.run());
        }
        System.exit(program(args).run(args));
    }

    /** The whole model of the command, for completion and manual pages. */
    public static CommandLine commandLine() {
        return program().commandLine();
    }

    /**
     * The program for a command line. picocli reads the annotations of every verb that it has, which takes longer than most verbs run: so
     * it has the verb alone that was named, and all where none was, such as for help.
     */
    static Program program(String... args) {
        CommandLine line = new CommandLine(new HoldfastCommand());
        Class<?> named = args.length == 0 ? null : VERBS.get(args[0]);
        (named == null ? new TreeMap<>(VERBS) : Map.of(args[0], named))
                .forEach((name, verb) -> line.addSubcommand(name, verb));
        // Not in the annotation, whose scope hands it on to every verb.
        line.getCommandSpec()
                .usageMessage()
                .footer(
                        "",
                        "holdfast help VERB says more of a verb, holdfast explain CODE of a code such as"
                                + " UPD-ROLLBACK.");
        return new Program(line)
                .helpWithoutVerb()
                .verbs(new VerbGroups()
                        .group("Look")
                        .verbs("status", "slots", "history", "watch", "ps")
                        .elsewhere("doctor", "Checks this device part by part and says what to do.")
                        .verbs("explain")
                        .group("Act")
                        .verbs("install", "rollback", "pause", "resume")
                        .elsewhere("attest", "Writes evidence for a nonce.")
                        .group("Ask a model")
                        .verbs("run", "model")
                        .elsewhere(
                                "standalone",
                                "Serves one file on a laptop, unattested: --model FILE.gguf. Without it both daemons,"
                                        + " for development.")
                        .elsewhere(
                                "bridge",
                                "Offers the inference socket on a loopback port; off unless somebody starts it.")
                        .group("Set up")
                        .verbs("config")
                        .elsewhere(
                                "provision", "Anchors the factory root in the TEE, once; --again after it was cleared.")
                        .elsewhere("deprovision", "Removes all of that from the TEE.")
                        .elsewhere("agent", "The update and attestation daemon; a service runs it.")
                        .elsewhere("inference", "The inference daemon; a service runs it."));
    }

    /** What needs the configuration file. */
    abstract static class Configured implements Callable<Integer> {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Option(
                names = "--config",
                paramLabel = "FILE",
                description = "configuration file (${DEFAULT-VALUE})",
                defaultValue = ConfigFile.DEFAULT)
        Path file = Path.of(ConfigFile.DEFAULT);

        SocketPaths sockets() throws RejectedException {
            return ConfigFile.read(file, ConfigReader.COMMAND).orThrow().sockets();
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

        Path inference() throws RejectedException, CommandFailure.Worded {
            Path named = socket;
            Path path = named != null && isNamed() ? named : sockets().inference();
            if (Files.notExists(path)) {
                throw new CommandFailure.Worded(
                        ExitCode.UNAVAILABLE,
                        "there is no socket " + path,
                        "start holdfast-inference.service, or holdfast standalone and name its socket by --socket");
            }
            return path;
        }

        /** Whether the socket does not come from the configuration file. */
        boolean isNamed() {
            return socket != null && !socket.toString().isEmpty();
        }
    }

    @Command(
            name = "explain",
            description = "Says what a code means and what to do about it.",
            footer = {"", "Examples:", "  holdfast explain UPD-ROLLBACK", "  holdfast explain --json INS-DISK"})
    static final class Explain implements Callable<Integer> {
        @Parameters(paramLabel = "CODE", description = "as in a log, a report or an error, such as UPD-ROLLBACK")
        String id = "";

        @Option(names = "--json", description = "print JSON")
        boolean json;

        @Override
        public Integer call() throws RejectedException {
            Code code = Code.byId(id.toUpperCase(Locale.ROOT))
                    .orElseThrow(() -> new RejectedException(
                            Code.API_NOT_FOUND, "no code is called " + id + "; docs/codes.md lists all"));
            System.out.println(
                    json
                            ? Json.object()
                                    .put("code", code.id())
                                    .put("meaning", code.meaning())
                                    .put("remedy", code.remedy())
                            : code.id() + ": " + code.meaning() + ".\n" + code.remedy() + ".");
            return 0;
        }
    }
}
