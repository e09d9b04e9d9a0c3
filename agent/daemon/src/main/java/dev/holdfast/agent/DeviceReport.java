package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.Slot;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.TeeDescription;
import dev.holdfast.updater.InstallRecord;
import dev.holdfast.updater.InstallState;
import dev.holdfast.updater.Installer;
import dev.holdfast.updater.ModelStore;
import dev.holdfast.updater.OperatorRecord;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** What the agent says of itself: to {@code holdfast status} and {@code history}, and to the fleet. Thread-safe. */
final class DeviceReport {
    private final Topics topics;
    private final TeeDescription tee;
    private final ModelStore store;
    private final Installer installer;

    DeviceReport(Topics topics, TeeDescription tee, ModelStore store, Installer installer) {
        this.topics = topics;
        this.tee = tee;
        this.store = store;
        this.installer = installer;
    }

    /** What {@code holdfast status} shows and the fleet keeps as the device's report; at most some 20 KiB. */
    ObjectNode status(AgentState now, Optional<ObjectNode> scrub) {
        ObjectNode status = Json.object()
                .put("device", topics.device())
                .put("fleet", topics.fleet())
                .put("agent", AgentDaemon.VERSION)
                .put("state", now.phase().word())
                .put("connected", now.connected())
                .put("enrolled", now.enrolled())
                .put("paused", installer.isPaused());
        List<OperatorRecord> actions = installer.operatorHistory();
        if (installer.isPaused()) {
            status.putObject("pause")
                    .put("at", actions.getLast().at().toString())
                    .put("reason", actions.getLast().reason());
        }
        status.putObject("tee")
                .put("kind", tee.kind().name())
                .put("assurance", tee.assurance().name())
                .put("detail", tee.detail());
        slots(status);
        installer
                .progress()
                .ifPresent(progress -> status.putObject("install")
                        .put("state", progress.state().name())
                        .put("blocksDone", progress.blocksDone())
                        .put("blocksTotal", progress.blocksTotal())
                        .put("bytesReceived", progress.bytesReceived())
                        .put("blocksRefused", progress.blocksRefused()));
        now.lastRejection()
                .ifPresent(reason -> status.putObject("lastRejection")
                        .put("code", reason.code().id())
                        .put("detail", reason.detail()));
        installer.history().stream()
                .filter(r -> r.state() == InstallState.FAILED || r.state() == InstallState.ROLLED_BACK)
                .max(Comparator.comparingLong(InstallRecord::sequence))
                .ifPresent(record -> status.set("lastFailure", line(record)));
        scrub.ifPresent(found -> status.set("scrub", found));
        return status;
    }

    private void slots(ObjectNode status) {
        try {
            Optional<Pointer> serving = store.serving();
            serving.ifPresent(present -> {
                status.put("model", present.serving().model())
                        .put("version", present.serving().version());
                status.set("serving", brief(present.serving()));
                present.fallback().ifPresent(slot -> status.set("fallback", brief(slot)));
            });
        } catch (IOException e) {
            status.put("store", String.valueOf(e.getMessage()));
        }
    }

    private ObjectNode brief(Slot slot) {
        ObjectNode brief = Json.object()
                .put("model", slot.model())
                .put("version", slot.version())
                .put("digest", slot.digest().hex());
        AttachmentReport.into(brief, store, slot);
        return brief;
    }

    /** Every line of the journal, oldest first. */
    ArrayNode history() {
        Map<Long, ObjectNode> lines = new TreeMap<>();
        installer.history().forEach(record -> lines.put(record.sequence(), line(record)));
        installer.operatorHistory().forEach(record -> lines.put(record.sequence(), line(record)));
        ArrayNode all = Json.object().putArray("history");
        lines.values().forEach(all::add);
        return all;
    }

    private static ObjectNode line(InstallRecord record) {
        ObjectNode line = Json.object()
                .put("sequence", record.sequence())
                .put("at", record.at().toString())
                .put("order", record.orderVersion())
                .put("state", record.state().name())
                .put("model", record.slot().model())
                .put("version", record.slot().version())
                .put("note", record.note());
        record.reason().ifPresent(reason -> line.put("code", reason.code().id()).put("detail", reason.detail()));
        record.trial().ifPresent(trial -> line.set("trial", trial.toJson()));
        return line;
    }

    private static ObjectNode line(OperatorRecord record) {
        return Json.object()
                .put("sequence", record.sequence())
                .put("at", record.at().toString())
                .put("state", record.action().name())
                .put("note", record.reason());
    }
}
