package dev.holdfast.inference;

import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.control.config.ConfigReload;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.sockets.EventLoop;
import dev.holdfast.sockets.ServiceManager;
import dev.holdfast.sockets.SocketServer;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.FailureText;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The inference process: models between two Unix sockets. It reads the store and writes nothing but its sockets. A damaged model
 * never ends it and leaves the others, because the process that could repair the damage talks to it.
 */
public final class InferenceDaemon implements AutoCloseable {
    /** With less, every model that is loaded would cost a collection: its caches are on the heap. */
    static final int GARBAGE_MIB = 96;

    private static final Logger LOG = LoggerFactory.getLogger(InferenceDaemon.class);

    private final EventLoop loop = new EventLoop();
    private final ModelEvents events;
    private final ModelHost models;
    private final Optional<StartUpLoads> startUp;
    private final ChallengeRelay relay;
    private final ControlRoutes control;
    private final ApiRoutes api;
    private final SocketServer apiServer;
    private final SocketServer controlServer;

    /**
     * What a daemon is started with.
     *
     * @param manager is told of readiness, health and what serves
     * @param recentLines for the agent
     * @param attested whether an agent can prove what serves
     */
    private record Surroundings(ServiceManager manager, Supplier<List<String>> recentLines, boolean attested) {}

    private InferenceDaemon(InferenceConfig config, Surroundings around) throws IOException {
        events = new ModelEvents(loop.vertx());
        InferenceMetrics metrics = new InferenceMetrics();
        models = new ModelHost(settings(config), new ModelWatcher() {
            @Override
            public void happened(ModelEvents.Kind kind, Slot model, ModelEvents.More more) {
                events.happened(kind, model, more);
                around.manager.status(sentence());
            }

            @Override
            public IntConsumer steps(String model) {
                return metrics.steps(model);
            }
        });
        metrics.gauge("holdfast.requests.running", "Requests in the making", models::running);
        metrics.gauge("holdfast.requests.waiting", "Requests that wait for their turn", models::waiting);
        metrics.gauge(
                "holdfast.models.serving",
                "Models that serve",
                () -> models.serving().size());
        metrics.gauge(
                "holdfast.memory.used.bytes",
                "What the models take, and what is being loaded",
                () -> models.status().memory().usedBytes());
        metrics.byModel(
                "holdfast.kv.cache.usage.ratio",
                "How much of the room for keys and values is used, also by what is kept for a user's next prompt",
                models::cacheUsage);
        metrics.byModel(
                "holdfast.models.graced",
                "Older releases that answer to their pinned names",
                () -> models.graced().stream()
                        .collect(Collectors.groupingBy(
                                each -> each.slot().model(), Collectors.summingDouble(each -> 1.0))));
        // Before the sockets: what the agent asks for is newer than the pointer.
        startUp = around.attested
                ? stored(config.storeDir().resolve(Pointer.FILE_NAME)).map(pointer -> new StartUpLoads(models, pointer))
                : Optional.empty();
        relay = new ChallengeRelay(loop.vertx(), around.attested);
        control = new ControlRoutes(models, relay, metrics, around.recentLines);
        api = new ApiRoutes(
                loop.vertx(),
                models,
                new ApiRoutes.Parts(relay, metrics, events),
                config.limits().request(),
                config.strict());
        SocketServer first = null;
        try {
            first = SocketServer.start(
                    loop.vertx(),
                    config.sockets().inference(),
                    config.api().mode(),
                    config.api().peers(),
                    api);
            controlServer = SocketServer.start(
                    loop.vertx(),
                    config.sockets().inferenceControl(),
                    config.control().mode(),
                    config.control().peers(),
                    control);
            apiServer = first;
            around.manager.status(startUp.isPresent() ? "loading models" : sentence());
            around.manager.watch(new InferenceHealth(models, config.sockets(), api::longestRequest));
        } catch (IOException | RuntimeException e) {
            if (first != null) {
                first.close();
            }
            control.close();
            models.close();
            loop.close();
            throw e;
        }
    }

    /** For people: {@code serves intent@1.0.0, embed@2.1.0}. */
    private String sentence() {
        List<Slot> serving = models.serving();
        return serving.isEmpty()
                ? "no model is in service"
                : "serves " + serving.stream().map(Slot::id).collect(Collectors.joining(", "));
    }

    private static HostSettings settings(InferenceConfig config) {
        InferenceConfig.Limits limits = config.limits();
        return new HostSettings(
                config.storeDir().resolve("blobs"),
                new HealthGate.Settings(limits.contextTokens(), limits.sequences(), limits.cache()),
                limits.queued(),
                limits.share(),
                limits.threads(),
                limits.memoryBudget());
    }

    /**
     * Opens both sockets, then loads and serves every model that {@code serving.json} names. Where one is damaged its fallback is
     * tried, and where nothing of it can be served the daemon runs without it. What the agent flips or retires meanwhile stays.
     *
     * @throws IOException where a socket cannot be opened
     */
    public static InferenceDaemon start(InferenceConfig config) throws IOException {
        return start(config, new Surroundings(ServiceManager.none(), List::of, true));
    }

    /** The same, tells the agent its own last lines, and the service manager how it goes. */
    static InferenceDaemon start(InferenceConfig config, Supplier<List<String>> recentLines, ServiceManager manager)
            throws IOException {
        return start(config, new Surroundings(manager, recentLines, true));
    }

    private static InferenceDaemon start(InferenceConfig config, Surroundings around) throws IOException {
        InferenceDaemon daemon = new InferenceDaemon(config, around);
        daemon.startUp.ifPresent(StartUpLoads::run);
        return daemon;
    }

    /**
     * Serves one model that nobody signed, without an agent, and says of it that it is not attested.
     *
     * @param slot what to serve; its file is in {@code blobs/} of the configuration's store
     * @param owner gets the daemon before it loads, and closes it
     * @throws RejectedException where the model cannot be served
     */
    static void unattested(InferenceConfig config, Slot slot, Consumer<InferenceDaemon> owner)
            throws IOException, RejectedException {
        InferenceDaemon daemon = new InferenceDaemon(config, new Surroundings(ServiceManager.none(), List::of, false));
        owner.accept(daemon);
        Optional<Rejection> failure = daemon.models.serve(slot).failure();
        if (failure.isPresent()) {
            throw new RejectedException(failure.get());
        }
    }

    /** What the store names; nothing where no model was installed yet, or where the record is damaged. */
    private static Optional<Pointer.Readable> stored(Path file) {
        if (Files.notExists(file)) {
            LOG.info("no model has been installed yet");
            return Optional.empty();
        }
        switch (pointer(file)) {
            case Verdict.Rejected<Pointer.Readable> rejected -> {
                LOG.error("{}: {}", Pointer.FILE_NAME, rejected.reason());
                return Optional.empty();
            }
            case Verdict.Accepted<Pointer.Readable>(Pointer.Readable record) -> {
                record.damage().forEach(damage -> LOG.error("{}: {}", Pointer.FILE_NAME, damage));
                return Optional.of(record);
            }
        }
    }

    private static Verdict<Pointer.Readable> pointer(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return Pointer.readable(in.readNBytes(Pointer.MAX_BYTES + 1));
        } catch (IOException e) {
            return Verdict.rejected(Code.GATE_LOAD, "cannot read it: " + FailureText.of(e));
        }
    }

    /** Takes what may change while it runs; the rest waits for a restart. What is loaded stays, whatever the budget is now. */
    void reconfigure(InferenceConfig other) {
        models.memory.budget(other.limits().memoryBudget());
        api.reconfigure(other.limits().request(), other.strict());
    }

    /** Says how a reload ended. */
    static void reloaded(ConfigReload.Outcome outcome) {
        switch (outcome) {
            case ConfigReload.Outcome.Kept kept -> LOG.warn("the configuration stays as it was: {}", kept.why());
            case ConfigReload.Outcome.Taken taken -> LOG.info("{}", taken);
        }
    }

    /** What is served now. */
    public InferenceStatus status() {
        return models.status();
    }

    /** Requests that wait for their turn. */
    int waiting() {
        return models.waiting();
    }

    /** Challenges of local programs that wait for evidence. */
    int challengesWaiting() {
        return relay.waiting();
    }

    /** Programs that listen to what happens to the models. */
    int listeners() {
        return events.listeners();
    }

    /** Closes the sockets, ends requests and unloads all models. */
    @Override
    public void close() {
        apiServer.close();
        controlServer.close();
        control.close();
        models.close();
        loop.close();
    }
}
