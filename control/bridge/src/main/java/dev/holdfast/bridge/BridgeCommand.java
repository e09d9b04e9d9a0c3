package dev.holdfast.bridge;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.RuntimeFolder;
import dev.holdfast.control.Shutdown;
import dev.holdfast.control.Signals;
import dev.holdfast.control.UncaughtExceptions;
import dev.holdfast.control.Version;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigReader;
import dev.holdfast.control.config.ConfigReload;
import dev.holdfast.log.Logs;
import dev.holdfast.sockets.ServiceManager;
import dev.holdfast.terminal.Program;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The bridge's process: {@code holdfast bridge}. */
@Command(
        name = "holdfast bridge",
        mixinStandardHelpOptions = true,
        version = Version.NAME,
        description = "A loopback port before the inference socket, for clients that cannot use a Unix socket.",
        footer = {
            "",
            "To the inference process all callers are one user, the bridge's own:",
            "  - they share that user's places, queue and rate, and one may take all of it;",
            "  - they share its prefix cache: how fast an answer begins tells one of them",
            "    whether a prompt of another one began the same;",
            "  - whoever has the token may ask every model.",
            "Programs that can use the socket should: there the kernel says who asks.",
            "",
            "Clients take http://127.0.0.1:PORT/v1 as base URL, and the text of the token",
            "file as API key. Write 127.0.0.1, not localhost: another account may listen on",
            "::1. Web pages are refused.",
            "",
            "SIGHUP has it read the token file, log-format and log-level again. What waits for",
            "a restart is named in the log."
        })
public final class BridgeCommand implements Callable<Integer> {
    private static final Logger LOG = LoggerFactory.getLogger(BridgeCommand.class);
    static final String DEFAULT_PORT = "8434";
    private static final int MAX_PORT = 65_535;
    private static final String TOKEN_FILE = "bridge.token";

    @Spec
    CommandSpec spec = CommandSpec.create();

    @Option(
            names = "--port",
            paramLabel = "N",
            description = "port, 0 for any (${DEFAULT-VALUE})",
            defaultValue = DEFAULT_PORT)
    int port;

    @Option(
            names = "--address",
            paramLabel = "ADDRESS",
            description = "127.0.0.1 or ::1, and nothing else (${DEFAULT-VALUE})",
            defaultValue = "127.0.0.1",
            converter = Loopback.Converter.class)
    Loopback address = Loopback.IPV4;

    @Option(
            names = "--socket",
            paramLabel = "PATH",
            description =
                    "socket of an inference daemon, such as holdfast standalone; HOLDFAST_SOCKET, or the configuration"
                            + " file's, if not given",
            defaultValue = "${env:HOLDFAST_SOCKET}")
    @Nullable
    Path socket;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "configuration file (${DEFAULT-VALUE})",
            defaultValue = ConfigFile.DEFAULT)
    Path config = Path.of(ConfigFile.DEFAULT);

    /** Who may ask. */
    static final class Callers {
        @Option(
                names = "--token-file",
                paramLabel = "FILE",
                description =
                        "what callers send as API key; made at the first start (0600). If not given: bridge.token in"
                                + " the folder holdfast of XDG_RUNTIME_DIR, or in holdfast-USER below the folder for"
                                + " temporary files")
        @Nullable
        Path file;

        @Option(names = "--no-token", description = "every account of this machine may ask")
        boolean everyone;
    }

    @ArgGroup
    Callers callers = new Callers();

    private BridgeCommand() {}

    public static void main(String[] args) {
        UncaughtExceptions.endTheProcessFor(List.of());
        System.exit(program().run(args));
    }

    /** The whole model of the command, for completion and manual pages. */
    public static CommandLine commandLine() {
        return program().commandLine();
    }

    static Program program() {
        return new Program(new CommandLine(new BridgeCommand()));
    }

    @Override
    public Integer call() throws IOException, RejectedException, InterruptedException {
        if (port < 0 || port > MAX_PORT) {
            throw new ParameterException(spec.commandLine(), "--port must be 0 to " + MAX_PORT);
        }
        Logs.ofDaemon("holdfast");
        try {
            if (socket != null && !socket.toString().isEmpty()) {
                run(socket, Optional.empty());
            } else {
                ConfigFile read = ConfigFile.read(config, ConfigReader.BRIDGE).orThrow();
                Logs.configure(read);
                run(read.sockets().inference(), Optional.of(read));
            }
            return 0;
        } catch (IOException | RejectedException e) {
            if (Logs.tell(e)) {
                return CommandFailure.exitCode(e);
            }
            throw e;
        }
    }

    private void run(Path inference, Optional<ConfigFile> read)
            throws IOException, RejectedException, InterruptedException {
        Optional<Path> file = tokenFile();
        Optional<Token> token = token(file);
        Bridge bridge = Bridge.start(new Bridge.Settings(address, port, inference, token, Bridge.Settings.STALL));
        if (read.isPresent()) {
            new ConfigReload<>(config, ConfigReader.BRIDGE, read.get(), any -> again(file), (next, other) -> {
                        Logs.configure(next);
                        bridge.take(other);
                    })
                    .onHangup(BridgeCommand::reloaded);
        } else {
            Signals.handle("HUP", () -> {
                switch (again(file)) {
                    case Verdict.Accepted<Optional<Token>>(Optional<Token> other) -> {
                        bridge.take(other);
                        LOG.info("the token was read again");
                    }
                    case Verdict.Rejected<Optional<Token>>(Rejection why) ->
                        LOG.warn("the token stays as it was: {}", why);
                }
            });
        }
        // Whoever hears that it runs may send it a signal, which without a handler would end it.
        System.err.println(greeting(bridge.url(), inference, file, System.getProperty("user.name")));
        ServiceManager manager = ServiceManager.ofThisProcess();
        manager.status("listens on " + bridge.url());
        manager.watch(bridge::fault);
        Shutdown.await(manager.ending(bridge));
    }

    private static void reloaded(ConfigReload.Outcome outcome) {
        switch (outcome) {
            case ConfigReload.Outcome.Kept kept ->
                LOG.warn("the configuration and the token stay as they were: {}", kept.why());
            case ConfigReload.Outcome.Taken taken -> LOG.info("the token was read again, and {}", taken);
        }
    }

    private static Optional<Token> token(Optional<Path> file) throws IOException, RejectedException {
        return file.isPresent() ? Optional.of(Token.at(file.get(), new SecureRandom())) : Optional.empty();
    }

    /** At a reload. */
    private static Verdict<Optional<Token>> again(Optional<Path> file) {
        return Verdict.of(() -> {
            try {
                return token(file);
            } catch (IOException e) {
                throw new RejectedException(Code.CFG_INVALID, "the token file: " + FailureText.of(e));
            }
        });
    }

    private Optional<Path> tokenFile() throws IOException, RejectedException {
        if (callers.everyone) {
            return Optional.empty();
        }
        return Optional.of(
                callers.file != null
                        ? callers.file
                        : RuntimeFolder.own("--token-file").resolve(TOKEN_FILE));
    }

    private static String greeting(String url, Path socket, Optional<Path> token, String user) {
        String who = token.map(file -> "The API key is in " + file + ". Who has it asks")
                .orElse("NO TOKEN: every account of this machine may ask. It does so");
        String bounds = user.equals("root")
                ? "\nA bridge needs none of root's rights and passes none on. Start it as another user."
                : "";
        return "Listening on " + url + ", before " + socket + ".\n" + who + " as user " + user
                + ", and shares its places and its prefix cache with all others." + bounds;
    }
}
