package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.agent.metrics.AgentMetrics;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.bundle.SeekableBytes;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.util.Optional;
import java.util.SortedMap;
import java.util.function.Supplier;

/** What the control socket may ask of the agent. Thread-safe. */
final class AgentControl {
    private final UpdateLoop loop;
    private final EvidenceResponder responder;
    private final TeeBridge bridge;
    private final DeviceReport report;
    private final ScrubDuty scrub;
    private final Supplier<Optional<String>> brokenLog;
    private final AgentMetrics metrics;

    /** @param brokenLog why evidence would be refused, {@link dev.holdfast.attestation.EventLog#broken} */
    AgentControl(
            UpdateLoop loop,
            EvidenceResponder responder,
            TeeBridge bridge,
            DeviceReport report,
            ScrubDuty scrub,
            Supplier<Optional<String>> brokenLog,
            AgentMetrics metrics) {
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
