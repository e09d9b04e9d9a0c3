package dev.holdfast.inference;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.ConfigFile;
import dev.holdfast.control.Shutdown;
import java.nio.file.Path;

/** The inference daemon's process: {@code holdfast inference [--config FILE]}. */
public final class InferenceMain {
    private static final int EX_USAGE = 2;

    private InferenceMain() {}

    public static void main(String[] args) {
        String file = ConfigFile.DEFAULT;
        if (args.length == 2 && args[0].equals("--config")) {
            file = args[1];
        } else if (args.length == 1 && args[0].startsWith("--config=")) {
            file = args[0].substring("--config=".length());
        } else if (args.length > 0) {
            System.err.println("Usage: holdfast inference [--config FILE]\nRuns the inference daemon.");
            System.exit(EX_USAGE);
        }
        try {
            InferenceConfig config = InferenceConfig.read(Path.of(file)).orThrow();
            Path control = config.sockets().inferenceControl();
            CrashLog words = CrashLog.capture(control.resolveSibling("crash.log"));
            Shutdown.await(InferenceDaemon.start(config, words));
        } catch (Exception e) {
            System.err.println(CommandFailure.message(e));
            System.exit(CommandFailure.exitCode(e));
        }
    }
}
