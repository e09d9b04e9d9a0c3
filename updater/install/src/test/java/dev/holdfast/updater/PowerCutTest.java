package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.Slot;
import dev.holdfast.storage.CrashDisk;
import dev.holdfast.storage.CrashDisk.Loss;
import dev.holdfast.storage.CrashDisk.Moment;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The power-cut matrix: the process ends around every operation on the disk that an install makes, as the install itself
 * lists them; or the power goes and with it what was not forced. Each time the device comes back with a verified model,
 * asks for no block again that was durable, reaches the end of its order, and leaves no file behind.
 */
@Execution(ExecutionMode.CONCURRENT)
class PowerCutTest {
    /** What is interrupted. */
    enum Scenario {
        FIRST_INSTALL,
        /** A model beside another that serves. */
        SECOND_MODEL,
        FULL,
        DELTA,
        /** The model before it falls below the floor of the security epoch. */
        RAISED_EPOCH,
        /** The same bytes with another template and a raised epoch. */
        SAME_BYTES,
        ROLLBACK,
        /** An order names the model no more. */
        RETIRE,
        /** The model before it stays under its pinned name. */
        GRACE,
        /** It does so no more. */
        GRACE_END
    }

    private static final long LONG = 4_000_000_000L;

    private static final Map<String, int[]> TALLY = new TreeMap<>();

    private final Path dir;
    private final InstallWorld world;
    private final Path store;
    private final ModelOrder sameEpoch;
    private final ModelOrder raisedEpoch;
    private final ModelOrder sameBytes;
    private final ModelOrder embedder;
    private final ModelOrder graceful;

    private final Map<Path, byte[]> before = new HashMap<>();
    private Set<String> forced = new HashSet<>();
    private Set<String> durable = new HashSet<>();
    private long seed;

    PowerCutTest() throws IOException {
        // The platter is modelled, so the files may lie where fsync costs nothing.
        Path memory = Path.of("/dev/shm");
        dir = Files.isWritable(memory)
                ? Files.createTempDirectory(memory, "holdfast-cut-")
                : Files.createTempDirectory("holdfast-cut-");
        world = new InstallWorld(dir, true);
        world.blocksPerFetch = 8;
        store = dir.resolve("store");
        sameEpoch = world.without(world.secondOrder, 2);
        raisedEpoch = InstallWorld.order(2, world.target(world.second, "2.0.0", 2), List.of());
        sameBytes = InstallWorld.order(2, mended(), List.of());
        embedder = world.embedder();
        graceful = InstallWorld.letting(sameEpoch, LONG, world.firstOrder.model());
    }

    private ModelTarget mended() {
        ModelTarget model = world.firstOrder.model();
        ObjectNode custom = ((ObjectNode) model.file().custom())
                .put("version", "1.0.1")
                .put("release", 2)
                .put("epoch", 2);
        custom.withObject("/template").putArray("stop").add("<end>");
        return InstallWorld.target(world.first, "1.0.1", custom);
    }

    @BeforeAll
    static void begin() {
        TALLY.clear();
    }

    @AfterAll
    static void print() {
        int tried = 0;
        int survived = 0;
        for (Map.Entry<String, int[]> line : TALLY.entrySet()) {
            System.out.printf(
                    "power-cut matrix: %-28s tried %5d, survived %5d%n",
                    line.getKey(), line.getValue()[0], line.getValue()[1]);
            tried += line.getValue()[0];
            survived += line.getValue()[1];
        }
        System.out.printf("power-cut matrix: %-28s tried %5d, survived %5d%n", "all", tried, survived);
    }

    @AfterEach
    void clear() throws IOException {
        for (Path file : CrashDisk.files(dir)) {
            Files.delete(file);
        }
        for (String folder : List.of("store/about", "store/blobs", "store/partial", "store", "")) {
            Files.deleteIfExists(dir.resolve(folder));
        }
    }

    @ParameterizedTest
    @EnumSource(Scenario.class)
    void everyOperationMayBeTheLast(Scenario scenario) throws Exception {
        prepare(scenario);
        List<String> operations = operations(scenario);
        assertThat(operations).hasSizeGreaterThan(5);
        List<String> failures = new ArrayList<>();
        for (int at = 0; at < operations.size(); at++) {
            String name = scenario + " at " + at + ", " + operations.get(at);
            for (Moment moment : Moment.values()) {
                if (moment != Moment.AMID || operations.get(at).startsWith("write")) {
                    int number = at;
                    tally(
                            failures,
                            scenario + " " + moment,
                            name + ", " + moment,
                            () -> kill(scenario, number, moment));
                }
            }
            for (Loss loss : Loss.values()) {
                int number = at;
                seed = 31L * at + loss.ordinal();
                tally(failures, scenario + " power, lost " + loss, name + ", power, " + loss, () -> {
                    cut(scenario, number, loss);
                });
            }
        }
        assertThat(failures).as(failures.size() + " failed").isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Scenario.class)
    void thePowerMayGoAgainWhileTheDeviceRecovers(Scenario scenario) throws Exception {
        twice(scenario, 40);
    }

    @Tag("soak")
    @ParameterizedTest
    @EnumSource(Scenario.class)
    void thePowerMayGoAgainAndAgain(Scenario scenario) throws Exception {
        twice(scenario, 5000);
    }

    private void twice(Scenario scenario, int times) throws Exception {
        prepare(scenario);
        int count = operations(scenario).size();
        List<String> failures = new ArrayList<>();
        Random random = new Random(7);
        for (int i = 0; i < times; i++) {
            int first = random.nextInt(count);
            int second = random.nextInt(count);
            Loss loss = Loss.values()[random.nextInt(Loss.values().length)];
            seed = i;
            String name = scenario + " cut at " + first + ", then at " + second + ", " + loss;
            tally(failures, scenario + " power, twice", name, () -> {
                restore(scenario);
                crash(scenario, first, Moment.AFTER, Optional.of(loss));
                reboot();
                crash(scenario, second, Moment.AFTER, Optional.of(loss));
                blobsAreWhatTheirNamesSay();
                reboot();
                comesBack(scenario);
            });
        }
        assertThat(failures).isEmpty();
    }

    private interface Trial {
        void run() throws Exception;
    }

    private static void tally(List<String> failures, String group, String name, Trial trial) {
        count(group, 0);
        try {
            trial.run();
            count(group, 1);
        } catch (Exception | AssertionError e) {
            failures.add(name + ": " + e);
        }
    }

    private static void count(String group, int column) {
        synchronized (TALLY) {
            TALLY.computeIfAbsent(group, g -> new int[2])[column]++;
        }
    }

    private void prepare(Scenario scenario) throws IOException {
        if (scenario != Scenario.FIRST_INSTALL) {
            assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        }
        if (scenario == Scenario.GRACE_END) {
            assertThat(world.installer().install(graceful)).isInstanceOf(InstallOutcome.Committed.class);
        }
        if (scenario == Scenario.ROLLBACK) {
            assertThat(world.installer().install(sameEpoch)).isInstanceOf(InstallOutcome.Committed.class);
        }
        if (scenario != Scenario.FIRST_INSTALL && scenario != Scenario.SECOND_MODEL) {
            assertThat(world.installer().install(embedder)).isInstanceOf(InstallOutcome.Committed.class);
        }
        for (Path file : CrashDisk.files(store)) {
            before.put(file, Files.readAllBytes(file));
        }
    }

    private void restore(Scenario scenario) throws IOException {
        for (Path file : CrashDisk.files(store)) {
            Files.delete(file);
        }
        for (Map.Entry<Path, byte[]> file : before.entrySet()) {
            Files.write(file.getKey(), file.getValue());
        }
        world.load();
        world.forgetMeasured();
        world.floors.clear();
        world.serving.keySet().forEach(model -> world.floors.put(model, 1L));
        world.delivered.clear();
        forced = new HashSet<>();
        durable = new HashSet<>();
        world.repeated = 0;
        world.requests = 0;
        world.log.clear();
    }

    private ModelOrder order(Scenario scenario) {
        return switch (scenario) {
            case FIRST_INSTALL -> world.firstOrder;
            case FULL -> world.without(world.secondOrder, 2);
            case DELTA -> world.secondOrder;
            case RAISED_EPOCH -> raisedEpoch;
            case SAME_BYTES -> sameBytes;
            case SECOND_MODEL -> embedder;
            case ROLLBACK -> sameEpoch;
            case GRACE_END -> world.without(sameEpoch, 3);
            case GRACE -> graceful;
            case RETIRE -> world.firstOrder;
        };
    }

    /** A process from its start to its end. */
    private InstallOutcome run(Scenario scenario, Disk disk) throws IOException {
        Installer installer = world.installer(disk);
        world.recover(installer);
        for (String model : installer.models()) {
            installer.finishPending(model);
        }
        if (scenario == Scenario.RETIRE) {
            assertThat(installer.retire("intent", 2)).isEmpty();
            return new InstallOutcome.Unchanged(TargetSlot.of(world.firstOrder.model()));
        }
        if (scenario != Scenario.ROLLBACK) {
            InstallOutcome outcome = installer.install(order(scenario));
            installer.tendGraces();
            return outcome;
        }
        Sha256 serving = world.pointed().digest();
        InstallOutcome outcome = serving.equals(Sha256.of(world.first))
                ? new InstallOutcome.Unchanged(TargetSlot.of(world.firstOrder.model()))
                : installer.rollback("intent", "");
        world.recover(installer);
        return outcome;
    }

    private List<String> operations(Scenario scenario) throws IOException {
        restore(scenario);
        CrashDisk disk = new CrashDisk(store, -1, Moment.BEFORE);
        run(scenario, disk);
        return disk.operations;
    }

    /** Whatever was cut off: a name under {@code blobs} tells the truth, before anything looks after it. */
    private void blobsAreWhatTheirNamesSay() throws IOException {
        for (Path blob : CrashDisk.files(store.resolve("blobs"))) {
            assertThat(Sha256.ofFile(blob).hex()).isEqualTo(blob.getFileName().toString());
        }
    }

    private void kill(Scenario scenario, int at, Moment moment) throws IOException {
        restore(scenario);
        assertThat(crash(scenario, at, moment, Optional.empty()))
                .as("the operation is reached")
                .isTrue();
        blobsAreWhatTheirNamesSay();
        comesBack(scenario);
    }

    private void cut(Scenario scenario, int at, Loss loss) throws IOException {
        restore(scenario);
        assertThat(crash(scenario, at, Moment.AFTER, Optional.of(loss)))
                .as("the operation is reached")
                .isTrue();
        blobsAreWhatTheirNamesSay();
        reboot();
        comesBack(scenario);
    }

    private boolean crash(Scenario scenario, int at, Moment moment, Optional<Loss> loss) throws IOException {
        CrashDisk disk = new CrashDisk(store, at, moment);
        disk.partForced = () -> forced = new HashSet<>(world.delivered);
        disk.partialsDurable = () -> durable = forced;
        try {
            run(scenario, disk);
        } catch (CrashDisk.Killed e) {
            assertThat(disk.fired).isTrue();
        } catch (IOException e) {
            assertThat(moment).as("only a failing disk fails: " + e).isEqualTo(Moment.ERROR);
        }
        if (loss.isPresent()) {
            disk.cutPower(loss.get(), new Random(seed));
            // What was not durable may be asked for again.
            world.delivered.clear();
            world.delivered.addAll(durable);
        }
        return disk.fired;
    }

    /** The inference process starts again and serves what the pointer names, if its bytes hold. */
    private void reboot() throws IOException {
        world.reboot();
        assertThat(world.serving.containsKey("embed") || !before(embedder))
                .as("the other model serves from the first second")
                .isTrue();
        assertThat(!world.serving.isEmpty() || before.isEmpty())
                .as("serves from the first second")
                .isTrue();
    }

    /** Whether this model served before the scenario. */
    private boolean before(ModelOrder model) {
        return before.containsKey(
                store.resolve("blobs").resolve(model.model().file().sha256().hex()));
    }

    private void comesBack(Scenario scenario) throws IOException {
        Installer installer = world.installer();
        InstallWorld.Recovered recovery = world.recover(installer);
        assertThat(recovery.journalDamage()).isEmpty();
        assertThat(recovery.pending()).isEmpty();
        assertThat(recovery.pointer().serving("embed").isPresent() || !before(embedder))
                .as("the other model")
                .isTrue();
        assertThat(recovery.pointer().serving("intent").isPresent()
                        || scenario == Scenario.FIRST_INSTALL
                        || scenario == Scenario.RETIRE)
                .as("a model")
                .isTrue();
        for (PointerEntry entry : recovery.pointer().models().values()) {
            assertThat(world.store.verifies(entry.serving())).as("verified").isTrue();
            // A very first release is flipped in by finishPending; before it nothing served.
            assertThat(world.serving.containsKey(entry.serving().model())
                            || recovery.unfinished().stream()
                                    .anyMatch(open -> open.slot().equals(entry.serving())))
                    .as("serves")
                    .isTrue();
        }
        // The very same order goes on: want of disk is no fault of it.
        InstallOutcome outcome = run(scenario, Disk.LOCAL);
        assertThat(outcome).isNotInstanceOfAny(InstallOutcome.Failed.class, InstallOutcome.Interrupted.class);
        boolean firstServes = scenario == Scenario.FIRST_INSTALL
                || scenario == Scenario.ROLLBACK
                || scenario == Scenario.SECOND_MODEL;
        if (scenario == Scenario.RETIRE) {
            assertThat(world.pointer().models()).containsOnlyKeys("embed");
            assertThat(world.serving).containsOnlyKeys("embed");
            assertThat(world.named()).doesNotContain("intent");
        } else {
            Slot wanted = TargetSlot.of(
                    firstServes ? world.firstOrder.model() : order(scenario).model());
            assertThat(world.pointed()).isEqualTo(wanted);
            assertThat(world.serving).containsEntry("intent", wanted);
        }
        if (scenario != Scenario.FIRST_INSTALL) {
            assertThat(world.pointer().serving("embed")).contains(TargetSlot.of(embedder.model()));
            assertThat(world.serving).containsEntry("embed", TargetSlot.of(embedder.model()));
        }
        List<Slot> older = scenario == Scenario.GRACE ? List.of(TargetSlot.of(world.firstOrder.model())) : List.of();
        assertThat(world.pointer().grace().map(Pointer.Grace::slot)).containsExactlyElementsOf(older);
        assertThat(world.graced.values()).containsExactlyElementsOf(older);
        assertThat(world.measuredGraces.values()).containsExactlyElementsOf(older);
        assertThat(world.repeated).as("durable blocks asked for again").isZero();
        Set<String> expected = new HashSet<>(Set.of("journal.jsonl", "serving.json"));
        if (scenario != Scenario.RAISED_EPOCH && scenario != Scenario.RETIRE) {
            expected.add("blobs/" + Sha256.of(world.first).hex());
        }
        if (scenario != Scenario.FIRST_INSTALL) {
            expected.add("blobs/" + Sha256.of(world.other).hex());
        }
        if (Set.of(Scenario.FULL, Scenario.DELTA, Scenario.RAISED_EPOCH, Scenario.GRACE, Scenario.GRACE_END)
                .contains(scenario)) {
            expected.add("blobs/" + Sha256.of(world.second).hex());
            expected.add("about/" + TargetSlot.of(order(scenario).model()).slotId() + Attachment.Kind.BOM.suffix());
        }
        assertThat(CrashDisk.files(store).stream()
                        .map(file -> store.relativize(file).toString()))
                .as("files")
                .containsExactlyInAnyOrderElementsOf(expected);
    }
}
