package dev.holdfast.inference;

import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.ModelSlot;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Holds of each name the serving model, at most one candidate beside it, the older releases in their grace, and the models that still
 * finish old requests.
 *
 * <p>A request pins the model that serves under its name when it begins, and keeps it to its end. A flip is one atomic change of a
 * pointer: requests that begin after it get the new model, and the old one is unloaded with its last request. Each name has places
 * for requests of its own, and its loads hold up nothing of another name. All models together stay within one memory budget, which
 * is asked before a model is loaded. Thread-safe.
 */
public final class ModelHost implements AutoCloseable {
    private final long startedAtMillis = System.currentTimeMillis();
    private final HostSettings settings;
    private final ModelWatcher watcher;
    private final Workers workers;
    final MemoryLedger memory;
    private final ModelRequests requests;
    private final ConcurrentSkipListMap<String, ModelLane> lanes = new ConcurrentSkipListMap<>();
    private final AtomicInteger draining = new AtomicInteger();
    private final GracedModels graces;
    private volatile Optional<String> byDefault = Optional.empty();
    /** Of models the names of those that guess for them. */
    private volatile Map<String, String> drafts = Map.of();

    public ModelHost(HostSettings settings) {
        this(settings, (kind, model, more) -> {});
    }

    ModelHost(HostSettings settings, ModelWatcher watcher) {
        this.watcher = watcher;
        this.settings = settings;
        this.workers = Workers.of(settings.threads());
        this.memory = new MemoryLedger(settings.memoryBytes());
        this.graces = new GracedModels(lanes.values(), watcher, draining);
        this.requests = new ModelRequests(this, settings);
    }

    /** Loads a model and serves it at once where nothing serves under its name; its canaries passed when it was installed. */
    public GateReport serve(Slot slot) {
        return load(slot, this::serve);
    }

    /** The same in a lane that was entered before. */
    GateReport serve(ModelLane lane, Slot slot) {
        GateReport report = lane.serve(slot);
        if (report.passed()) {
            defaultTo(slot.model());
            watcher.happened(ModelEvents.Kind.SWAPPED, slot, ModelEvents.More.NOTHING);
        }
        return report;
    }

    /**
     * Loads a release in its grace, which {@link #keep} has named, to answer to its pinned name; nothing where it does so already. It
     * makes no other give way.
     */
    public GateReport grace(Slot slot) {
        boolean before = nameOf(slot.slotId()).isPresent();
        GateReport report = load(slot, ModelLane::grace);
        if (report.passed() && !before) {
            graces.tell(slot);
        }
        return report;
    }

    /**
     * Loads a model beside what serves under its name and puts it to the test; it stays as the candidate when it passes.
     * {@code API-BUSY} where too many models are held: that says nothing of this one.
     */
    public GateReport loadCandidate(Slot slot) {
        GateReport report = graces.first(() -> load(slot, ModelLane::loadCandidate));
        if (report.passed()) {
            watcher.happened(ModelEvents.Kind.ANNOUNCED, slot, ModelEvents.More.NOTHING);
        }
        return report;
    }

    private GateReport load(Slot slot, BiFunction<ModelLane, Slot, GateReport> how) {
        Optional<ModelLane> entered = enter(slot.model());
        if (entered.isEmpty()) {
            Rejection full = new Rejection(Code.API_BUSY, ModelName.MAX_MODELS + " models are loaded already");
            return new GateReport(Optional.of(full), 0, List.of());
        }
        ModelLane lane = entered.get();
        try {
            return how.apply(lane, slot);
        } finally {
            lane.leave();
        }
    }

    /** Enters the lane of a name for loads, until {@link ModelLane#leave}; empty where too many names hold something. */
    Optional<ModelLane> enter(String name) {
        synchronized (lanes) {
            ModelLane lane = lanes.get(name);
            if (lane == null) {
                lanes.values().removeIf(ModelLane::retireIfIdle);
                if (lanes.size() >= ModelName.MAX_MODELS) {
                    return Optional.empty();
                }
                lane = new ModelLane(memory, this::gate, graces::stays, draining, this::watch);
                lanes.put(name, lane);
            }
            lane.enter();
            return Optional.of(lane);
        }
    }

    private void watch(ModelSlot model) {
        model.watchSteps(watcher.steps(model.description().model()));
    }

    private HealthGate gate(Slot slot) {
        return new HealthGate(slot, settings.blobs().resolve(slot.digest().hex()), settings.load(), workers);
    }

    /** Makes the candidate or the release in its grace of this slot serve under its name; where it serves already, nothing changes. */
    public Verdict<Flip> flip(SlotId slot) {
        for (var each : lanes.entrySet()) {
            Optional<Slot> before = each.getValue().serving().map(ModelSlot::description);
            Optional<Flip> flip = each.getValue().flip(slot);
            if (flip.isPresent()) {
                defaultTo(each.getKey());
                each.getValue().serving().map(ModelSlot::description).ifPresent(now -> flipped(now, before));
                return Verdict.accepted(flip.get());
            }
        }
        return Verdict.rejected(Code.API_NOT_FOUND, "no candidate is " + slot);
    }

    private void flipped(Slot now, Optional<Slot> before) {
        if (before.map(Slot::slotId).equals(Optional.of(now.slotId()))) {
            return;
        }
        boolean older = before.map(old -> old.release() > now.release()).orElse(false);
        watcher.happened(
                older ? ModelEvents.Kind.ROLLED_BACK : ModelEvents.Kind.SWAPPED,
                now,
                before.map(ModelEvents.More::before).orElse(ModelEvents.More.NOTHING));
        before.ifPresent(graces::tell);
    }

    /** Unloads the candidate of this slot, if there is one. */
    public void discard(SlotId slot) {
        lanes.values()
                .forEach(lane -> lane.discard(slot)
                        .ifPresent(model ->
                                watcher.happened(ModelEvents.Kind.WITHDRAWN, model, ModelEvents.More.NOTHING)));
    }

    /**
     * Unloads every model and every release in its grace that the set does not name, candidates too, and makes its default the default
     * and its drafts the drafts. Waits for no load.
     */
    public void keep(ServingSet set) {
        List<ModelLane> gone = new ArrayList<>();
        synchronized (lanes) {
            byDefault =
                    set.byDefault().filter(set.models()::contains).or(() -> byDefault.filter(set.models()::contains));
            lanes.forEach((name, lane) -> {
                if (!set.models().contains(name)) {
                    lanes.remove(name);
                    gone.add(lane);
                }
            });
        }
        for (ModelLane lane : gone) {
            Optional<Slot> served = lane.serving().map(ModelSlot::description);
            lane.retire();
            served.ifPresent(model -> watcher.happened(ModelEvents.Kind.RETIRED, model, ModelEvents.More.NOTHING));
        }
        graces.keep(set.grace());
        drafts = set.drafts();
        serving().stream().findFirst().ifPresent(first -> defaultTo(first.model()));
    }

    /** Makes the name of a model that serves the default where there is none yet; not that of one which was retired just now. */
    private void defaultTo(String model) {
        synchronized (lanes) {
            byDefault = byDefault.or(() -> Optional.of(model).filter(lanes::containsKey));
        }
    }

    /** Requests in the making. */
    int running() {
        return requests.active();
    }

    /** How long the oldest request in the making has been so. */
    Duration longestRequest() {
        return requests.longest();
    }

    /** Requests that wait for their turn. */
    int waiting() {
        return requests.waiting();
    }

    /** How much of the room for keys and values is used, 0 to 1, by the name of each model that serves. */
    Map<String, Double> cacheUsage() {
        Map<String, Double> usage = new TreeMap<>();
        lanes.forEach((name, lane) -> lane.serving()
                .ifPresent(model -> usage.put(name, model.sequences().usage())));
        return usage;
    }

    /** What is held now. Does not wait for a model that is being loaded. */
    public InferenceStatus status() {
        return new InferenceStatus(
                byDefault,
                loaded(lane -> lane.serving().stream()),
                loaded(lane -> lane.candidate().stream()),
                loaded(lane -> lane.graced().stream()),
                draining.get(),
                requests.active(),
                memory.status(),
                new InferenceStatus.Process(
                        startedAtMillis, ProcessHandle.current().pid()));
    }

    private List<InferenceStatus.Loaded> loaded(Function<ModelLane, Stream<ModelSlot>> which) {
        return lanes.values().stream().flatMap(which).map(ModelHost::loaded).toList();
    }

    private static InferenceStatus.Loaded loaded(ModelSlot slot) {
        Slot description = slot.description();
        return new InferenceStatus.Loaded(
                description.model(),
                description.version(),
                description.slotId(),
                description.digest(),
                Optional.of(slot.tokenizerDigest()));
    }

    /** The name of the model that holds this slot, for whatever. */
    Optional<String> nameOf(SlotId slot) {
        return lanes.entrySet().stream()
                .filter(each -> each.getValue().holds(slot))
                .map(each -> each.getKey())
                .findFirst();
    }

    /** The models that serve new requests: the default first, then the others by name. */
    public List<Slot> serving() {
        List<Slot> models = new ArrayList<>();
        Optional<String> first = byDefault;
        lanes.values()
                .forEach(lane -> lane.serving().map(ModelSlot::description).ifPresent(model -> {
                    boolean leads = first.equals(Optional.of(model.model()));
                    models.add(leads ? 0 : models.size(), model);
                }));
        return models;
    }

    /** The releases that answer to their pinned names alone, by the names of their models. */
    List<Pointer.Grace> graced() {
        return graces.loaded();
    }

    /** What guesses for a model, kept loaded for one request; empty where nothing does, or it does not serve now. */
    Optional<ModelSlot> pinDraft(String model) {
        return Optional.ofNullable(drafts.get(model))
                .filter(name -> !name.equals(model))
                .flatMap(name -> Optional.ofNullable(lanes.get(name)))
                .flatMap(lane -> Optional.ofNullable(lane.pin(null)));
    }

    /** What answers requests that name no model. */
    public Optional<Slot> byDefault() {
        return byDefault
                .flatMap(name -> Optional.ofNullable(lanes.get(name)))
                .flatMap(ModelLane::serving)
                .map(ModelSlot::description);
    }

    /**
     * Answers on a thread of the model; the listener hears the outcome. Refused at once where all its sequences and its queue are
     * full, or what the caller may have of them.
     *
     * @param model the model that the caller asked for, by name or name and version; null for the default
     */
    void chat(@Nullable String model, List<ChatRequest> asked, Caller caller, AnswerListener listener) {
        requests.chat(model, asked, caller, listener);
    }

    /** As {@link #chat(String, List, Caller, AnswerListener)}, once, for nobody in particular. */
    public void chat(@Nullable String model, ChatRequest request, AnswerListener listener) {
        chat(model, List.of(request), Caller.SELF, listener);
    }

    /** Turns texts into vectors on a thread of the model; refused like an answer. */
    void embed(@Nullable String model, List<String> texts, Caller caller, EmbeddingListener listener) {
        requests.embed(model, texts, caller, listener);
    }

    /** The lane of a name, if anything is held or loaded under it. */
    Optional<ModelLane> lane(String name) {
        return Optional.ofNullable(lanes.get(name));
    }

    /** For how long a model has been loaded by now, the one that takes longest; empty where none is. */
    Optional<Duration> loadingFor() {
        return lanes.values().stream()
                .flatMap(lane -> lane.loadingFor().stream())
                .max(Comparator.naturalOrder());
    }

    /** The name of the default model, whether it serves or not. */
    Optional<String> defaultName() {
        return byDefault;
    }

    /** Ends waiting requests and unloads all models once their requests are done. */
    @Override
    public void close() {
        requests.close();
        keep(new ServingSet(Optional.empty(), List.of()));
        workers.close();
    }
}
