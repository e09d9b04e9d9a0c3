package dev.holdfast.cli;

import dev.holdfast.control.AgentClient;
import dev.holdfast.terminal.ProgressLine;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.time.Duration;

/** Asks the agent how far an install is while another thread waits for its end. Thread {@code install-progress}; closed once. */
final class InstallProgressLine implements AutoCloseable {
    private static final Duration POLL = Duration.ofMillis(500);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(2);

    private final AgentClient agent;
    private final ProgressLine line;
    private final Thread thread;

    private InstallProgressLine(AgentClient agent, ProgressLine line) {
        this.agent = agent;
        this.line = line;
        this.thread = Thread.ofPlatform().name("install-progress").daemon().unstarted(this::follow);
    }

    static InstallProgressLine start(AgentClient agent, ProgressLine line) {
        InstallProgressLine progress = new InstallProgressLine(agent, line);
        progress.thread.start();
        return progress;
    }

    private void follow() {
        try (line) {
            while (true) {
                Thread.sleep(POLL);
                InstallView install = InstallView.of(agent.status());
                if (install.isTransfer()) {
                    line.step(install.version());
                    line.at(install.bytesDone(), install.bytesTotal());
                }
            }
        } catch (InterruptedException | IOException | RejectedException e) {
            // How it ends is told by whoever waits for it.
        }
    }

    @Override
    public void close() {
        thread.interrupt();
        try {
            thread.join(STOP_LIMIT);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
