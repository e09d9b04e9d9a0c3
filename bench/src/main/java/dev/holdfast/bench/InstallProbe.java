package dev.holdfast.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.trust.client.BlockSink;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.updater.EpochFloors;
import dev.holdfast.updater.InstallOutcome;
import dev.holdfast.updater.Installer;
import dev.holdfast.updater.InstallerConfig;
import dev.holdfast.updater.InstallerPorts;
import dev.holdfast.updater.Measurements;
import dev.holdfast.updater.ModelStore;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * One install in a process of its own: store, block tree, journal and both hashes are the device's; the link is a file, and
 * the inference process, the event log and the TEE say yes to everything, since their memory is not the agent's or is
 * measured elsewhere. Arguments: {@code file store hash root-hash}; without arguments it does nothing, which is the idle process.
 */
final class InstallProbe implements BlockSource, InferenceControl, Measurements, EpochFloors {
    static final int BLOCK_BYTES = BlockTree.MAX_BYTES;

    private final FileChannel file;
    private final FileChannel leaves;
    private Optional<Slot> serving = Optional.empty();
    private Optional<Slot> candidate = Optional.empty();
    private long floor;

    private InstallProbe(FileChannel file, FileChannel leaves) {
        this.file = file;
        this.leaves = leaves;
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            ModelStore.open(Files.createTempDirectory("holdfast-idle"));
            return;
        }
        Path model = Path.of(arguments[0]);
        ModelStore store = ModelStore.open(Path.of(arguments[1]));
        try (FileChannel bytes = FileChannel.open(model, StandardOpenOption.READ);
                FileChannel leaves = FileChannel.open(leavesOf(model), StandardOpenOption.READ)) {
            InstallProbe device = new InstallProbe(bytes, leaves);
            InstallerPorts ports =
                    new InstallerPorts(device, device, device, device, slot -> false, Clock.systemUTC(), record -> {});
            InstallerConfig config = InstallerConfig.defaults("0.1.0")
                    .with(new InstallerConfig.Probation(Duration.ofMillis(4), Duration.ofMillis(1)));
            Installer installer = Installer.open(store, config, ports);
            installer.recover();
            BlockTree tree = new BlockTree(BLOCK_BYTES, hash(arguments[3]));
            ModelTarget target = target(bytes.size(), hash(arguments[2]), tree);
            InstallOutcome outcome = installer.install(new ModelOrder(
                    "d", 1, target, List.of(), new ModelTerms(target.file().path(), true, Optional.empty())));
            if (!(outcome instanceof InstallOutcome.Committed)) {
                throw new IllegalStateException("ended as " + outcome);
            }
        }
    }

    static Path leavesOf(Path model) {
        return model.resolveSibling(model.getFileName() + ".leaves");
    }

    /** Writes what the fleet's block service would compute; returns the tree. */
    static BlockTree publish(Path model) throws IOException {
        List<Sha256> all = MerkleTree.leaves(model, BLOCK_BYTES);
        ByteBuffer out = ByteBuffer.allocate(all.size() * Sha256.BYTES);
        all.forEach(leaf -> out.put(leaf.toArray()));
        Files.write(leavesOf(model), out.array());
        return new BlockTree(BLOCK_BYTES, MerkleTree.root(all));
    }

    private static Sha256 hash(String hex) throws Exception {
        return Sha256.fromHex(hex).orThrow();
    }

    private static ModelTarget target(long length, Sha256 digest, BlockTree tree) throws Exception {
        ObjectNode template = Json.object();
        template.putArray("stop").add("</s>");
        ModelTarget published = new ModelTarget(
                new TargetFile("models/large/1.0.0/model.gguf", length, digest, Json.object()),
                tree,
                "large",
                "1.0.0",
                1,
                0,
                template,
                Json.object().put("minPassRatio", 0.9).put("maxLoadMillis", 20000),
                "0.1.0",
                0,
                List.of());
        return ModelTarget.of(published.listed()).orThrow();
    }

    private static byte[] read(FileChannel from, long offset, int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining()) {
            if (from.read(bytes, offset + bytes.position()) < 0) {
                throw new EOFException("the file became shorter");
            }
        }
        return bytes.array();
    }

    @Override
    public List<Sha256> leaves(Sha256 blob, int first, int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(read(leaves, (long) first * Sha256.BYTES, count * Sha256.BYTES));
        return IntStream.range(0, count)
                .mapToObj(i -> {
                    byte[] leaf = new byte[Sha256.BYTES];
                    bytes.get(leaf);
                    return new Sha256(Binary.copyOf(leaf, 0, leaf.length));
                })
                .toList();
    }

    @Override
    public void fetch(Sha256 blob, Cut cut, List<Integer> wanted, BlockSink sink) throws IOException {
        for (int index : wanted) {
            long at = (long) index * cut.blockBytes();
            sink.accept(index, Binary.copyOf(read(file, at, (int) Math.min(cut.blockBytes(), file.size() - at))));
        }
    }

    @Override
    public InferenceStatus status() {
        return new InferenceStatus(
                Optional.empty(),
                loaded(serving),
                loaded(candidate),
                0,
                0,
                new InferenceStatus.Memory(0, 0),
                new InferenceStatus.Process(1, 1));
    }

    private static List<InferenceStatus.Loaded> loaded(Optional<Slot> held) {
        return held.stream()
                .map(slot -> new InferenceStatus.Loaded(
                        slot.model(), slot.version(), slot.slotId(), slot.digest(), Optional.empty()))
                .toList();
    }

    @Override
    public GateReport prepare(Slot slot) {
        candidate = Optional.of(slot);
        return new GateReport(Optional.empty(), 1, List.of());
    }

    @Override
    public Verdict<Flip> flip(SlotId slot) {
        serving = candidate;
        candidate = Optional.empty();
        return Verdict.accepted(new Flip(1, Optional.empty()));
    }

    @Override
    public void discard(SlotId slot) {
        candidate = Optional.empty();
    }

    @Override
    public void keep(ServingSet set) {}

    @Override
    public GateReport grace(Slot slot) {
        return new GateReport(Optional.empty(), 0, List.of());
    }

    @Override
    public List<String> recentLog() {
        return List.of();
    }

    @Override
    public void graced(Slot slot) {}

    @Override
    public void graceEnded(SlotId slot) {}

    @Override
    public Set<SlotId> graces() {
        return Set.of();
    }

    @Override
    public void beforeServe(Slot slot) {}

    @Override
    public void afterServe(String model) {}

    @Override
    public void rolledBack(Slot slot) {}

    @Override
    public void retired(String model) {}

    @Override
    public Set<String> named() {
        return Set.of();
    }

    @Override
    public long of(String model) {
        return floor;
    }

    @Override
    public void raise(String model, long epoch) {
        floor = Math.max(floor, epoch);
    }
}
