package dev.holdfast.agent;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.HeapWatch;
import dev.holdfast.control.Shutdown;
import dev.holdfast.control.UncaughtExceptions;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigReader;
import dev.holdfast.control.config.ConfigReload;
import dev.holdfast.log.Logs;
import dev.holdfast.sockets.ServiceManager;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The agent daemon's process: {@code holdfast agent [--config FILE]}. What a unit starts it with is read here: the command's own reader of
 * arguments costs a third of the time until the daemon is ready. It gets everything else, {@code --help} for instance.
 */
public final class AgentMain {
    private static final String VERB = "agent";
    /** What challenges, hints and blocks may leave before it is collected. */
    private static final int GARBAGE_MIB = 32;

    /** How the names of the threads begin without which the agent would look well and do nothing. */
    static final List<String> VITAL_THREADS = List.of(
            "agent-work",
            "agent-model-",
            "agent-grace",
            "agent-collector",
            "agent-scrub",
            "attest",
            "link-keeper",
            "link-inbound");

    private AgentMain() {}

    public static void main(String[] args) {
        List<String> words = List.of(args);
        Optional<Path> file = words.isEmpty() || !words.getFirst().equals(VERB)
                ? Optional.empty()
                : ConfigFile.named(words.subList(1, words.size()));
        if (file.isEmpty()) {
            AgentCommand.main(args);
            return;
        }
        try {
            System.exit(run(file.get()));
        } catch (Exception | Error e) {
            System.err.println(CommandFailure.message(e));
            System.exit(CommandFailure.exitCode(e));
        }
    }

    /**
     * Runs the daemon until the process is asked to end.
     *
     * @return the exit code
     */
    static int run(Path file) throws RejectedException, IOException, TeeException, InterruptedException {
        // All that the agent runs on threads of its own has to live; what virtual threads do is one job each.
        UncaughtExceptions.endTheProcessFor(VITAL_THREADS);
        HeapWatch.start(GARBAGE_MIB);
        Logs.ofDaemon("holdfast");
        try {
            serve(file);
            return 0;
        } catch (RejectedException | IOException | TeeException e) {
            if (Logs.tell(e)) {
                return CommandFailure.exitCode(e);
            }
            throw e;
        }
    }

    private static void serve(Path file) throws RejectedException, IOException, TeeException, InterruptedException {
        ConfigFile read = ConfigFile.read(file, ConfigReader.AGENT).orThrow();
        AgentConfig config = AgentConfig.read(read).orThrow();
        Logs.configure(read);
        config.identity().device().ifPresent(Logs::ofDevice);
        ServiceManager manager = ServiceManager.ofThisProcess();
        AgentDaemon daemon = AgentDaemon.start(config, manager);
        new ConfigReload<>(file, ConfigReader.AGENT, read, AgentConfig::read, (next, other) -> {
                    Logs.configure(next);
                    daemon.reconfigure(other);
                })
                .onHangup(AgentDaemon::reloaded);
        Shutdown.await(manager.ending(daemon));
    }
}
