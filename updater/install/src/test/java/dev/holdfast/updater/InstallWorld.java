package dev.holdfast.updater;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.delta.DeltaProducer;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.TeeException;
import dev.holdfast.trust.client.BlockSink;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.client.RetryLaterException;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/** A device around an installer: real files, a block service, an inference process and an event log in memory. */
public final class InstallWorld implements BlockSource, InferenceControl, Measurements {
    public static final int BLOCK = 4096;
    static final String INTENT = "intent";

    public final Path dir;
    private final boolean withBom;
    public final ModelStore store;
    public final Map<Sha256, byte[]> service = new ConcurrentHashMap<>();
    /** Blocks that were delivered right; asking for one of them again is the defect that the tests look for. */
    public final Set<String> delivered = ConcurrentHashMap.newKeySet();

    public int repeated;
    public int requests;
    final List<String> log = new CopyOnWriteArrayList<>();
    public InstallerConfig config = InstallerConfig.defaults("0.1.0")
            .with(new InstallerConfig.Probation(Duration.ofMillis(4), Duration.ofMillis(1)))
            .with(new InstallerConfig.Retries(3, Duration.ofMillis(1), Duration.ofMillis(2)));

    public final byte[] first = RepositorySimulator.model(1);
    public final byte[] second = nudged(first);
    public final ModelOrder firstOrder;
    public final ModelOrder secondOrder;
    /** Another model, which an order names beside the first. */
    public final byte[] other = RepositorySimulator.model(9);

    public Clock clock = Clock.systemUTC();
    public Timer timer = Timer.SYSTEM;
    Consumer<InstallRecord> observer = record -> {};
    public UnaryOperator<byte[]> blockLie = block -> block;
    int transportFailures;
    public Optional<Duration> retryAfter = Optional.empty();
    /** Whether blocks come in the order in which they were asked for. */
    boolean inOrder;
    /** A service may send fewer blocks than were asked for. */
    public int blocksPerFetch = Integer.MAX_VALUE;

    final Map<String, Long> floors = new ConcurrentHashMap<>();
    final Map<String, Slot> serving = new ConcurrentHashMap<>();
    final Map<String, Slot> candidates = new ConcurrentHashMap<>();
    private final Map<String, SlotId> measured = new ConcurrentHashMap<>();
    /** Loaded, to answer to their pinned names. */
    final Map<SlotId, Slot> graced = new ConcurrentHashMap<>();
    /** Which model guesses for which, as the process was told. */
    Map<String, String> drafts = Map.of();

    /** What the process was told stays. */
    Map<SlotId, Long> stays = Map.of();
    /** The releases in their grace that the log names. */
    final Map<SlotId, Slot> measuredGraces = new ConcurrentHashMap<>();
    /** Why the process loads no release in its grace. */
    Optional<Rejection> graceRefusal = Optional.empty();
    /** The TEE does not measure. */
    boolean teeGone;
    /** The TEE does not measure what is about to serve. */
    boolean unmeasured;

    Optional<String> byDefault = Optional.empty();
    /** Told of each slot that is about to be loaded; may wait, as a load does. */
    Consumer<Slot> prepared = slot -> {};

    long startedAt = 1;
    Optional<Rejection> gate = Optional.empty();
    /** The version that the gate refuses. */
    String refused = "2.0.0";

    boolean inferenceGone;
    boolean dieOnPrepare;
    /** The model whose loading ends the process. */
    Optional<String> deadly = Optional.empty();
    /** The next load ends the process. */
    boolean dieOnce;

    boolean keepFails;
    /** A process that starts serves nothing yet. */
    boolean slowStart;

    boolean restartOnProbation;

    public InstallWorld(Path dir) throws IOException {
        this(dir, false);
    }

    /** {@code withBom}: models after the first come with a file about them. */
    public InstallWorld(Path dir, boolean withBom) throws IOException {
        this.dir = dir;
        this.withBom = withBom;
        this.store = ModelStore.open(dir.resolve("store"));
        firstOrder = order(1, target(first, "1.0.0", 1), List.of());
        Path patch = patch(first, second);
        byte[] bytes = Files.readAllBytes(patch);
        secondOrder = order(2, target(second, "2.0.0", 1), List.of(delta(bytes, first, second, patch)));
    }

    public static byte[] nudged(byte[] base) {
        byte[] next = base.clone();
        for (int i = 0; i < next.length; i += 16) {
            next[i]++;
        }
        return next;
    }

    Path patch(byte[] base, byte[] next) throws IOException {
        Path a = Files.write(dir.resolve("a"), base);
        Path b = Files.write(dir.resolve("b"), next);
        DeltaProducer.create(a, b, dir.resolve("patch"));
        return dir.resolve("patch");
    }

    public ModelTarget target(byte[] bytes, String version, long epoch) throws IOException {
        Path file = Files.write(dir.resolve("publish"), bytes);
        service.put(Sha256.of(bytes), bytes);
        ObjectNode custom =
                RepositorySimulator.modelCustom(version, version.charAt(0) - '0', epoch, BlockTree.of(file, BLOCK));
        if (withBom && !version.equals("1.0.0")) {
            about(
                    custom,
                    Attachment.Kind.BOM,
                    ("{\"bomFormat\":\"" + version + "\"}").getBytes(StandardCharsets.US_ASCII));
        }
        return target(bytes, version, custom);
    }

    /** Publishes a file about a model and names it in its block. */
    public ObjectNode about(ObjectNode custom, Attachment.Kind kind, byte[] bytes) throws IOException {
        Path file = Files.write(dir.resolve("about"), bytes);
        service.put(Sha256.of(bytes), bytes);
        Attachment.of(kind, "models/intent", file, Sha256.of(bytes), BLOCK, Optional.empty())
                .put(custom);
        return custom.withObjectProperty(kind.field());
    }

    public static ModelTarget target(byte[] bytes, String version, ObjectNode custom) {
        return target("intent", bytes, version, custom);
    }

    static ModelTarget target(String model, byte[] bytes, String version, ObjectNode custom) {
        return ModelTarget.of(new TargetFile(
                                "models/" + model + "/" + version + "/model.gguf",
                                bytes.length,
                                Sha256.of(bytes),
                                custom))
                        instanceof Verdict.Accepted<ModelTarget>(ModelTarget target)
                ? target
                : fail();
    }

    DeltaTarget delta(byte[] patch, byte[] base, byte[] next, Path file) throws IOException {
        service.put(Sha256.of(patch), patch);
        TargetFile target = new TargetFile(
                "models/intent/2.0.0/from-" + Sha256.of(base).hex() + ".hfd",
                patch.length,
                Sha256.of(patch),
                Json.object());
        DeltaTarget made = new DeltaTarget(
                target,
                BlockTree.of(file, BLOCK),
                "intent",
                "2.0.0",
                "hfd2",
                Sha256.of(base),
                Sha256.of(next),
                next.length);
        return DeltaTarget.of(made.listed()) instanceof Verdict.Accepted<DeltaTarget>(DeltaTarget delta)
                ? delta
                : fail();
    }

    private static <T> T fail() {
        throw new AssertionError("a custom block does not read");
    }

    public ModelOrder without(ModelOrder order, long version) {
        return order(version, order.model(), List.of());
    }

    /** What an order of this number says of one model. */
    public static ModelOrder order(long version, ModelTarget model, List<DeltaTarget> deltas) {
        return new ModelOrder(
                "d", version, model, deltas, new ModelTerms(model.file().path(), false, Optional.empty()));
    }

    /** The same, which lets releases stay until a time. */
    static ModelOrder letting(ModelOrder order, long untilSeconds, ModelTarget... older) {
        List<ModelOrder.Grace> stay = Arrays.stream(older)
                .map(each -> new ModelOrder.Grace(each, untilSeconds))
                .toList();
        return new ModelOrder(order.device(), order.version(), order.model(), order.deltas(), order.terms(), stay);
    }

    /** A release of another model. */
    public ModelTarget target(String model, byte[] bytes, String version, long epoch) throws IOException {
        Path file = Files.write(dir.resolve("publish"), bytes);
        service.put(Sha256.of(bytes), bytes);
        ObjectNode custom = RepositorySimulator.modelCustom(
                model, version, version.charAt(0) - '0', epoch, BlockTree.of(file, BLOCK));
        return target(model, bytes, version, custom);
    }

    /** The embedder beside the first model. */
    public ModelOrder embedder() throws IOException {
        return order(1, target("embed", other, "1.0.0", 1), List.of());
    }

    /** A fresh process over the same disk. */
    public Installer installer() throws IOException {
        return installer(Disk.LOCAL);
    }

    Installer installer(Disk disk) throws IOException {
        InstallerPorts ports =
                new InstallerPorts(this, this, this, floors(), withdrawals(), clock, record -> observer.accept(record));
        return Installer.open(ModelStore.open(dir.resolve("store"), () -> Long.MAX_VALUE, disk), config, ports, timer);
    }

    /** A process whose state cannot be asked for whenever {@code busy} says so, and that is there all the time. */
    InferenceControl withStatus(BooleanSupplier busy) {
        return new InferenceControl() {
            @Override
            public InferenceStatus status() throws IOException {
                if (busy.getAsBoolean()) {
                    throw new IOException("timed out");
                }
                return InstallWorld.this.status();
            }

            @Override
            public GateReport prepare(Slot slot) throws IOException {
                return InstallWorld.this.prepare(slot);
            }

            @Override
            public Verdict<Flip> flip(SlotId slot) {
                return InstallWorld.this.flip(slot);
            }

            @Override
            public void discard(SlotId slot) {
                InstallWorld.this.discard(slot);
            }

            @Override
            public void keep(ServingSet set) throws IOException {
                InstallWorld.this.keep(set);
            }

            @Override
            public GateReport grace(Slot slot) throws IOException {
                return InstallWorld.this.grace(slot);
            }

            @Override
            public List<String> recentLog() throws IOException {
                return InstallWorld.this.recentLog();
            }
        };
    }

    /** The same disk with another inference process. */
    Installer installer(InferenceControl inference) throws IOException {
        InstallerPorts ports = new InstallerPorts(
                this, inference, this, floors(), withdrawals(), clock, record -> observer.accept(record));
        return Installer.open(ModelStore.open(dir.resolve("store")), config, ports, timer);
    }

    /** The same with blocks from elsewhere. */
    Installer installer(BlockSource source) throws IOException {
        InstallerPorts ports = new InstallerPorts(
                source, this, this, floors(), withdrawals(), clock, record -> observer.accept(record));
        return Installer.open(ModelStore.open(dir.resolve("store")), config, ports, timer);
    }

    /** Targets that were withdrawn. */
    final Set<String> withdrawn = new java.util.concurrent.ConcurrentSkipListSet<>();

    Withdrawals withdrawals() {
        return slot -> withdrawn.contains(slot.target());
    }

    EpochFloors floors() {
        return new EpochFloors() {
            @Override
            public long of(String model) {
                return floors.getOrDefault(model, 0L);
            }

            @Override
            public void raise(String model, long epoch) {
                floors.merge(model, epoch, Math::max);
            }
        };
    }

    /** The floor of the first model. */
    long floor() {
        return floors.getOrDefault(INTENT, 0L);
    }

    /** What the disk says now. */
    Pointer pointer() throws IOException {
        return store.stored().orElseThrow();
    }

    /** The release of the first model in service, as the disk says. */
    Slot pointed() throws IOException {
        return pointer().serving(INTENT).orElseThrow();
    }

    /** The bytes of the first model in service, as the inference process says. */
    public Optional<Sha256> serving() {
        return serving(INTENT);
    }

    public Optional<Sha256> serving(String model) {
        return Optional.ofNullable(serving.get(model)).map(Slot::digest);
    }

    /** A log that names nothing, as after a start of the TEE. */
    void forgetMeasured() {
        measured.clear();
        serving.values().forEach(slot -> measured.put(slot.model(), slot.slotId()));
        measuredGraces.clear();
        measuredGraces.putAll(graced);
    }

    /** The inference process starts again and serves what the pointer names, where its bytes hold. */
    void reboot() throws IOException {
        startedAt++;
        load();
    }

    /** As it is after a start: what the pointer names serves, where its bytes hold. */
    void load() throws IOException {
        candidates.clear();
        serving.clear();
        graced.clear();
        stays = new HashMap<>();
        if (slowStart) {
            return;
        }
        for (Pointer.Grace each : pointer().grace().toList()) {
            stays.put(each.slot().slotId(), each.untilSeconds());
            boolean serves = pointer().models().values().stream()
                    .anyMatch(entry -> entry.serving().equals(each.slot()));
            if (!serves && store.verifies(each.slot())) {
                graced.put(each.slot().slotId(), each.slot());
            }
        }
        for (PointerEntry entry : pointer().models().values()) {
            if (store.verifies(entry.serving())) {
                serving.put(entry.serving().model(), entry.serving());
            }
        }
    }

    /**
     * What a start finds.
     *
     * @param pending of each model what could not be done yet
     */
    record Recovered(
            Pointer pointer,
            List<InstallRecord> unfinished,
            Optional<Rejection> journalDamage,
            List<Rejection> pending) {}

    /** Everything that an agent does at its start, of every model. */
    Recovered recover(Installer installer) throws IOException {
        Optional<Rejection> damage = installer.recover();
        List<Rejection> pending = new ArrayList<>();
        for (String model : installer.models()) {
            installer.settle(model).ifPresent(pending::add);
        }
        List<InstallRecord> unfinished =
                InstallJournal.open(store.journal(), Disk.LOCAL).unfinished();
        return new Recovered(pointer(), unfinished, damage, pending);
    }

    @Override
    public List<Sha256> leaves(Sha256 blob, int from, int count) throws IOException {
        if (retryAfter.isPresent()) {
            throw new RetryLaterException(Code.LNK_REFUSED, "busy", retryAfter.get());
        }
        // A file of its own for each: installs of two models ask at once.
        return MerkleTree.leaves(Files.write(dir.resolve("leaf-" + blob.hex()), bytes(blob)), BLOCK)
                .subList(from, from + count);
    }

    private byte[] bytes(Sha256 blob) {
        return java.util.Objects.requireNonNull(service.get(blob));
    }

    @Override
    public void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException {
        requests++;
        if (retryAfter.isPresent()) {
            throw new RetryLaterException(Code.LNK_REFUSED, "busy", retryAfter.get());
        }
        byte[] bytes = bytes(blob);
        List<Integer> shuffled = new ArrayList<>(wanted);
        if (!inOrder) {
            java.util.Collections.shuffle(shuffled, new Random(requests));
        }
        int count = 0;
        for (int index : shuffled.subList(0, Math.min(blocksPerFetch, shuffled.size()))) {
            if (transportFailures > 0 && count++ == 2) {
                transportFailures--;
                throw new IOException("disconnected");
            }
            int at = index * cut.blockBytes();
            byte[] block = java.util.Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + cut.blockBytes()));
            byte[] sent = blockLie.apply(block.clone());
            if (delivered.contains(blob + "/" + index)) {
                repeated++;
            }
            sink.accept(index, Binary.copyOf(sent));
            sink.accept(index, Binary.copyOf(sent));
            if (java.util.Arrays.equals(sent, block)) {
                delivered.add(blob + "/" + index);
            }
        }
        sink.accept(1_000_000, Binary.copyOf(new byte[cut.blockBytes()]));
        sink.accept(-1, Binary.empty());
    }

    @Override
    public InferenceStatus status() throws IOException {
        if (inferenceGone) {
            throw new IOException("no such process");
        }
        return new InferenceStatus(
                byDefault,
                loaded(serving.values()),
                loaded(candidates.values()),
                loaded(graced.values()),
                0,
                0,
                new InferenceStatus.Memory(0, Long.MAX_VALUE),
                new InferenceStatus.Process(startedAt, startedAt));
    }

    private static List<InferenceStatus.Loaded> loaded(Collection<Slot> slots) {
        return slots.stream()
                .map(slot -> new InferenceStatus.Loaded(
                        slot.model(), slot.version(), slot.slotId(), slot.digest(), Optional.empty()))
                .toList();
    }

    @Override
    public GateReport prepare(Slot slot) throws IOException {
        prepared.accept(slot);
        if (deadly.equals(Optional.of(slot.model())) || dieOnce) {
            dieOnce = false;
            reboot();
            throw new IOException("connection reset");
        }
        if (dieOnPrepare && slot.version().equals("2.0.0")) {
            throw new IOException("connection reset");
        }
        if (gate.isPresent() && slot.version().equals(refused)) {
            return new GateReport(
                    gate,
                    1,
                    List.of(
                            new GateReport.Check("digest", true, ""),
                            new GateReport.Check("canary", false, gate.get().detail())));
        }
        if (!store.verifies(slot)) {
            return new GateReport(Optional.of(new Rejection(Code.GATE_DIGEST, "bytes")), 1, List.of());
        }
        candidates.put(slot.model(), slot);
        return new GateReport(Optional.empty(), 1, List.of(new GateReport.Check("digest", true, "")));
    }

    @Override
    public List<String> recentLog() throws IOException {
        if (inferenceGone) {
            throw new IOException("no such process");
        }
        return List.of("loading", "a tensor is\u001b[2J odd");
    }

    @Override
    public Verdict<Flip> flip(SlotId id) {
        Optional<Slot> found = Stream.concat(candidates.values().stream(), graced.values().stream())
                .filter(slot -> slot.slotId().equals(id))
                .findFirst();
        if (found.isEmpty()) {
            return Verdict.rejected(Code.GATE_LOAD, "not the candidate");
        }
        Slot slot = found.get();
        if (!id.equals(measured.get(slot.model()))) {
            throw new AssertionError("serves unmeasured: " + log);
        }
        candidates.values().removeIf(slot::equals);
        graced.remove(id);
        Slot before = serving.put(slot.model(), slot);
        if (before != null && !before.equals(slot) && stays.containsKey(before.slotId())) {
            begin(before);
        }
        return Verdict.accepted(new Flip(1, Optional.empty()));
    }

    private void begin(Slot slot) {
        if (!measuredGraces.containsKey(slot.slotId())) {
            throw new AssertionError("in its grace unmeasured: " + log);
        }
        graced.put(slot.slotId(), slot);
    }

    @Override
    public GateReport grace(Slot slot) throws IOException {
        prepared.accept(slot);
        if (inferenceGone) {
            throw new IOException("no such process");
        }
        if (!stays.containsKey(slot.slotId())) {
            return new GateReport(Optional.of(new Rejection(Code.API_NOT_FOUND, "not in its grace")), 0, List.of());
        }
        if (graceRefusal.isEmpty() && !serving.containsValue(slot)) {
            begin(slot);
        }
        return new GateReport(graceRefusal, 0, List.of());
    }

    @Override
    public void discard(SlotId slot) {
        candidates.values().removeIf(held -> held.slotId().equals(slot));
    }

    @Override
    public void keep(ServingSet set) throws IOException {
        if (inferenceGone || keepFails) {
            throw new IOException("no such process");
        }
        serving.keySet().retainAll(set.models());
        candidates.keySet().retainAll(set.models());
        stays = set.grace();
        drafts = set.drafts();
        graced.values().removeIf(slot -> !stays.containsKey(slot.slotId()));
        byDefault = set.byDefault();
    }

    @Override
    public void beforeServe(Slot slot) throws TeeException {
        if (unmeasured) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "away");
        }
        measured.put(slot.model(), slot.slotId());
        log.add("before " + slot.digest());
    }

    @Override
    public void graced(Slot slot) throws TeeException {
        if (teeGone) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "away");
        }
        if (measuredGraces.put(slot.slotId(), slot) == null) {
            log.add("grace " + slot.version());
        }
    }

    @Override
    public void graceEnded(SlotId slot) throws TeeException {
        if (teeGone) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "away");
        }
        if (graced.containsKey(slot)) {
            throw new AssertionError("said to have ended while it is loaded: " + log);
        }
        Slot ended = measuredGraces.remove(slot);
        if (ended != null) {
            log.add("grace of " + ended.version() + " ended");
        }
    }

    @Override
    public Set<SlotId> graces() {
        return Set.copyOf(measuredGraces.keySet());
    }

    @Override
    public void retired(String model) {
        measuredGraces.values().removeIf(slot -> slot.model().equals(model));
        if (measured.remove(model) != null) {
            log.add("retired " + model);
        }
    }

    @Override
    public Set<String> named() {
        return Set.copyOf(measured.keySet());
    }

    @Override
    public void afterServe(String model) {
        log.add("after");
        if (restartOnProbation) {
            restartOnProbation = false;
            observer = observer.andThen(record -> {
                if (record.state() == InstallState.PROBATION) {
                    startedAt++;
                }
            });
        }
    }

    @Override
    public void rolledBack(Slot slot) {
        log.add("rolled back " + slot.version());
    }
}
