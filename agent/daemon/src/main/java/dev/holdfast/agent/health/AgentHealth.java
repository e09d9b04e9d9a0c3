package dev.holdfast.agent.health;

import dev.holdfast.control.AgentPaths;
import dev.holdfast.control.UnixHttpClient;
import dev.holdfast.sockets.ServiceManager;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** Whether the agent is of use: its loop moves, and its control socket tells how it is. */
public final class AgentHealth implements ServiceManager.Check {
    private static final Duration ANSWER = Duration.ofSeconds(5);

    private final Pulse pulse;
    private final UnixHttpClient socket;

    public AgentHealth(Pulse pulse, Path controlSocket) {
        this.pulse = pulse;
        this.socket = new UnixHttpClient(controlSocket);
    }

    @Override
    public Optional<String> fault() throws IOException {
        Optional<String> loop = pulse.fault();
        if (loop.isPresent()) {
            return loop;
        }
        int status = socket.get(AgentPaths.STATUS, ANSWER).status();
        return status == 200 ? Optional.empty() : Optional.of("the control socket answers " + status + " to status");
    }
}
