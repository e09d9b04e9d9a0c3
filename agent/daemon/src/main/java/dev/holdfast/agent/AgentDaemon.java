package dev.holdfast.agent;

import dev.holdfast.agent.health.AgentHealth;
import dev.holdfast.agent.health.Pulse;
import dev.holdfast.agent.metrics.AgentCounters;
import dev.holdfast.agent.metrics.AgentCounters.Inbound;
import dev.holdfast.agent.metrics.AgentMetrics;
import dev.holdfast.agent.pace.FloorClock;
import dev.holdfast.agent.pace.RefreshSchedule;
import dev.holdfast.agent.state.StateLock;
import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.ChallengeQueue;
import dev.holdfast.attestation.EventLog;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.Version;
import dev.holdfast.control.config.ConfigReload;
import dev.holdfast.link.ClientId;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.ReconnectingLink;
import dev.holdfast.link.Topics;
import dev.holdfast.sockets.EventLoop;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.sockets.ServiceManager;
import dev.holdfast.sockets.SocketServer;
import dev.holdfast.storage.Disk;
import dev.holdfast.storage.DiskException;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.VmReporter;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.updater.InstallObserver;
import dev.holdfast.updater.Installer;
import dev.holdfast.updater.InstallerConfig;
import dev.holdfast.updater.InstallerPorts;
import dev.holdfast.updater.ModelStore;
import dev.holdfast.updater.StoreScrub;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.QuietLog;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Subject;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The update and attestation daemon: opens its parts, ties them together, and closes them in the opposite order. What they do, they
 * do by themselves: {@link UpdateLoop}, {@link ModelWork}, {@link GraceDuty}, {@link EvidenceResponder}, {@link ChallengeCollector}, {@link ScrubDuty}.
 */
public final class AgentDaemon implements AutoCloseable {
    static final String NAME = "holdfast";
    static final String VERSION = Version.NAME;
    private static final Logger LOG = LoggerFactory.getLogger(AgentDaemon.class);
    /** Of the start. A TPM takes seconds for a key, and some take minutes when they have just been reset. */
    private static final Duration LONGEST_STEP = Duration.ofMinutes(5);

    private final OpenedParts parts;
    private final Consumer<AgentConfig> settings;

    private AgentDaemon(OpenedParts parts, Consumer<AgentConfig> settings) {
        this.parts = parts;
        this.settings = settings;
    }

    /** Takes what may change while it runs; the rest waits for a restart. */
    void reconfigure(AgentConfig other) {
        settings.accept(other);
    }

    /** Says how a reload ended. */
    static void reloaded(ConfigReload.Outcome outcome) {
        switch (outcome) {
            case ConfigReload.Outcome.Kept kept -> LOG.warn("the configuration stays as it was: {}", kept.why());
            case ConfigReload.Outcome.Taken taken -> LOG.info("{}", taken);
        }
    }

    public static AgentDaemon start(AgentConfig config) throws IOException, TeeException {
        return start(config, ServiceManager.none(), record -> {});
    }

    /** Starts and tells the service manager how it goes on. */
    static AgentDaemon start(AgentConfig config, ServiceManager manager) throws IOException, TeeException {
        return start(config, manager, record -> {});
    }

    /**
     * Starts with an observer that is told of each durable transition of an install. What a failed start has opened is closed.
     *
     * @param manager is told of the start, of readiness, health and what is done
     */
    static AgentDaemon start(AgentConfig config, ServiceManager manager, InstallObserver observer)
            throws IOException, TeeException {
        OpenedParts opened = new OpenedParts();
        boolean started = false;
        try {
            Consumer<AgentConfig> settings = open(config, manager, observer, opened);
            started = true;
            return new AgentDaemon(opened, settings);
        } finally {
            // After an Error, too: threads that stay would keep a half-open process alive.
            if (!started) {
                opened.close();
            }
        }
    }

    /** @return takes another configuration while all runs */
    private static Consumer<AgentConfig> open(
            AgentConfig given, ServiceManager manager, InstallObserver observer, OpenedParts opened)
            throws IOException, TeeException {
        tolerating(() -> Disk.LOCAL.createDirectories(given.stateDir()));
        tolerating(() -> opened.add("state lock", StateLock.take(given.stateDir())));
        AtomicReference<AgentConfig> inForce = new AtomicReference<>(given);
        Supplier<Duration> refresh = () -> inForce.get().updates().refresh();
        FloorClock clock = new FloorClock(Clock.systemUTC());
        manager.starting("opening the root of trust", LONGEST_STEP);
        TeeBridge bridge = opened.add("root of trust", TeeBridges.open(given));
        AgentConfig config = TeeBridges.named(given, bridge);
        Optional<VmReporter> machine = TeeBridges.machine(config);
        machine.ifPresent(reporter -> opened.add("machine reports", reporter));
        manager.starting("reading the event log and the journal", LONGEST_STEP);
        EventLog log = opened.add(
                "event log",
                EventLog.open(
                        config.eventsDir(),
                        bridge.register()
                                .orElseThrow(() -> new TeeException(Code.TEE_UNAVAILABLE, "no measurement register"))));
        tolerating(() -> log.agentStarted(NAME, VERSION));
        InferenceClient inference = new InferenceClient(config.sockets().inferenceControl());
        ModelMeasurements measurements = new ModelMeasurements(log, slot -> ServingProbe.tokenizer(inference, slot));
        TrustFloors floors = new TrustFloors();
        ModelStore store = ModelStore.open(config.storeDir());
        Attester attester = new Attester(
                bridge,
                log,
                new Attester.Surroundings(
                        NAME,
                        VERSION,
                        ProcessConfinement::read,
                        new ServingProbe(
                                new InferenceClient(
                                        config.sockets().inferenceControl(), InferenceClient.Deadlines.PROMPT),
                                store::pointer,
                                measurements),
                        floors::known,
                        config.root().platformLogs(),
                        machine));
        AgentCounters counters = new AgentCounters();
        ChallengeQueue challenges = opened.add(
                "challenges",
                new ChallengeQueue(
                        counters.counting(attester::attest, Faults::reasonOf), ChallengeQueue.Limits.DEFAULT));

        FleetClient fleet = opened.add("link", new FleetClient(config.topics()));
        // The installer reports through what comes after it.
        AtomicReference<Runnable> reporting = new AtomicReference<>(() -> {});
        Installer installer = Installer.open(
                store,
                installerConfig(config),
                new InstallerPorts(fleet, inference, measurements, floors, floors, clock, record -> {
                    LOG.info("order {}: {} {}", Subject.order(record.orderVersion()), record.state(), record.slot());
                    counters.entered(record);
                    reporting.get().run();
                    observer.entered(record);
                }));
        ModelWorks works = opened.add(
                "work on the models",
                new ModelWorks(new ModelWork.Parts(
                        installer,
                        fleet,
                        clock,
                        () -> new RefreshSchedule(refresh, new SecureRandom()),
                        () -> reporting.get().run())));
        GraceDuty graces = opened.add("graces", GraceDuty.start(installer::tendGraces, clock));
        CertificateStore certificates = TeeBridges.certificates(config, bridge, clock);
        Pulse pulse = new Pulse();
        UpdateLoop loop = new UpdateLoop(new UpdateParts(
                () -> TrustClient.start(
                        config.trustDir(),
                        config.root().factoryRoot(),
                        TeeBridges.anchors(bridge),
                        pulse.beatingWith(fleet),
                        Clock.systemUTC()),
                floors,
                fleet,
                store,
                installer,
                works,
                Enrolment.of(config, bridge, fleet, certificates, clock),
                measurements,
                clock,
                new RefreshSchedule(refresh, new SecureRandom()),
                pulse,
                () -> reporting.get().run()));
        EvidenceResponder responder = new EvidenceResponder(
                challenges,
                new FleetSeals(
                        config.topics(),
                        () -> loop.trust().map(TrustClient::directorKeys).orElse(List.of()),
                        clock),
                fleet.evidence());
        ScrubDuty scrub = opened.add(
                "scrub",
                ScrubDuty.start(
                        new StoreScrub(installer, ScrubDuty.BYTES_PER_SECOND),
                        loop::trust,
                        loop::wake,
                        clock,
                        config.updates().scrub(),
                        config.stateDir().resolve("last-scrub")));
        DeviceReport report = new DeviceReport(
                config.topics(),
                bridge.describe(),
                store,
                installer,
                () -> inForce.get().memoryBudget());
        AgentMetrics metrics = new AgentMetrics(
                counters,
                log::contents,
                () -> loop.trust()
                        .map(trust -> trust.orderSeen(config.topics().device()))
                        .orElse(0L),
                config.storeDir());
        AgentControl control =
                new AgentControl(loop, responder, bridge, report, scrub, log::broken, metrics, fleet::report);
        reporting.set(() -> {
            graces.wake();
            fleet.report(control.status());
            manager.status(loop.state().sentence(store.pointer()));
        });

        // Hints come from the first moment on, and the loop is told of them.
        fleet.use(ReconnectingLink.open(
                linkConfig(config).with(TeeBridges.access(config, bridge, certificates)),
                new Incoming(config.topics(), fleet, loop, responder, counters, new QuietLog(LOG))));
        EventLoop sockets = opened.add("event loop", new EventLoop());
        opened.add(
                "control socket",
                SocketServer.start(
                        sockets.vertx(),
                        config.sockets().agent(),
                        "rw-rw----",
                        PeerPolicy.onlyOwnGroup(),
                        new AgentRoutes(control, sockets.vertx())));
        opened.add("collector", ChallengeCollector.start(inference, challenges));
        opened.add("update loop", loop);
        loop.start();
        manager.status(loop.state().sentence(store.pointer()));
        manager.watch(new AgentHealth(pulse, config.sockets().agent()));
        return other -> {
            inForce.set(other);
            installer.reconfigure(installerConfig(other));
            scrub.every(other.updates().scrub());
            works.wake();
        };
    }

    @FunctionalInterface
    private interface Step {
        void run() throws IOException, TeeException;
    }

    /** A disk that is full, or refuses otherwise, does not end a start: what was left out is done as soon as it can be. */
    private static void tolerating(Step step) throws IOException, TeeException {
        try {
            step.run();
        } catch (DiskException e) {
            LOG.warn("{}; the agent starts all the same and goes on when the disk takes it", e.reason());
        }
    }

    private static LinkConfig linkConfig(AgentConfig config) {
        Topics topics = config.topics();
        AgentConfig.Broker broker = config.broker();
        return LinkConfig.of(
                        broker.address(),
                        ClientId.fresh(topics.fleet(), topics.device()),
                        List.of(topics.answer(), topics.desired(), topics.challenge()))
                .withPresence(topics.online())
                .with(LinkConfig.Pace.DEFAULT.of(topics, broker.keepAlive(), broker.lastRetry(), broker.spread()));
    }

    private static InstallerConfig installerConfig(AgentConfig config) {
        AgentConfig.Updates updates = config.updates();
        InstallerConfig defaults = InstallerConfig.defaults(VERSION);
        return defaults.with(new InstallerConfig.Device(
                        VERSION, config.memoryBudget(), defaults.device().diskReserveBytes()))
                .with(new InstallerConfig.Probation(updates.probation(), Duration.ofMillis(500)))
                .with(new InstallerConfig.Budget(updates.byteBudget(), updates.metered(), updates.dailyBytes()))
                .with(new InstallerConfig.Retries(
                        updates.transportRetries(), Duration.ofSeconds(1), Duration.ofMinutes(2)))
                .with(new InstallerConfig.Pace(
                        updates.bytesPerSecond(), defaults.pace().downloads()));
    }

    /** Hands on what the broker brings. */
    private record Incoming(
            Topics topics,
            FleetClient fleet,
            UpdateLoop loop,
            EvidenceResponder responder,
            AgentCounters counters,
            QuietLog quiet)
            implements MqttLink.Receiver {
        @Override
        public void received(MqttLink.Inbound message) {
            byte[] payload = message.payload();
            if (message.topic().equals(topics.answer())) {
                counters.received(Inbound.ANSWER, payload.length, fleet.received(payload));
            } else if (message.topic().equals(topics.desired())) {
                counters.received(Inbound.HINT, payload.length, Optional.empty());
                loop.hinted(payload);
            } else if (message.topic().equals(topics.challenge())) {
                counters.received(Inbound.CHALLENGE, payload.length, responder.received(payload));
            } else {
                // The broker chooses the name, and how often.
                Rejection why = new Rejection(Code.LNK_TOPIC, message.topic());
                counters.received(Inbound.UNKNOWN, payload.length, Optional.of(why));
                quiet.warn("{}", why);
            }
        }

        @Override
        public void missed() {
            loop.missed();
        }
    }

    @Override
    public void close() {
        parts.close();
    }
}
