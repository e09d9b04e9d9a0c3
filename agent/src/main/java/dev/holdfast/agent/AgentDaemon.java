package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.ChallengeDesk;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.inference.PeerPolicy;
import dev.holdfast.inference.SocketServer;
import dev.holdfast.link.Answer;
import dev.holdfast.link.Ask;
import dev.holdfast.link.Challenge;
import dev.holdfast.link.Evidence;
import dev.holdfast.link.LinkConfig;
import dev.holdfast.link.MqttLink;
import dev.holdfast.link.PahoLink;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.VmReporter;
import dev.holdfast.updater.InstallObserver;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.updater.Installer;
import dev.holdfast.updater.InstallerConfig;
import dev.holdfast.updater.InstallerPorts;
import dev.holdfast.updater.ModelStore;
import dev.holdfast.updater.OfflineInstall;
import dev.holdfast.updater.Order;
import dev.holdfast.updater.SeekableBytes;
import dev.holdfast.updater.Serving;
import dev.holdfast.updater.Slot;
import dev.holdfast.updater.StoreScrub;
import dev.holdfast.updater.TrustClient;
import dev.holdfast.updater.TrustedTargets;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The update and attestation daemon. One thread, {@code agent-work}, refreshes metadata and installs; one, {@code
 * agent-attest}, answers challenges; the link's thread only hands over. Start once, close once.
 */
public final class AgentDaemon implements AutoCloseable {
    static final String VERSION = "0.1.0";
    private static final Logger LOG = LoggerFactory.getLogger(AgentDaemon.class);
    private static final Duration OFFLINE_LOOK = Duration.ofSeconds(1);
    /** Looking for a newer order costs hashing what was downloaded, so a download stands back no oftener than this. */
    private static final Duration STAND_BACK = Duration.ofMinutes(10);

    private static final Duration STOP_LIMIT = Duration.ofSeconds(2);
    /** A few challenges wait before ours, and hardware takes seconds for each. */
    private static final Duration ATTEST_LIMIT = Duration.ofSeconds(30);

    private final HoldfastConfig config;
    private final TeeBridge bridge;
    private final EventLog log;
    private final ServiceLog serviceLog;
    private final Optional<VmReporter> machine;
    private final Attester attester;
    private final UnixHttp http = new UnixHttp();
    private final ModelStore store;
    private final Installer installer;
    private final FleetClient fleet;
    private final MqttLink link;
    private final SocketServer control;
    private final Semaphore wake = new Semaphore(0);
    private final FloorClock clock = new FloorClock(Clock.systemUTC());
    private final LookPace pace;
    private final ChallengeDesk challenges;
    private final ChallengeCollector collector;
    private final DeviceReport report;
    private final ScrubDuty scrub;
    private final Thread worker;
    private volatile Optional<TrustClient> trust = Optional.empty();
    private volatile boolean closed;
    private volatile boolean enrolled;
    private volatile Optional<Rejection> lastRejection = Optional.empty();
    private Instant nextLook = Instant.MAX;
    private volatile String phase = "starting";

    private AgentDaemon(HoldfastConfig config, InstallObserver observer) throws IOException, TeeException {
        this.config = config;
        pace = new LookPace(config.refresh(), clock, new SecureRandom());
        Files.createDirectories(config.stateDir());
        bridge = RootOfTrust.open(config);
        log = EventLog.open(
                config.stateDir().resolve("events"),
                bridge.register().orElseThrow(() -> new TeeException(Code.TEE_UNAVAILABLE, "no measurement register")));
        log.agentStarted("holdfast", VERSION);
        serviceLog = new ServiceLog(
                log, model -> ServingProbe.tokenizer(http, config.inference().controlSocket(), model));
        store = ModelStore.open(config.inference().storeDir());
        Path inferenceControl = config.inference().controlSocket();
        machine = RootOfTrust.machine(config);
        attester = new Attester(
                bridge,
                log,
                new Attester.Surroundings(
                        "holdfast",
                        VERSION,
                        SandboxFacts::read,
                        new ServingProbe(http, inferenceControl, store::serving, serviceLog),
                        config.platformLogs(),
                        machine));
        challenges = new ChallengeDesk(attester::attest, ChallengeDesk.Limits.DEFAULT);
        collector = ChallengeCollector.start(http, inferenceControl, challenges);
        LinkConfig linkConfig = LinkConfig.of(
                        config.brokerUri(),
                        "holdfast-" + config.topics().device(),
                        List.of(
                                config.topics().answer(),
                                config.topics().desired(),
                                config.topics().challenge()))
                .withPresence(config.topics().online());
        fleet = new FleetClient(config.topics());
        installer = Installer.open(
                store,
                InstallerConfig.defaults(VERSION)
                        .withProbation(config.probation(), Duration.ofMillis(500))
                        .withByteBudget(config.byteBudget(), config.metered())
                        .withTransport(config.transportRetries(), Duration.ofSeconds(1), Duration.ofMinutes(2))
                        .withPace(config.bytesPerSecond(), longer(config.refresh(), STAND_BACK)),
                new InstallerPorts(
                        fleet,
                        new InferenceClient(http, config.inference().controlSocket()),
                        serviceLog,
                        RootOfTrust.anchors(bridge).epochFloor(),
                        clock,
                        record -> {
                            LOG.info("order {}: {} {}", record.orderVersion(), record.state(), record.slot());
                            report();
                            observer.entered(record);
                        }));
        // Hints come from the first moment on, and the installer is told of them.
        link = PahoLink.open(RootOfTrust.secured(linkConfig, config, bridge), this::received);
        fleet.use(link);
        report = new DeviceReport(config.topics(), bridge.describe(), store, installer);
        scrub = ScrubDuty.start(
                new StoreScrub(store, installer, ScrubDuty.BYTES_PER_SECOND),
                () -> trust,
                wake::release,
                clock,
                config.scrub(),
                config.stateDir().resolve("last-scrub"));
        control = SocketServer.start(
                http.vertx(),
                config.controlSocket(),
                "rw-rw----",
                PeerPolicy.onlyUsers(Set.of()),
                new AgentRoutes(this, http.vertx()));
        worker = Thread.ofPlatform().name("agent-work").daemon().unstarted(this::work);
    }

    public static AgentDaemon start(HoldfastConfig config) throws IOException, TeeException {
        return start(config, record -> {});
    }

    /** Starts with an observer that is told of each durable transition of an install. */
    static AgentDaemon start(HoldfastConfig config, InstallObserver observer) throws IOException, TeeException {
        AgentDaemon daemon = new AgentDaemon(config, observer);
        daemon.worker.start();
        return daemon;
    }

    private void received(MqttLink.Inbound message) {
        if (message.topic().equals(config.topics().answer())) {
            fleet.received(message.payload());
        } else if (message.topic().equals(config.topics().desired())) {
            hinted(message.payload());
        } else if (message.topic().equals(config.topics().challenge())) {
            switch (Challenge.decode(message.payload())) {
                case Verdict.Rejected<Challenge> rejected -> LOG.warn("challenge dropped: {}", rejected.reason());
                case Verdict.Accepted<Challenge>(Challenge challenge) -> submit(challenge.nonce());
            }
        } else {
            LOG.warn("{} {}", Code.LNK_TOPIC.id(), message.topic());
        }
    }

    /** The number of an order that may be there: anybody's word, worth a look. */
    private void hinted(byte[] payload) {
        String number = new String(payload, StandardCharsets.US_ASCII);
        if (number.matches("[0-9]{1,18}")) {
            installer.announced(Long.parseLong(number));
        }
        wake.release();
    }

    private static Duration longer(Duration a, Duration b) {
        return a.compareTo(b) < 0 ? b : a;
    }

    private void submit(Binary nonce) {
        var unused = challenges.answer(nonce).whenComplete((evidence, failure) -> {
            if (failure instanceof RejectedException rejected) {
                LOG.debug("challenge dropped: {}", rejected.rejection());
            } else if (failure != null) {
                LOG.warn("challenge not answered: {}", failure.getMessage());
            } else {
                // Publishing waits for the broker, which must not hold up the next challenge.
                Thread.ofVirtual()
                        .name("agent-evidence")
                        .start(() -> publish(new Evidence(nonce, Binary.copyOf(evidence))));
            }
        });
    }

    private void publish(Evidence evidence) {
        try {
            link.publish(config.topics().evidence(), evidence.encode(), false);
        } catch (IOException e) {
            LOG.warn("challenge not answered: {}", e.getMessage());
        }
    }

    /** Evidence for a nonce of 8 to 64 bytes; waits for its turn. */
    byte[] attest(Binary nonce) throws IOException, TeeException, RejectedException {
        try {
            return challenges.answer(nonce).get(ATTEST_LIMIT.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RejectedException rejected -> throw rejected;
                case TeeException tee -> throw tee;
                case null, default -> throw new IOException(e.getCause());
            }
        } catch (TimeoutException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "no evidence within " + ATTEST_LIMIT.toSeconds() + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    TeeBridge bridge() {
        return bridge;
    }

    private void work() {
        // Before the recovery, which measures what serves under the key that the trust client knows.
        Optional<TrustClient> first = firstTrust();
        recover();
        trust = first;
        while (!closed) {
            Duration pause;
            try {
                nextLook = Instant.MAX;
                wake.drainPermits();
                if (trust.isEmpty()) {
                    trust = startTrust();
                }
                if (!link.connected()) {
                    phase = "offline";
                    pause = OFFLINE_LOOK;
                    finish();
                } else if (trust.isPresent() && !step(trust.get())) {
                    pause = pace.afterFailure(fleet.quiet());
                } else {
                    pause = pace.afterSuccess(nextLook);
                }
                report();
            } catch (IOException | TeeException e) {
                note(new Rejection(Code.LNK_DOWN, String.valueOf(e.getMessage())));
                pause = pace.afterFailure(fleet.quiet());
            } catch (RuntimeException e) {
                LOG.error("the update loop failed and goes on", e);
                pause = pace.afterFailure(fleet.quiet());
            }
            try {
                boolean woken = wake.tryAcquire(pause.toMillis(), TimeUnit.MILLISECONDS);
                LOG.debug("woken: {}", woken);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private Optional<TrustClient> firstTrust() {
        try {
            return startTrust();
        } catch (IOException | TeeException e) {
            LOG.warn("trust: {}", e.getMessage());
            return Optional.empty();
        }
    }

    private void recover() {
        phase = "recovering";
        try {
            Installer.Recovery recovery = installer.recover();
            recovery.pending().ifPresent(this::note);
            recovery.journalDamage().ifPresent(this::note);
            Optional<Serving> serving = recovery.serving();
            if (serving.isPresent()) {
                log.ensureServing(serviceLog.event(serving.get().serving(), ModelEvent.Kind.SERVE));
            }
        } catch (IOException | TeeException e) {
            note(new Rejection(Code.INS_JOURNAL, String.valueOf(e.getMessage())));
        }
    }

    private Optional<TrustClient> startTrust() throws IOException, TeeException {
        return switch (TrustClient.start(
                config.stateDir().resolve("trust"),
                config.factoryRoot(),
                RootOfTrust.anchors(bridge),
                fleet,
                Clock.systemUTC())) {
            case Verdict.Rejected<TrustClient> rejected -> {
                note(rejected.reason());
                yield Optional.empty();
            }
            case Verdict.Accepted<TrustClient>(TrustClient client) -> {
                serviceLog.authority(client.anchorKeyId());
                yield Optional.of(client);
            }
        };
    }

    /** One look at the fleet; true when nothing is left to do until the next hint. */
    private boolean step(TrustClient trust) throws IOException, TeeException {
        if (!enrolled && !enrol()) {
            return false;
        }
        if (installer.isHeld()) {
            finish();
            phase = "paused";
            return true;
        }
        phase = "refreshing";
        report();
        Verdict<Order> order = trust.refresh()
                .then((TrustedTargets targets) -> trust.order(config.topics().device()));
        clock.raise(trust.now());
        return switch (order) {
            case Verdict.Rejected<Order> rejected -> {
                note(rejected.reason());
                phase = "idle";
                yield rejected.reason().code() == Code.LNK_REFUSED;
            }
            case Verdict.Accepted<Order>(Order accepted) -> install(accepted);
        };
    }

    private boolean install(Order order) throws IOException {
        phase = "installing";
        InstallOutcome outcome = installer.install(order);
        if (outcome instanceof InstallOutcome.Interrupted(var _, Rejection reason)
                && reason.code() == Code.INS_WAITING) {
            nextLook = order.rollout().next(order.device(), clock.instant());
        }
        return ended(outcome);
    }

    /** What was measured already is brought to its end, whoever is away or paused. */
    private void finish() throws IOException {
        Optional<InstallOutcome> outcome = installer.resume();
        outcome.ifPresent(this::ended);
    }

    private boolean ended(InstallOutcome outcome) {
        phase = "idle";
        return switch (outcome) {
            case InstallOutcome.Committed(Slot slot) -> {
                LOG.info("committed {}", slot);
                lastRejection = Optional.empty();
                yield true;
            }
            case InstallOutcome.Unchanged(Slot _) -> {
                lastRejection = Optional.empty();
                yield true;
            }
            case InstallOutcome.RolledBack(Slot _, Rejection reason) -> noted(reason, true);
            case InstallOutcome.Failed(Rejection reason) ->
                reason.code() == Code.INS_FAILED_BEFORE || noted(reason, true);
            case InstallOutcome.Interrupted(var _, Rejection reason) -> interrupted(reason);
        };
    }

    private boolean interrupted(Rejection reason) {
        switch (reason.code()) {
            case INS_PAUSED -> phase = "paused";
            case INS_WAITING -> phase = "waiting";
            case INS_SUPERSEDED -> wake.release();
            default -> note(reason);
        }
        return reason.code() == Code.INS_PAUSED
                || reason.code() == Code.INS_WAITING
                || reason.code() == Code.INS_SUPERSEDED;
    }

    private boolean noted(Rejection reason, boolean result) {
        note(reason);
        return result;
    }

    private void note(Rejection reason) {
        if (!lastRejection.equals(Optional.of(reason))) {
            LOG.warn("{}", reason);
        }
        lastRejection = Optional.of(reason);
    }

    private boolean enrol() throws IOException, TeeException {
        phase = "enrolling";
        DeviceEnrolment enrolment = new DeviceEnrolment(bridge, config.topics().device());
        if (!(fleet.single(new Ask.Enrol(Binary.copyOf(enrolment.request())))
                instanceof Answer.Enrolment(Binary challenge))) {
            throw new IOException(Code.ATT_ENROL.id() + ": the service did not challenge");
        }
        switch (enrolment.prove(challenge.toArray())) {
            case Verdict.Rejected<byte[]> rejected -> note(rejected.reason());
            case Verdict.Accepted<byte[]>(byte[] proof) -> {
                if (fleet.single(new Ask.Prove(Binary.copyOf(proof))) instanceof Answer.Enrolment(Binary welcome)) {
                    switch (enrolment.complete(welcome.toArray())) {
                        case Verdict.Rejected<?> rejected -> note(rejected.reason());
                        case Verdict.Accepted<Optional<DeviceEnrolment.Issued>>(var issued) -> {
                            if (issued.isPresent()) {
                                CertificateFiles.keep(
                                        config.tlsCertificate()
                                                .resolveSibling(".")
                                                .normalize(),
                                        issued.get());
                            }
                            enrolled = true;
                        }
                    }
                }
            }
        }
        return enrolled;
    }

    private void report() {
        try {
            if (link.connected()) {
                link.publish(config.topics().status(), Json.write(status()), true);
            }
        } catch (IOException e) {
            LOG.debug("report: {}", e.getMessage());
        }
    }

    ObjectNode status() {
        ObjectNode status = report.status(new DeviceReport.Moment(phase, link.connected(), enrolled, lastRejection));
        scrub.status().ifPresent(found -> status.set("scrub", found));
        return status;
    }

    ArrayNode history() {
        return report.history();
    }

    InstallOutcome rollback(String why) throws IOException {
        InstallOutcome outcome = installer.rollback(why);
        if (outcome instanceof InstallOutcome.RolledBack(Slot _, Rejection reason)) {
            note(reason);
        }
        report();
        return outcome;
    }

    /** Installs from a bundle that somebody holds open; {@code API-BUSY} while an install from the link is under way. */
    Verdict<InstallOutcome> install(SeekableBytes bundle) throws IOException {
        Optional<TrustClient> client = trust;
        if (client.isEmpty() || phase.equals("installing")) {
            return Verdict.rejected(Code.API_BUSY, "the agent is " + phase);
        }
        Verdict<InstallOutcome> outcome =
                OfflineInstall.run(bundle, config.topics().device(), client.get(), installer);
        if (outcome instanceof Verdict.Rejected<InstallOutcome>(Rejection reason)) {
            note(reason);
        }
        wake.release();
        return outcome;
    }

    void pause(boolean pausing, String why) throws IOException {
        if (pausing) {
            installer.hold(why);
        } else {
            installer.release(why);
        }
        wake.release();
    }

    @Override
    public void close() {
        closed = true;
        scrub.close();
        installer.stop();
        wake.release();
        try {
            // Between two operations on the disk it ends by itself; only waiting for others needs the interrupt.
            if (!worker.join(STOP_LIMIT)) {
                worker.interrupt();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        collector.close();
        challenges.close();
        control.close();
        link.close();
        http.close();
        try {
            worker.join(Duration.ofSeconds(5));
            log.close();
        } catch (IOException e) {
            LOG.warn("event log: {}", e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        machine.ifPresent(VmReporter::close);
        bridge.close();
    }
}
