package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.SoftwareVerifier;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RootSigning;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two writers on one directory, as threads with a repository of their own each, or as processes. */
@Timeout(120)
class FleetWritersTest {
    private static final FleetDirectory.Config CONFIG = new FleetDirectory.Config("test", "tcp://127.0.0.1:1883");

    @TempDir
    Path dir;

    private FleetDirectory directory;

    @BeforeEach
    void init() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        repository().init(CONFIG);
        FleetWriter.publish(repository(), "1", 1);
    }

    /** As each command opens one for itself. */
    private FleetRepository repository() {
        return new FleetRepository(new FleetDirectory(dir.resolve("fleet")), Clock.systemUTC());
    }

    private static List<String> numbers(int upTo) {
        return IntStream.rangeClosed(1, upTo).mapToObj(Integer::toString).toList();
    }

    private Envelope timestamp() throws Exception {
        return Envelope.parse(Files.readAllBytes(directory.metadata("timestamp.json")), "timestamp", 100_000);
    }

    private Meta snapshotOfToday() throws Exception {
        return Meta.of(timestamp(), "snapshot.json");
    }

    private Meta targetsOfToday() throws Exception {
        Path file = directory.metadata(snapshotOfToday().version() + ".snapshot.json");
        return Meta.of(Envelope.parse(Files.readAllBytes(file), "snapshot", 100_000), "targets.json");
    }

    /** Each release is listed, with a number of its own. */
    private void assertReleases(int count) throws Exception {
        List<Long> releases = new ArrayList<>();
        for (TargetFile file : repository().targets()) {
            if (ModelTarget.is(file)) {
                releases.add(ModelTarget.of(file).orThrow().release());
            }
        }
        assertThat(releases)
                .containsExactlyInAnyOrderElementsOf(
                        LongStream.rangeClosed(1, count).boxed().toList());
    }

    // --- threads ---

    @Test
    void ordersOfTwoThreadsHaveNumbersOfTheirOwn() throws Exception {
        Callable<List<Long>> orders = Together.times(25, () -> FleetWriter.desire(repository()));
        assertThat(Together.together(orders, orders).stream().flatMap(List::stream))
                .containsExactlyInAnyOrderElementsOf(
                        LongStream.rangeClosed(1, 50).boxed().toList());
    }

    @Test
    void noVersionIsGivenTwiceAndNoReleaseIsLost() throws Exception {
        long before = timestamp().version();
        Together.together(
                () -> List.of(FleetWriter.publish(repository(), "a.1", 2), FleetWriter.publish(repository(), "a.2", 3)),
                () -> List.of(FleetWriter.publish(repository(), "b.1", 4), FleetWriter.publish(repository(), "b.2", 5)),
                Together.times(5, () -> {
                    repository().signAgain();
                    return "";
                }),
                Together.times(5, () -> {
                    repository().renew(Duration.ofDays(1));
                    return "";
                }));
        assertReleases(5);
        assertThat(timestamp().version())
                .as("4 releases, 5 signed again, 5 renewed")
                .isEqualTo(before + 14);
        assertThat(snapshotOfToday().version()).isEqualTo(before + 9);
        assertThat(targetsOfToday().version()).isEqualTo(before + 9);
    }

    /** A clock that lets another thread run when it is first asked, until that has ended or has to wait. */
    private static Clock interruptedBy(Thread other) {
        return new Clock() {
            @Override
            public Instant instant() {
                if (other.getState() == Thread.State.NEW) {
                    other.start();
                    while (other.getState() != Thread.State.WAITING && other.isAlive()) {
                        Thread.onSpinWait();
                    }
                }
                return Instant.now();
            }

            @Override
            public ZoneId getZone() {
                return ZoneOffset.UTC;
            }

            @Override
            public Clock withZone(ZoneId zone) {
                return this;
            }
        };
    }

    @Test
    void whatIsSignedWhileKeysChangeIsSignedByTheNewOnes() throws Exception {
        RootFolder folder = new RootFolder(directory);
        byte[] draft = folder.draft(List.of(FleetKeys.TARGETS, FleetKeys.SNAPSHOT, FleetKeys.TIMESTAMP), Instant.now());
        byte[] next =
                RootSigning.add(draft, FleetKeys.ROOT.load(directory.keys()).keys());
        FutureTask<Long> ceremony = new FutureTask<>(() -> folder.publish(next, repository()));
        // The clock is read when the old keys are in memory and nothing is written yet.
        new FleetRepository(directory, interruptedBy(new Thread(ceremony))).signAgain();
        assertThat(ceremony.get()).isEqualTo(2);
        RootDocument root = RootDocument.parse(next);
        timestamp().requireThreshold(root.role("timestamp"), FamilyPolicy.NONE, new SoftwareVerifier());
        Path targets = directory.metadata(targetsOfToday().version() + ".targets.json");
        Envelope.parse(Files.readAllBytes(targets), "targets", 100_000)
                .requireThreshold(root.role("targets"), FamilyPolicy.NONE, new SoftwareVerifier());
    }

    /** Devices that saw one of them would never accept what follows the other. */
    @Test
    void oneOfTwoRootsOfAVersionIsPublished() throws Exception {
        RootFolder folder = new RootFolder(directory);
        List<Callable<Optional<Long>>> ceremonies = new ArrayList<>();
        for (Instant drafted : List.of(Instant.now(), Instant.now().plusSeconds(60))) {
            byte[] signed = RootSigning.add(
                    folder.draft(List.of(), drafted),
                    FleetKeys.ROOT.load(directory.keys()).keys());
            ceremonies.add(() -> {
                try {
                    return Optional.of(folder.publish(signed, repository()));
                } catch (RejectedException e) {
                    assertThat(e).hasMessageContaining("UPD-ROLLBACK");
                    return Optional.empty();
                }
            });
        }
        assertThat(Together.together(ceremonies.getFirst(), ceremonies.getLast()))
                .containsExactlyInAnyOrder(Optional.of(2L), Optional.empty());
    }

    @Test
    void twoDraftsOfOneRootShareTheirFreshKeys() throws Exception {
        List<byte[]> drafts = Together.together(
                () -> new RootFolder(directory).draft(List.of(FleetKeys.TIMESTAMP), Instant.EPOCH),
                () -> new RootFolder(directory).draft(List.of(FleetKeys.TIMESTAMP), Instant.EPOCH));
        assertThat(drafts.getFirst()).isEqualTo(drafts.getLast());
    }

    @Test
    void aBundleIsGoodForAsLongAsAskedWhateverIsSignedMeanwhile() throws Exception {
        FleetWriter.desire(repository());
        RoleSigner director = FleetKeys.DIRECTOR.load(directory.keys());
        Duration life = Duration.ofDays(20);
        OfflinePack pack = new OfflinePack(List.of("device-1"), OfflinePack.Content.FULL, life);
        FutureTask<Long> other = new FutureTask<>(() -> {
            repository().signAgain();
            return timestamp().version();
        });
        // The clock is read between the timestamp of the bundle and the reading of what goes into it.
        OfflinePack.Written written =
                pack.write(repository(), director, interruptedBy(new Thread(other)), dir.resolve("stick.hfb"));
        assertThat(Duration.between(Instant.now(), written.validUntil())).isGreaterThan(life.minusHours(1));
        assertThat(other.get()).as("it had its turn").isEqualTo(timestamp().version());
    }

    @Test
    void oneOfTwoMakesTheFleet() throws Exception {
        for (int round = 0; round < 20; round++) {
            FleetDirectory fresh = new FleetDirectory(dir.resolve("other-" + round));
            Callable<Optional<Path>> init = () -> {
                try {
                    return Optional.of(new FleetRepository(fresh, Clock.systemUTC()).init(CONFIG));
                } catch (RejectedException e) {
                    assertThat(e).hasMessageContaining("FLT-EXISTS");
                    return Optional.empty();
                }
            };
            assertThat(Together.together(init, init)).containsOnlyOnce(Optional.empty());
            RootDocument root = RootDocument.parse(Files.readAllBytes(fresh.metadata("1.root.json")));
            assertThat(root.role("targets"))
                    .isEqualTo(FleetKeys.TARGETS.load(fresh.keys()).role());
        }
    }

    @Test
    void whoeverWritesMayCallWhatWrites() throws Exception {
        assertThat(directory.exclusively(() -> directory.exclusively(() -> "inside")))
                .isEqualTo("inside");
        assertThatThrownBy(() -> directory.exclusively(() -> {
                    throw new java.io.IOException("broken");
                }))
                .hasMessage("broken");
        assertThat(Together.together(() -> directory.exclusively(() -> "after a failure")))
                .containsExactly("after a failure");
    }

    /** The making of a release takes minutes; an order in that time does not. */
    @Test
    void anOrderDoesNotWaitForARelease() throws Exception {
        assertThat(directory.publishing(() -> {
                    try {
                        return Together.together(() -> FleetWriter.desire(repository()));
                    } catch (Exception e) {
                        throw new AssertionError(e);
                    }
                }))
                .containsExactly(1L);
    }

    // --- processes ---

    @Test
    void ordersOfTwoProcessesHaveNumbersOfTheirOwn() throws Exception {
        assertThat(inTwoProcesses("desire", 25)).containsExactlyInAnyOrderElementsOf(numbers(50));
    }

    @Test
    void releasesOfTwoProcessesAreAllListed() throws Exception {
        long before = timestamp().version();
        List<String> published = inTwoProcesses("publish", 3);
        assertThat(repository().targets().stream().map(TargetFile::path)).containsAll(published);
        assertReleases(7);
        assertThat(timestamp().version()).isEqualTo(before + 6);
        assertThat(targetsOfToday().version()).isEqualTo(before + 6);
    }

    private List<String> inTwoProcesses(String work, int count) throws Exception {
        try (FleetWriter one = FleetWriter.start(directory.root(), work, "one", count);
                FleetWriter two = FleetWriter.start(directory.root(), work, "two", count)) {
            one.go();
            two.go();
            List<String> all = new ArrayList<>(one.done());
            all.addAll(two.done());
            return all;
        }
    }
}
