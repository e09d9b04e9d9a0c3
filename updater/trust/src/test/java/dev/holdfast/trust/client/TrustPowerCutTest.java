package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.storage.CrashDisk;
import dev.holdfast.storage.CutMatrix;
import dev.holdfast.storage.CutMatrix.End;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.client.StagedRepository.Stage;
import dev.holdfast.trust.client.StagedRepository.Versions;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.ZoneOffset;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The power-cut matrix of the trust client: metadata, root chain and state record are cut off at every operation. Each time the
 * client starts again, remembers no less than what it had reported, versions and floors alike, refuses whatever is older, reaches what is published now,
 * leaves no file behind, and notices when the whole directory is put back.
 */
@Execution(ExecutionMode.CONCURRENT)
class TrustPowerCutTest {
    /** What is interrupted. */
    enum Scenario {
        FIRST_START,
        /** Same snapshot, later timestamp: a record that the TEE does not count. */
        NEW_TIMESTAMP,
        /** Then a timestamp alone: what a save counted that failed half way must not be written down as less. */
        NEW_RELEASE,
        /** Two roots, the second under other keys. */
        NEW_ROOTS,
        /** A fast-forward attack is undone by a root that gives the timestamp one key more; the old signatures still hold. */
        FAST_FORWARD,
        /** Nothing is published; the floors of two models rise, one of them twice. */
        RAISED_FLOORS,
        /** Nothing is published; the device gets another name, and the first order under it. */
        RENAMED,
        /** The directory was put back on purpose. */
        READMITTED
    }

    private static final String DEVICE = StagedRepository.DEVICE;
    private static final String OTHER_NAME = "device-2";
    private static final int TWICE = 25;

    private static final CutMatrix ALL = new CutMatrix("the trust client", Path.of(""));

    private final Path root = CutMatrix.directory();
    private final CutMatrix matrix = ALL.in(root);
    private final Path stateDir = root.resolve("state");
    private final Path factory = root.resolve("factory.json");
    private final StagedRepository staged = new StagedRepository();
    private final RepositorySimulator repo = staged.repo;
    private final FakeTee tee = new FakeTee();
    private final Map<Path, byte[]> before = new HashMap<>();
    private long generationBefore;
    private Versions reportedBefore = Versions.NONE;
    private Versions reported = Versions.NONE;
    private SortedMap<String, Long> floorsBefore = Collections.emptySortedMap();
    private SortedMap<String, Long> floors = Collections.emptySortedMap();
    private boolean readmit;
    /** Whether the process provisions the device before it starts. */
    private boolean begins;

    private boolean raise;
    private boolean rename;
    /** Whether an order under the other name was reported as accepted. */
    private boolean renamed;

    TrustPowerCutTest() throws IOException {}

    @AfterAll
    static void print() {
        ALL.print();
    }

    @AfterEach
    void clear() throws IOException {
        CutMatrix.clear(root);
        Files.delete(root);
    }

    @ParameterizedTest
    @EnumSource(Scenario.class)
    void everyOperationMayBeTheLast(Scenario scenario) throws Exception {
        matrix.everyOperation(scenario.name(), prepared(scenario));
    }

    @ParameterizedTest
    @EnumSource(Scenario.class)
    void thePowerMayGoAgainWhileTheClientRecovers(Scenario scenario) throws Exception {
        matrix.twice(scenario.name(), TWICE, prepared(scenario));
    }

    private CutMatrix.Scenario prepared(Scenario scenario) throws Exception {
        byte[] first = repo.file("1.root.json");
        tee.anchor(Sha256.of(first));
        Files.write(factory, first);
        begins = scenario == Scenario.FIRST_START;
        if (!begins) {
            DeviceRecord.begin(stateDir, factory, tee.anchors()).orThrow();
        }
        if (scenario == Scenario.FAST_FORWARD) {
            staged.release(1_000_000);
        }
        Stage older = staged.stage();
        if (scenario != Scenario.FIRST_START) {
            staged.serve(older);
            live(Disk.LOCAL);
            raiseFloor(start(Disk.LOCAL), "intent", 1);
        }
        keep();
        if (scenario == Scenario.READMITTED) {
            staged.release(repo.version + 1);
            staged.serve(staged.stage());
            live(Disk.LOCAL);
            generationBefore = tee.generation;
            readmit = true;
            // Somebody put the directory back: what was reported since is not known any more.
            reportedBefore = Versions.NONE;
        }
        raise = scenario == Scenario.RAISED_FLOORS;
        rename = scenario == Scenario.RENAMED;
        return new Cut(older, raise || rename ? List.of(older) : stages(scenario));
    }

    private void keep() throws IOException {
        for (Path file : CrashDisk.files(root)) {
            before.put(file, Files.readAllBytes(file));
        }
        generationBefore = tee.generation;
        reportedBefore = reported;
        floorsBefore = floors;
    }

    /** What is new when the process begins that is interrupted. */
    private List<Stage> stages(Scenario scenario) {
        switch (scenario) {
            case FIRST_START, RAISED_FLOORS, RENAMED -> {}
            case READMITTED, NEW_RELEASE -> staged.release(repo.version + 1);
            case NEW_TIMESTAMP -> staged.timestamp();
            case NEW_ROOTS -> staged.newKeys();
            case FAST_FORWARD -> staged.oneKeyMoreForTheTimestamp(3);
        }
        Stage first = staged.stage();
        if (scenario != Scenario.NEW_RELEASE) {
            return List.of(first);
        }
        staged.timestamp();
        return List.of(first, staged.stage());
    }

    private TrustClient start(Disk disk) throws Exception {
        Clock clock = Clock.fixed(RepositorySimulator.NOW, ZoneOffset.UTC);
        return TrustClient.start(stateDir, factory, tee.anchors(), repo, clock, disk)
                .orThrow();
    }

    /** Where a step of the agent succeeds, the versions that it saw are reported. */
    private void refresh(TrustClient client) {
        report(new Versions(client.rootVersion(), 0, 0, 0, 0));
        if (client.refresh().isAccepted()) {
            Versions seen = staged.served().versions();
            assertThat(client.rootVersion()).isEqualTo(seen.root());
            report(new Versions(seen.root(), seen.timestamp(), seen.snapshot(), seen.targets(), 0));
        }
    }

    private Verdict<Order> order(TrustClient client) {
        Verdict<Order> order = client.order(DEVICE);
        if (order.isAccepted()) {
            report(staged.served().versions());
        }
        return order;
    }

    /** The first order that the fleet gives under the other name. */
    private Verdict<Order> orderRenamed(TrustClient client) {
        long number = repo.directorVersion;
        repo.device = OTHER_NAME;
        repo.directorVersion = 1;
        try {
            return client.order(OTHER_NAME);
        } finally {
            repo.device = DEVICE;
            repo.directorVersion = number;
        }
    }

    /** Where it is raised, that is reported. */
    private void raiseFloor(TrustClient client, String model, long epoch) {
        try {
            if (client.raiseEpochFloor(model, epoch) instanceof Verdict.Accepted<Long>(Long floor)) {
                assertThat(floor).isGreaterThanOrEqualTo(epoch);
                SortedMap<String, Long> known = new TreeMap<>(floors);
                known.merge(model, floor, Math::max);
                floors = known;
            }
        } catch (IOException e) {
            // The disk failed, so nothing was promised.
        }
    }

    private void raiseFloors(TrustClient client) {
        raiseFloor(client, "intent", 5);
        raiseFloor(client, "embed", 1);
        raiseFloor(client, "intent", 3);
        raiseFloor(client, "embed", 2);
    }

    /** The highest of each; a newer root begins the others anew. */
    private void report(Versions seen) {
        if (seen.root() > reported.root()) {
            reported = seen;
        } else if (seen.root() == reported.root()) {
            reported = new Versions(
                    seen.root(),
                    Math.max(seen.timestamp(), reported.timestamp()),
                    Math.max(seen.snapshot(), reported.snapshot()),
                    Math.max(seen.targets(), reported.targets()),
                    Math.max(seen.director(), reported.director()));
        }
    }

    private void live(Disk disk) throws Exception {
        order(start(disk)).orThrow();
    }

    private TrustState state() throws Exception {
        return RootChain.load(stateDir, factory, tee.anchors(), Disk.LOCAL).state();
    }

    private void putBack() throws IOException {
        CutMatrix.clear(root);
        Files.write(factory, repo.file("1.root.json"));
        for (Map.Entry<Path, byte[]> file : before.entrySet()) {
            Files.createDirectories(Disk.directoryOf(file.getKey()));
            Files.write(file.getKey(), file.getValue());
        }
    }

    private static void assertRefused(Verdict<?> verdict, Code code) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code())
                                .as(r.reason().toString())
                                .isEqualTo(code));
    }

    private final class Cut implements CutMatrix.Scenario {
        private final Stage older;
        private final List<Stage> stages;

        Cut(Stage older, List<Stage> stages) {
            this.older = older;
            this.stages = stages;
        }

        @Override
        public void restore() throws IOException {
            putBack();
            tee.generation = generationBefore;
            reported = reportedBefore;
            floors = floorsBefore;
            renamed = false;
        }

        @Override
        public void run(Disk disk) throws Exception {
            if (readmit) {
                TrustClient.readmit(stateDir, factory, tee.anchors(), disk).orThrow();
            }
            if (begins) {
                DeviceRecord.begin(stateDir, factory, tee.anchors(), disk).orThrow();
            }
            staged.serve(stages.getFirst());
            TrustClient client = start(disk);
            for (Stage stage : stages) {
                staged.serve(stage);
                refresh(client);
                if (stage.equals(stages.getFirst())) {
                    order(client);
                }
            }
            if (raise) {
                raiseFloors(client);
            }
            if (rename) {
                renamed = orderRenamed(client).isAccepted();
            }
        }

        @Override
        public void comesBack(End end) throws Exception {
            if (readmit && !starts()) {
                // Cut off before the record was durable: whoever asked for it asks again.
                TrustClient.readmit(stateDir, factory, tee.anchors()).orThrow();
            }
            if (begins && !starts()) {
                DeviceRecord.begin(stateDir, factory, tee.anchors()).orThrow();
            }
            staged.serve(older);
            TrustClient client = start(Disk.LOCAL);
            Versions kept = Versions.of(state());
            kept.requireNotBelow(reported);
            SortedMap<String, Long> still = client.epochFloors();
            floors.forEach((model, floor) -> assertThat(still.getOrDefault(model, 0L))
                    .as("floor of " + model)
                    .isGreaterThanOrEqualTo(floor));
            if (raise) {
                raiseFloors(client);
                assertThat(state().floors()).isEqualTo(Map.of("intent", 5L, "embed", 2L));
            }
            if (kept.root() == older.versions().root()
                    && kept.timestamp() > older.versions().timestamp()) {
                assertRefused(client.refresh(), Code.UPD_ROLLBACK);
            }
            if (rename) {
                assertThat(state().orders().of(OTHER_NAME)).isGreaterThanOrEqualTo(renamed ? 1 : 0);
                orderRenamed(client).orThrow();
                assertThat(state().orders().of(DEVICE)).isEqualTo(kept.director());
            }
            Stage newest = stages.getLast();
            staged.serve(newest);
            if (kept.director() > older.director()) {
                repo.directorVersion = kept.director() - 1;
                assertRefused(client.order(DEVICE), Code.UPD_ROLLBACK);
                repo.directorVersion = newest.director();
            }
            client.order(DEVICE).orThrow();
            assertThat(Versions.of(state())).isEqualTo(newest.versions());
            assertThat(CrashDisk.files(root).stream()
                            .map(file -> root.relativize(file).toString()))
                    .containsExactlyInAnyOrderElementsOf(expected(newest));
            noticesAnOldCopy();
        }

        private boolean starts() throws IOException {
            return TrustClient.start(stateDir, factory, tee.anchors(), repo, Clock.systemUTC())
                    .isAccepted();
        }

        private TreeSet<String> expected(Stage newest) throws IOException {
            TreeSet<String> files = new TreeSet<>(List.of(
                    "factory.json",
                    "state/metadata/snapshot.json",
                    "state/metadata/targets.json",
                    "state/metadata/timestamp.json",
                    "state/state.0.json",
                    "state/state.1.json"));
            for (long link = 2; link <= newest.versions().root(); link++) {
                files.add("state/" + link + ".root.json");
                assertThat(Files.readAllBytes(stateDir.resolve(link + ".root.json")))
                        .isEqualTo(newest.files().get(link + ".root.json"));
            }
            return files;
        }

        private void noticesAnOldCopy() throws Exception {
            if (tee.generation == generationBefore) {
                return; // Only a timestamp was new.
            }
            putBack();
            assertRefused(
                    TrustClient.start(stateDir, factory, tee.anchors(), repo, Clock.systemUTC()), Code.TEE_ROLLBACK);
        }
    }
}
