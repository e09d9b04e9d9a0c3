package dev.holdfast.bridge;

import dev.holdfast.control.RuntimeFolder;
import dev.holdfast.control.Shutdown;
import dev.holdfast.control.UncaughtExceptions;
import dev.holdfast.control.Version;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigReader;
import dev.holdfast.sockets.ServiceManager;
import dev.holdfast.terminal.Program;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
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
            "::1. Web pages are refused."
        })
public final class BridgeCommand implements Callable<Integer> {
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
        Path inference = socket != null && !socket.toString().isEmpty()
                ? socket
                : ConfigFile.read(config, ConfigReader.BRIDGE)
                        .orThrow()
                        .sockets()
                        .inference();
        Optional<Path> file = tokenFile();
        Optional<Token> token =
                file.isPresent() ? Optional.of(Token.at(file.get(), new SecureRandom())) : Optional.empty();
        Bridge bridge = Bridge.start(new Bridge.Settings(address, port, inference, token, Bridge.Settings.STALL));
        System.err.println(greeting(bridge.url(), inference, file, System.getProperty("user.name")));
        ServiceManager manager = ServiceManager.ofThisProcess();
        manager.status("listens on " + bridge.url());
        manager.watch(bridge::fault);
        Shutdown.await(manager.ending(bridge));
        return 0;
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
