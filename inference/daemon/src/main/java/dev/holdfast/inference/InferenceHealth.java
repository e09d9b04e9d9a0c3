package dev.holdfast.inference;

import dev.holdfast.control.InferencePaths;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.control.UnixHttpClient;
import dev.holdfast.sockets.ServiceManager;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Whether the inference process is of use: both sockets answer, and no request is in the making for longer than its time. A model is
 * not needed: without one the process is what the agent brings one to.
 */
final class InferenceHealth implements ServiceManager.Check {
    private static final Duration ANSWER = Duration.ofSeconds(5);
    /** A request ends between two steps, and a step may take its time on a slow device. */
    private static final Duration STEP = Duration.ofMinutes(5);

    private final ModelHost models;
    private final UnixHttpClient api;
    private final UnixHttpClient control;
    private final Supplier<Duration> longest;

    /** @param longest how long a request may take that was let in at any time; it may change */
    InferenceHealth(ModelHost models, SocketPaths sockets, Supplier<Duration> longest) {
        this.models = models;
        this.api = new UnixHttpClient(sockets.inference());
        this.control = new UnixHttpClient(sockets.inferenceControl());
        this.longest = longest;
    }

    @Override
    public Optional<String> fault() throws IOException {
        Duration running = models.longestRequest();
        if (running.compareTo(longest.get().plus(STEP)) > 0) {
            return Optional.of("a request has not ended after " + running.toSeconds() + " s");
        }
        int api = this.api.get(InferencePaths.HEALTH, ANSWER).status();
        // 503: no model serves.
        if (api != 200 && api != 503) {
            return Optional.of("the applications' socket answers " + api);
        }
        int control = this.control.get(InferencePaths.STATUS, ANSWER).status();
        return control == 200 ? Optional.empty() : Optional.of("the control socket answers " + control);
    }
}
