package dev.holdfast.agent;

import dev.holdfast.inference.InferenceConfig;
import dev.holdfast.inference.InferenceDaemon;
import dev.holdfast.inference.LastWords;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.updater.TrustAnchors;
import dev.holdfast.updater.TrustClient;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The {@code holdfast} command: both daemons, and what a person on the device asks them. */
@Command(
        name = "holdfast",
        mixinStandardHelpOptions = true,
        scope = CommandLine.ScopeType.INHERIT,
        version = AgentDaemon.VERSION,
        description = "Signed model updates, local inference and attestation on this device.",
        subcommands = {
            HoldfastCommand.Agent.class,
            HoldfastCommand.Inference.class,
            HoldfastCommand.Standalone.class,
            HoldfastCommand.Provision.class,
            HoldfastCommand.Explain.class,
            DeviceCommands.Status.class,
            DeviceCommands.Slots.class,
            DeviceCommands.History.class,
            InstallCommand.class,
            DeviceCommands.Rollback.class,
            DeviceCommands.Pause.class,
            DeviceCommands.Resume.class,
            DeviceCommands.Attest.class,
            DeviceCommands.Doctor.class,
            DeviceCommands.Watch.class,
            DeviceCommands.Run.class,
            ModelCommands.class
        })
public final class HoldfastCommand {
    private static final int EX_CONFIG = 78;

    private HoldfastCommand() {}

    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        return new CommandLine(new HoldfastCommand()).setExecutionExceptionHandler((failure, line, parsed) -> {
            line.getErr().println(message(failure));
            return failure instanceof RejectedException rejected
                            && rejected.rejection().code() == Code.CFG_INVALID
                    ? EX_CONFIG
                    : 1;
        });
    }

    private static String message(Exception failure) {
        return failure instanceof RejectedException rejected
                ? rejected.rejection().toString()
                : String.valueOf(failure.getMessage());
    }

    /** What needs the configuration file. */
    abstract static class Configured implements Callable<Integer> {
        @Option(names = "--config", description = "configuration file", defaultValue = "/etc/holdfast/holdfast.toml")
        Path file = Path.of("/etc/holdfast/holdfast.toml");

        HoldfastConfig config() throws RejectedException {
            return HoldfastConfig.read(file).orThrow();
        }
    }

    private static void untilTerminated(AutoCloseable daemon) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(1);
        Runtime.getRuntime()
                .addShutdownHook(Thread.ofPlatform().name("shutdown").unstarted(() -> {
                    try {
                        daemon.close();
                    } catch (Exception e) {
                        System.err.println("shutdown: " + e.getMessage());
                    }
                    done.countDown();
                }));
        done.await();
    }

    @Command(name = "agent", description = "Runs the update and attestation daemon.")
    static final class Agent extends Configured {
        @Override
        public Integer call() throws RejectedException, IOException, TeeException, InterruptedException {
            untilTerminated(AgentDaemon.start(config()));
            return 0;
        }
    }

    @Command(name = "inference", description = "Runs the inference daemon.")
    static final class Inference extends Configured {
        @Override
        public Integer call() throws RejectedException, IOException, InterruptedException {
            InferenceConfig config = config().inference();
            LastWords words = LastWords.capture(config.controlSocket().resolveSibling("last-words.log"));
            untilTerminated(InferenceDaemon.start(config, words));
            return 0;
        }
    }

    @Command(name = "standalone", description = "Runs both daemons in one process, for development.")
    static final class Standalone extends Configured {
        @Override
        public Integer call() throws RejectedException, IOException, TeeException, InterruptedException {
            HoldfastConfig config = config();
            InferenceDaemon inference = InferenceDaemon.start(config.inference());
            AgentDaemon agent = AgentDaemon.start(config);
            untilTerminated(() -> {
                agent.close();
                inference.close();
            });
            return 0;
        }
    }

    @Command(
            name = "provision",
            description =
                    "Anchors the factory root in the TEE, once, and makes counter and keys. Again: changes nothing.")
    static final class Provision extends Configured {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Option(
                names = "--accept-state",
                description =
                        "accept the state on the disk although the TEE has counted further: it was put back on purpose")
        boolean acceptState;

        @Override
        public Integer call() throws RejectedException, IOException, TeeException {
            HoldfastConfig config = config();
            Sha256 root = Sha256.ofFile(config.factoryRoot());
            PrintWriter out = spec.commandLine().getOut();
            try (TeeBridge bridge = RootOfTrust.open(config)) {
                TrustAnchors anchors = RootOfTrust.anchors(bridge);
                boolean known = anchors.store().read().isPresent();
                anchors.store().provision(root);
                RootOfTrust.pinEndorsement(config, bridge);
                anchors.epochFloor().read(); // Made when it is first looked at.
                if (anchors.generation().isPresent()) {
                    anchors.generation().get().read();
                }
                if (acceptState) {
                    TrustClient.readmit(config.stateDir().resolve("trust"), config.factoryRoot(), anchors)
                            .orThrow();
                    out.println("the state on the disk is accepted as it is");
                }
                out.println((known ? "already anchored: " : "anchored ") + root + " in "
                        + bridge.describe().kind() + " (" + bridge.describe().assurance() + ")");
                for (TeeInventory.Finding finding : bridge.inventory().findings()) {
                    out.println("  " + finding.name() + ": " + finding.detail());
                }
            }
            return 0;
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
