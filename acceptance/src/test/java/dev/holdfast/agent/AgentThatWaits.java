package dev.holdfast.agent;

import dev.holdfast.sockets.ServiceManager;
import dev.holdfast.updater.InstallState;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The agent, started by its own entry, that stands still when an install has entered one state: it prints {@code AT
 * STATE} after that state's journal line is durable and goes on when it reads a line. So a test decides what dies
 * there, and with which signal.
 */
public final class AgentThatWaits {
    private AgentThatWaits() {}

    public static void main(String[] arguments) throws Exception {
        AgentConfig config = AgentConfig.read(Path.of(arguments[0])).orThrow();
        InstallState state = InstallState.valueOf(arguments[1]);
        boolean[] waited = {false};
        AgentDaemon daemon = AgentDaemon.start(config, ServiceManager.none(), record -> {
            if (record.state() == state && !waited[0]) {
                waited[0] = true;
                System.out.println("AT " + state);
                try {
                    if (System.in.read() < 0) {
                        Thread.currentThread().join();
                    }
                } catch (IOException | InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
        });
        Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().unstarted(daemon::close));
        Thread.currentThread().join();
    }
}
