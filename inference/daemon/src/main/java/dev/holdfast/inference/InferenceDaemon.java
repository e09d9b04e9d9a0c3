package dev.holdfast.inference;

import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.sockets.EventLoop;
import dev.holdfast.sockets.SocketServer;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The inference process: models between two Unix sockets. It reads the store and writes nothing but its sockets. A damaged model
 * never ends it and leaves the others, because the process that could repair the damage talks to it.
 */
public final class InferenceDaemon implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(InferenceDaemon.class);

    private final EventLoop loop = new EventLoop();
    private final ModelHost models;
    private final ChallengeRelay relay;
    private final ControlRoutes control;
    private final SocketServer apiServer;
    private final SocketServer controlServer;

    private InferenceDaemon(InferenceConfig config, Supplier<List<String>> recentLines) throws IOException {
        models = new ModelHost(new ModelHost.Settings(
                config.storeDir().resolve("blobs"),
                new HealthGate.Settings(
                        config.limits().contextTokens(),
                        config.limits().sequences(),
                        config.limits().cache()),
                config.limits().queued(),
                config.limits().threads(),
                config.limits().memoryBudget()));
        relay = new ChallengeRelay(loop.vertx());
        control = new ControlRoutes(models, relay, recentLines);
        SocketServer api = null;
        try {
            api = SocketServer.start(
                    loop.vertx(),
                    config.sockets().inference(),
                    config.api().mode(),
                    config.api().peers(),
                    new ApiRoutes(models, relay));
            controlServer = SocketServer.start(
                    loop.vertx(),
                    config.sockets().inferenceControl(),
                    config.control().mode(),
                    config.control().peers(),
                    control);
            apiServer = api;
        } catch (IOException | RuntimeException e) {
            if (api != null) {
                api.close();
            }
            control.close();
            models.close();
            loop.close();
            throw e;
        }
    }

    /**
     * Opens both sockets, then loads and serves every model that {@code serving.json} names. Where one is damaged its fallback is
     * tried, and where nothing of it can be served the daemon runs without it.
     *
     * @throws IOException where a socket cannot be opened
     */
    public static InferenceDaemon start(InferenceConfig config) throws IOException {
        return start(config, List::of);
    }

    /** The same, and tells the agent what {@code words} kept. */
    public static InferenceDaemon start(InferenceConfig config, CrashLog words) throws IOException {
        return start(config, words::lines);
    }

    private static InferenceDaemon start(InferenceConfig config, Supplier<List<String>> recentLines)
            throws IOException {
        InferenceDaemon daemon = new InferenceDaemon(config, recentLines);
        daemon.serveStored(config.storeDir().resolve(Pointer.FILE_NAME));
        return daemon;
    }

    private void serveStored(Path file) {
        if (Files.notExists(file)) {
            LOG.info("no model has been installed yet");
            return;
        }
        switch (pointer(file)) {
            case Verdict.Rejected<Pointer.Readable> rejected ->
                LOG.error("{}: {}", Pointer.FILE_NAME, rejected.reason());
            case Verdict.Accepted<Pointer.Readable>(Pointer.Readable record) -> {
                record.damage().forEach(damage -> LOG.error("{}: {}", Pointer.FILE_NAME, damage));
                models.keep(new ServingSet(record.byDefault(), record.models().keySet()));
                serveAll(record);
            }
        }
    }

    /** The default first, which then has the cores and the first word on memory; the others at once. */
    private void serveAll(Pointer.Readable record) {
        SortedMap<String, List<Slot>> others = new TreeMap<>(record.models());
        record.byDefault().map(others::remove).ifPresent(this::serveBest);
        List<Thread> loads = others.entrySet().stream()
                .map(model -> Thread.ofPlatform()
                        .daemon()
                        .name("holdfast-load-" + model.getKey())
                        .start(() -> serveBest(model.getValue())))
                .toList();
        try {
            for (Thread load : loads) {
                load.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void serveBest(List<Slot> slots) {
        for (Slot slot : slots) {
            GateReport report = models.serve(slot);
            if (report.passed()) {
                LOG.info("serving {} ({}) after {} ms", slot, slot.digest(), report.loadMillis());
                return;
            }
            LOG.error("cannot serve {}: {}", slot, report.failure().orElseThrow());
        }
    }

    private static Verdict<Pointer.Readable> pointer(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return Pointer.readable(in.readNBytes(Pointer.MAX_BYTES + 1));
        } catch (IOException e) {
            return Verdict.rejected(Code.GATE_LOAD, "cannot read it: " + e.getMessage());
        }
    }

    /** What is served now. */
    public InferenceStatus status() {
        return models.status();
    }

    /** Challenges of local programs that wait for evidence. */
    int challengesWaiting() {
        return relay.waiting();
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
