package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.agent.metrics.AgentMetrics;
import dev.holdfast.control.Refusal;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.bundle.SeekableBytes;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.SortedMap;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** What the control socket may ask of the agent. Thread-safe. */
final class AgentControl {
    /** How long reports say so: the machine may stay on after all. */
    private static final Duration LEAVING = Duration.ofSeconds(10);
    /** A shutdown waits for it. */
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final UpdateLoop loop;
    private final EvidenceResponder responder;
    private final TeeBridge bridge;
    private final DeviceReport report;
    private final ScrubDuty scrub;
    private final Supplier<Optional<String>> brokenLog;
    private final AgentMetrics metrics;
    private final Consumer<ObjectNode> fleet;
    private volatile Optional<Instant> leaving = Optional.empty();

    /**
     * @param brokenLog why evidence would be refused, {@link dev.holdfast.attestation.EventLog#broken}
     * @param fleet sends a report; does nothing while the broker is away
     */
    AgentControl(
            UpdateLoop loop,
            EvidenceResponder responder,
            TeeBridge bridge,
            DeviceReport report,
            ScrubDuty scrub,
            Supplier<Optional<String>> brokenLog,
            AgentMetrics metrics,
            Consumer<ObjectNode> fleet) {
        this.fleet = fleet;
        this.metrics = metrics;
        this.brokenLog = brokenLog;
        this.loop = loop;
        this.responder = responder;
        this.bridge = bridge;
        this.report = report;
        this.scrub = scrub;
    }

    ObjectNode status() {
        ObjectNode status = report.status(loop.state(), scrub.status());
        leaving.filter(since -> since.plus(LEAVING).isAfter(Instant.now()))
                .ifPresent(since -> status.put("leaving", since.toString()));
        return status.setAll(loop.standing());
    }

    ArrayNode history() {
        return report.history();
    }

    /** Numbers for whoever watches the device. */
    String metrics() {
        return metrics.text(status(), brokenLog.get().isPresent());
    }

    ObjectNode inventory() throws TeeException {
        return TeeBridges.inventory(bridge, brokenLog.get());
    }

    Binary evidence(Binary nonce) throws IOException, TeeException, RejectedException {
        return responder.evidence(nonce);
    }

    /** Tells the fleet that the machine goes down, and waits until it asked and was answered, but not for long. */
    ObjectNode leave() {
        if (!loop.state().connected()) {
            return unanswered(Code.LNK_DOWN, "the broker is not reached");
        }
        leaving = Optional.of(Instant.now());
        return responder.answersFleet(() -> fleet.accept(status()), PATIENCE)
                ? Json.object().put("answered", true).put("detail", "the fleet asked, and has the evidence")
                : unanswered(Code.LNK_TIMEOUT, "the fleet did not ask in time");
    }

    private static ObjectNode unanswered(Code code, String why) {
        return Refusal.toJson(new Rejection(code, why)).put("answered", false);
    }

    /** Of the default model where none is named. */
    InstallOutcome rollback(Optional<String> model, String why) throws IOException {
        return loop.rollback(model.or(report::defaultModel).orElse(""), why);
    }

    void pause(boolean pausing, String why) throws IOException {
        loop.pause(pausing, why);
    }

    Verdict<SortedMap<String, InstallOutcome>> install(SeekableBytes bundle) throws IOException {
        return loop.install(bundle);
    }
}
