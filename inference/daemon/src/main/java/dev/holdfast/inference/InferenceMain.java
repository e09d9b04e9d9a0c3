package dev.holdfast.inference;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.HeapWatch;
import dev.holdfast.control.Shutdown;
import dev.holdfast.control.UncaughtExceptions;
import dev.holdfast.control.Version;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigReader;
import dev.holdfast.control.config.ConfigReload;
import dev.holdfast.log.Logs;
import dev.holdfast.sockets.ServiceManager;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The inference daemon's process: {@code holdfast inference [--config FILE]}. */
public final class InferenceMain {
    private static final int EX_USAGE = 2;
    private static final String USAGE = "Usage: holdfast inference [-hV] [--config=<file>]\nRuns the inference daemon.";

    private InferenceMain() {}

    public static void main(String[] args) {
        if (args.length == 1 && (args[0].equals("--help") || args[0].equals("-h"))) {
            System.out.println(USAGE);
            return;
        }
        if (args.length == 1 && (args[0].equals("--version") || args[0].equals("-V"))) {
            System.out.println(Version.NAME);
            return;
        }
        Optional<Path> named = ConfigFile.named(List.of(args));
        if (named.isEmpty()) {
            System.err.println(USAGE);
            System.exit(EX_USAGE);
            return;
        }
        Path file = named.get();
        Logs.ofDaemon("holdfast");
        try {
            ConfigFile read = ConfigFile.read(file, ConfigReader.INFERENCE).orThrow();
            InferenceConfig config = InferenceConfig.read(read).orThrow();
            Path control = config.sockets().inferenceControl();
            CrashLog words = CrashLog.capture(control.resolveSibling("crash.log"));
            Logs.copyTo(words::keep);
            Logs.configure(read);
            // A step waits for its share on each of these; the other threads do one job each.
            UncaughtExceptions.endTheProcessFor(List.of("holdfast-kernel-"));
            HeapWatch.start(InferenceDaemon.GARBAGE_MIB);
            ServiceManager manager = ServiceManager.ofThisProcess();
            InferenceDaemon daemon = InferenceDaemon.start(config, words::lines, manager);
            new ConfigReload<>(file, ConfigReader.INFERENCE, read, InferenceConfig::read, (next, other) -> {
                        Logs.configure(next);
                        daemon.reconfigure(other);
                    })
                    .onHangup(InferenceDaemon::reloaded);
            Shutdown.await(manager.ending(daemon));
        } catch (Exception e) {
            if (!Logs.tell(e)) {
                System.err.println(CommandFailure.message(e));
            }
            System.exit(CommandFailure.exitCode(e));
        }
    }
}
