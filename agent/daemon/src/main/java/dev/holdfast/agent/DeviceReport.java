package dev.holdfast.agent;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.agent.pace.Alarm;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.link.LinkStatus;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.TeeDescription;
import dev.holdfast.updater.GracedRelease;
import dev.holdfast.updater.InstallProgress;
import dev.holdfast.updater.InstallRecord;
import dev.holdfast.updater.InstallState;
import dev.holdfast.updater.Installer;
import dev.holdfast.updater.ModelStore;
import dev.holdfast.updater.OperatorRecord;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import java.security.SecureRandom;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import java.util.stream.Stream;

/** What the agent says of itself: to {@code holdfast status} and {@code history}, and to the fleet. Thread-safe. */
final class DeviceReport {
    /** As many as an order names, and those that it replaces. */
    private static final int MAX_MODELS = 2 * ModelName.MAX_MODELS;

    /** Of releases in their grace, served or not. */
    private static final int MAX_GRACED = ModelName.MAX_GRACED;

    private static final int SESSION_BYTES = 8;

    private final Topics topics;
    private final TeeDescription tee;
    private final ModelStore store;
    private final Installer installer;
    private final LongSupplier memoryBudget;
    /** Told in each report, so that the fleet sees two processes under one name. It is no part of the MQTT client's name. */
    private final String session = fresh();

    private static String fresh() {
        byte[] bytes = new byte[SESSION_BYTES];
        new SecureRandom().nextBytes(bytes);
        return Binary.copyOf(bytes).hex();
    }

    DeviceReport(Topics topics, TeeDescription tee, ModelStore store, Installer installer, LongSupplier memoryBudget) {
        this.memoryBudget = memoryBudget;
        this.topics = topics;
        this.tee = tee;
        this.store = store;
        this.installer = installer;
    }

    /** What {@code holdfast status} shows and the fleet keeps as the device's report; at most some 40 KiB. */
    ObjectNode status(AgentState now, Optional<ObjectNode> scrub) {
        ObjectNode status = Json.object()
                .put("device", topics.device())
                .put("fleet", topics.fleet())
                .put("agent", AgentDaemon.VERSION)
                .put("session", session)
                .put("state", now.phase().word())
                .put("connected", now.connected())
                .put("enrolled", now.enrolled());
        now.lastLook()
                .ifPresent(at -> status.put(
                        "lastLook", at.truncatedTo(ChronoUnit.SECONDS).toString()));
        now.link().ifPresent(link -> status.set("link", link(link)));
        List<OperatorRecord> actions = installer.operatorHistory();
        boolean paused = !actions.isEmpty() && actions.getLast().action() == OperatorRecord.Action.PAUSED;
        status.put("paused", paused);
        if (paused) {
            status.putObject("pause")
                    .put("at", actions.getLast().at().toString())
                    .put("reason", actions.getLast().reason());
        }
        status.putObject("tee")
                .put("kind", tee.kind().name())
                .put("assurance", tee.assurance().name())
                .put("detail", tee.detail());
        byDefault(status, now);
        models(status, now);
        now.lastRejection().ifPresent(refused -> put(status, refused));
        now.waits().ifPresent(wait -> put(status, wait));
        now.waiting().ifPresent(waiting -> put(status, waiting));
        lastFailure(installer.history().stream()).ifPresent(record -> status.set("lastFailure", line(record)));
        scrub.ifPresent(found -> status.set("scrub", found));
        return status;
    }

    /** Why the connection to the broker was lost last, when it is tried again, and who took it over. */
    private static ObjectNode link(LinkStatus link) {
        ObjectNode json = Json.object().put("connected", link.connected()).put("connections", link.connections());
        link.lost()
                .ifPresent(why ->
                        json.putObject("lost").put("code", why.code().id()).put("detail", why.detail()));
        link.nextAttempt()
                .ifPresent(next -> json.put(
                        "nextAttempt", next.truncatedTo(ChronoUnit.SECONDS).toString()));
        link.takenOver()
                .ifPresent(last -> json.put("takeovers", link.takeovers())
                        .put("takenOver", last.truncatedTo(ChronoUnit.SECONDS).toString()));
        return json;
    }

    private static void put(ObjectNode node, AgentState.Refused refused) {
        node.putObject("lastRejection")
                .put("code", refused.reason().code().id())
                .put("detail", refused.reason().detail())
                .put("at", refused.at().truncatedTo(ChronoUnit.MILLIS).toString());
    }

    /** What the loop waits for, beside what was refused where something was. */
    private static void put(ObjectNode status, Alarm.Waiting waiting) {
        ObjectNode node = status.path("waiting") instanceof ObjectNode refused ? refused : status.putObject("waiting");
        node.put("for", waiting.what());
        if (!node.has("until")) {
            node.put("until", waiting.until().truncatedTo(ChronoUnit.SECONDS).toString());
        }
    }

    /** What it waits for and until when; then it goes on by itself. */
    private static void put(ObjectNode node, ModelWork.Wait wait) {
        node.putObject("waiting")
                .put("code", wait.reason().code().id())
                .put("detail", wait.reason().detail())
                .put("until", wait.until().truncatedTo(ChronoUnit.SECONDS).toString());
    }

    private static Optional<InstallRecord> lastFailure(Stream<InstallRecord> records) {
        return records.filter(r -> r.state() == InstallState.FAILED || r.state() == InstallState.ROLLED_BACK)
                .max(Comparator.comparingLong(InstallRecord::sequence));
    }

    /** The model that answers requests which name none. */
    Optional<String> defaultModel() {
        return store.pointer().byDefault();
    }

    /** The default model at the top, and the progress of the install that is under way. */
    private void byDefault(ObjectNode status, AgentState now) {
        Pointer pointer = store.pointer();
        pointer.byDefault().flatMap(pointer::model).ifPresent(entry -> {
            status.put("model", entry.serving().model())
                    .put("version", entry.serving().version());
            status.set("serving", brief(entry.serving()));
            entry.fallback().ifPresent(slot -> status.set("fallback", brief(slot)));
        });
        now.models().entrySet().stream()
                .filter(model -> model.getValue().phase() instanceof Phase.Installing)
                .map(Map.Entry::getKey)
                .findFirst()
                .or(pointer::byDefault)
                .flatMap(this::progress)
                .ifPresent(install -> status.set("install", install));
        long needed = 0;
        for (PointerEntry entry : pointer.models().values()) {
            needed = needed > Long.MAX_VALUE - entry.serving().needsBytes()
                    ? Long.MAX_VALUE
                    : needed + entry.serving().needsBytes();
        }
        status.putObject("memory").put("neededBytes", needed).put("budgetBytes", memoryBudget.getAsLong());
    }

    /** How far the install of a model is, and of which version. */
    private Optional<ObjectNode> progress(String model) {
        return installer.progress(model).map(progress -> {
            ObjectNode json = Json.object().put("model", model);
            installer.history().stream()
                    .filter(record -> record.slot().model().equals(model))
                    .max(Comparator.comparingLong(InstallRecord::sequence))
                    .ifPresent(record -> json.put("version", record.slot().version()));
            return json.setAll(progress(progress));
        });
    }

    private static ObjectNode progress(InstallProgress progress) {
        return Json.object()
                .put("state", progress.state().name())
                .put("blocksDone", progress.blocksDone())
                .put("blocksTotal", progress.blocksTotal())
                .put("bytesTotal", progress.bytesTotal())
                .put("bytesReceived", progress.bytesReceived())
                .put("blocksRefused", progress.blocksRefused());
    }

    /** Every model that serves, or that something is to be told of. */
    private void models(ObjectNode status, AgentState now) {
        Pointer pointer = store.pointer();
        SortedSet<String> names = new TreeSet<>(pointer.models().keySet());
        now.models().forEach((name, state) -> {
            if (state.lastRejection().isPresent() || !(state.phase() instanceof Phase.Idle)) {
                names.add(name);
            }
        });
        ArrayNode list = status.putArray("models");
        int graced = 0;
        for (String name : names.stream().limit(MAX_MODELS).toList()) {
            ObjectNode one = list.addObject().put("model", name);
            pointer.model(name).ifPresent(entry -> {
                one.put("default", pointer.byDefault().equals(Optional.of(name)))
                        .put("version", entry.serving().version())
                        .put("release", entry.serving().release())
                        .put("epoch", entry.serving().epoch())
                        .put("slot", entry.serving().slotId().hex())
                        .put("digest", entry.serving().digest().hex());
                entry.draft().ifPresent(draft -> one.put("draft", draft));
                entry.fallback()
                        .ifPresent(slot -> one.putObject("fallback")
                                .put("version", slot.version())
                                .put("slot", slot.slotId().hex())
                                .put("digest", slot.digest().hex()));
            });
            for (GracedRelease release : installer.graces(name)) {
                if (graced++ < MAX_GRACED) {
                    grace(one.withArray("grace").addObject(), release);
                }
            }
            Optional<ModelWork.State> state = Optional.ofNullable(now.models().get(name));
            state.ifPresent(work -> one.put("state", work.phase().word()));
            state.filter(work -> work.phase() instanceof Phase.Installing)
                    .flatMap(work -> progress(name))
                    .ifPresent(install -> one.set("install", install));
            state.flatMap(ModelWork.State::lastRejection).ifPresent(refused -> put(one, refused));
            state.flatMap(ModelWork.State::waits).ifPresent(wait -> put(one, wait));
            lastFailure(installer.history().stream()
                            .filter(r -> r.slot().model().equals(name)))
                    .ifPresent(record -> one.putObject("lastFailure")
                            .put("at", record.at().toString())
                            .put("version", record.slot().version())
                            .put("state", record.state().name())
                            .put(
                                    "code",
                                    record.reason().map(why -> why.code().id()).orElse("")));
        }
    }

    private static void grace(ObjectNode node, GracedRelease release) {
        node.put("version", release.slot().version())
                .put("slot", release.slot().slotId().hex())
                .put("digest", release.slot().digest().hex())
                .put("until", release.until().toString());
        release.unserved().ifPresent(why -> node.put("code", why.code().id()).put("detail", why.detail()));
    }

    private ObjectNode brief(Slot slot) {
        ObjectNode brief = Json.object()
                .put("model", slot.model())
                .put("version", slot.version())
                .put("slot", slot.slotId().hex())
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
                .put("slot", record.slot().slotId().hex())
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
