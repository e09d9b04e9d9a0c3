package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.Pointer;
import dev.holdfast.storage.CrashDisk;
import dev.holdfast.storage.CrashDisk.Loss;
import dev.holdfast.storage.CrashDisk.Moment;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The power-cut matrix: the process ends around every operation on the disk that an install makes, as the install itself
 * lists them; or the power goes and with it what was not forced. Each time the device comes back with a verified model,
 * asks for no block again that was durable, reaches the end of its order, and leaves no file behind.
 */
class PowerCutTest {
    /** What is interrupted. */
    enum Scenario {
        FIRST_INSTALL,
        FULL,
        DELTA,
        /** The model before it falls below the floor of the security epoch. */
        RAISED_EPOCH,
        ROLLBACK
    }

    private static final Map<String, int[]> TALLY = new TreeMap<>();

    private final Path dir;
    private final InstallWorld world;
    private final Path store;
    private final Order sameEpoch;
    private final Order raisedEpoch;

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
        raisedEpoch = new Order("d", 2, Instant.MAX, world.target(world.second, "2.0.0", 2), List.of());
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
        int[] counts = TALLY.computeIfAbsent(group, g -> new int[2]);
        counts[0]++;
        try {
            trial.run();
            counts[1]++;
        } catch (Exception | AssertionError e) {
            failures.add(name + ": " + e);
        }
    }

    private void prepare(Scenario scenario) throws IOException {
        if (scenario != Scenario.FIRST_INSTALL) {
            assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
        }
        if (scenario == Scenario.ROLLBACK) {
            assertThat(world.installer().install(sameEpoch)).isInstanceOf(InstallOutcome.Committed.class);
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
        world.serving = world.store.serving().map(s -> s.serving().digest());
        world.candidate = Optional.empty();
        world.tee.floor = scenario == Scenario.FIRST_INSTALL ? 0 : 1;
        world.delivered.clear();
        forced = new HashSet<>();
        durable = new HashSet<>();
        world.repeated = 0;
        world.requests = 0;
        world.log.clear();
    }

    private Order order(Scenario scenario) {
        return switch (scenario) {
            case FIRST_INSTALL -> world.firstOrder;
            case FULL -> world.without(world.secondOrder, 2);
            case DELTA -> world.secondOrder;
            case RAISED_EPOCH -> raisedEpoch;
            case ROLLBACK -> sameEpoch;
        };
    }

    /** A process from its start to its end. */
    private InstallOutcome run(Scenario scenario, Disk disk) throws IOException {
        Installer installer = world.installer(disk);
        installer.recover();
        installer.finishPending();
        if (scenario != Scenario.ROLLBACK) {
            return installer.install(order(scenario));
        }
        Sha256 serving = world.store.serving().orElseThrow().serving().digest();
        InstallOutcome outcome = serving.equals(Sha256.of(world.first))
                ? new InstallOutcome.Unchanged(TargetSlot.of(world.firstOrder.model()))
                : installer.rollback("");
        installer.recover();
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
        world.startedAt++;
        world.candidate = Optional.empty();
        Optional<Pointer> pointer = world.store.serving();
        world.serving =
                pointer.isPresent() && world.store.verifies(pointer.get().serving())
                        ? Optional.of(pointer.get().serving().digest())
                        : Optional.empty();
        assertThat(world.serving.isPresent() || before.isEmpty())
                .as("serves from the first second")
                .isTrue();
    }

    private void comesBack(Scenario scenario) throws IOException {
        Installer installer = world.installer();
        Installer.Recovery recovery = installer.recover();
        assertThat(recovery.journalDamage()).isEmpty();
        assertThat(recovery.pending()).isEmpty();
        assertThat(recovery.serving().isPresent() || scenario == Scenario.FIRST_INSTALL)
                .as("a model")
                .isTrue();
        if (recovery.serving().isPresent()) {
            assertThat(world.store.verifies(recovery.serving().get().serving()))
                    .as("verified")
                    .isTrue();
            // The very first model is flipped in by finishPending; before it nothing served.
            assertThat(world.serving.isPresent()
                            || (scenario == Scenario.FIRST_INSTALL
                                    && recovery.unfinished().isPresent()))
                    .as("serves")
                    .isTrue();
        }
        // An order that failed for want of disk is given again under another number.
        InstallOutcome outcome = run(scenario, Disk.LOCAL);
        boolean gaveUp = false;
        if (outcome instanceof InstallOutcome.Failed(var reason)
                && reason.code() == dev.holdfast.wire.Code.INS_FAILED_BEFORE) {
            gaveUp = true;
            Order order = order(scenario);
            outcome = world.installer()
                    .install(new Order("d", order.version() + 1, order.expires(), order.model(), order.deltas()));
        }
        assertThat(outcome).isNotInstanceOfAny(InstallOutcome.Failed.class, InstallOutcome.Interrupted.class);
        boolean firstServes = scenario == Scenario.FIRST_INSTALL || scenario == Scenario.ROLLBACK;
        Sha256 wanted = Sha256.of(firstServes ? world.first : world.second);
        assertThat(world.serving).contains(wanted);
        assertThat(world.store.serving().orElseThrow().serving().digest()).isEqualTo(wanted);
        // An install that failed on a full disk gives its partial files back, so they are pulled again.
        if (!gaveUp) {
            assertThat(world.repeated).as("durable blocks asked for again").isZero();
        }
        Set<String> expected = new HashSet<>(Set.of("journal.jsonl", "serving.json"));
        if (scenario != Scenario.RAISED_EPOCH) {
            expected.add("blobs/" + Sha256.of(world.first).hex());
        }
        if (!firstServes) {
            expected.add("blobs/" + Sha256.of(world.second).hex());
            expected.add("about/" + Sha256.of(world.second).hex() + Attachment.Kind.BOM.suffix());
        }
        assertThat(CrashDisk.files(store).stream()
                        .map(file -> store.relativize(file).toString()))
                .as("files")
                .containsExactlyInAnyOrderElementsOf(expected);
    }
}
