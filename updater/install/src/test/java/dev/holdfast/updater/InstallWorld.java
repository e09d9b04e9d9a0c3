package dev.holdfast.updater;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Slot;
import dev.holdfast.delta.DeltaProducer;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.client.BlockSink;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.FakeTee;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.client.RetryLaterException;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.DeltaTarget;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.Order;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/** A device around an installer: real files, a block service, an inference process and an event log in memory. */
public final class InstallWorld implements BlockSource, InferenceControl, Measurements {
    public static final int BLOCK = 4096;

    public final Path dir;
    private final boolean withBom;
    public final ModelStore store;
    final FakeTee tee = new FakeTee();
    public final Map<Sha256, byte[]> service = new HashMap<>();
    /** Blocks that were delivered right; asking for one of them again is the defect that the tests look for. */
    public final Set<String> delivered = new HashSet<>();

    public int repeated;
    public int requests;
    final List<String> log = new ArrayList<>();
    public InstallerConfig config = InstallerConfig.defaults("0.1.0")
            .with(new InstallerConfig.Probation(Duration.ofMillis(4), Duration.ofMillis(1)))
            .with(new InstallerConfig.Retries(3, Duration.ofMillis(1), Duration.ofMillis(2)));

    public final byte[] first = RepositorySimulator.model(1);
    public final byte[] second = nudged(first);
    public final Order firstOrder;
    public final Order secondOrder;

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

    public Optional<Sha256> serving = Optional.empty();
    Optional<Sha256> candidate = Optional.empty();
    long startedAt = 1;
    Optional<Rejection> gate = Optional.empty();
    boolean inferenceGone;
    boolean dieOnPrepare;
    boolean restartOnProbation;

    public InstallWorld(Path dir) throws IOException {
        this(dir, false);
    }

    /** {@code withBom}: models after the first come with a file about them. */
    public InstallWorld(Path dir, boolean withBom) throws IOException {
        this.dir = dir;
        this.withBom = withBom;
        this.store = ModelStore.open(dir.resolve("store"));
        firstOrder = new Order("d", 1, Instant.MAX, target(first, "1.0.0", 1), List.of());
        Path patch = patch(first, second);
        byte[] bytes = Files.readAllBytes(patch);
        secondOrder =
                new Order("d", 2, Instant.MAX, target(second, "2.0.0", 1), List.of(delta(bytes, first, second, patch)));
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
        return ModelTarget.of(new TargetFile(
                                "models/intent/" + version + "/model.gguf", bytes.length, Sha256.of(bytes), custom))
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

    public Order without(Order order, long version) {
        return new Order("d", version, Instant.MAX, order.model(), List.of());
    }

    /** A fresh process over the same disk. */
    public Installer installer() throws IOException {
        return installer(Disk.LOCAL);
    }

    Installer installer(Disk disk) throws IOException {
        InstallerPorts ports =
                new InstallerPorts(this, this, this, tee.counter(), clock, record -> observer.accept(record));
        return Installer.open(ModelStore.open(dir.resolve("store"), () -> Long.MAX_VALUE, disk), config, ports, timer);
    }

    @Override
    public List<Sha256> leaves(Sha256 blob, int from, int count) throws IOException {
        return MerkleTree.leaves(Files.write(dir.resolve("leaf"), bytes(blob)), BLOCK)
                .subList(from, from + count);
    }

    private byte[] bytes(Sha256 blob) {
        return java.util.Objects.requireNonNull(service.get(blob));
    }

    @Override
    public void fetch(Sha256 blob, int blockBytes, List<Integer> wanted, BlockSink sink) throws IOException {
        requests++;
        if (retryAfter.isPresent()) {
            throw new RetryLaterException("busy", retryAfter.get());
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
            int at = index * blockBytes;
            byte[] block = java.util.Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + blockBytes));
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
        sink.accept(1_000_000, Binary.copyOf(new byte[blockBytes]));
        sink.accept(-1, Binary.empty());
    }

    @Override
    public InferenceStatus status() throws IOException {
        if (inferenceGone) {
            throw new IOException("no such process");
        }
        return new InferenceStatus(loaded(serving), loaded(candidate), 0, 0, startedAt, startedAt);
    }

    private static Optional<InferenceStatus.Loaded> loaded(Optional<Sha256> digest) {
        return digest.map(known -> new InferenceStatus.Loaded("intent", "1.0.0", known, Optional.empty()));
    }

    @Override
    public GateReport prepare(Slot slot) throws IOException {
        if (dieOnPrepare && slot.version().equals("2.0.0")) {
            throw new IOException("connection reset");
        }
        if (gate.isPresent() && slot.version().equals("2.0.0")) {
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
        candidate = Optional.of(slot.digest());
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
    public Verdict<Flip> flip(Sha256 digest) {
        if (!candidate.equals(Optional.of(digest))) {
            return Verdict.rejected(Code.GATE_LOAD, "not the candidate");
        }
        if (log.isEmpty() || !log.getLast().equals("before " + digest)) {
            throw new AssertionError("serves unmeasured: " + log);
        }
        serving = candidate;
        candidate = Optional.empty();
        return Verdict.accepted(new Flip(1, Optional.empty()));
    }

    @Override
    public void discard(Sha256 digest) {
        if (candidate.equals(Optional.of(digest))) {
            candidate = Optional.empty();
        }
    }

    @Override
    public void beforeServe(Slot slot) {
        log.add("before " + slot.digest());
    }

    @Override
    public void afterServe() {
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
    public void rolledBack(Slot slot, Rejection reason) {
        log.add("rolled back " + slot.version() + " " + reason.code().id());
    }
}
