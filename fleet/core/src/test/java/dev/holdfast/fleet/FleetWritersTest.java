package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.SoftwareVerifier;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.signing.RootSigning;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
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

    /** Lets all begin at once, and returns what each of them returned. */
    @SafeVarargs
    private static <T> List<T> together(Callable<T>... works) throws Exception {
        CountDownLatch begin = new CountDownLatch(1);
        try (ExecutorService threads = Executors.newFixedThreadPool(works.length)) {
            List<Future<T>> running = new ArrayList<>();
            for (Callable<T> work : works) {
                running.add(threads.submit(() -> {
                    begin.await();
                    return work.call();
                }));
            }
            begin.countDown();
            List<T> results = new ArrayList<>();
            for (Future<T> one : running) {
                results.add(one.get());
            }
            return results;
        }
    }

    private static <T> Callable<List<T>> times(int count, Callable<T> work) {
        return () -> {
            List<T> all = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                all.add(work.call());
            }
            return all;
        };
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
        Callable<List<Long>> orders = times(25, () -> FleetWriter.desire(repository()));
        assertThat(together(orders, orders).stream().flatMap(List::stream))
                .containsExactlyInAnyOrderElementsOf(
                        LongStream.rangeClosed(1, 50).boxed().toList());
    }

    @Test
    void noVersionIsGivenTwiceAndNoReleaseIsLost() throws Exception {
        long before = timestamp().version();
        together(
                () -> List.of(FleetWriter.publish(repository(), "a.1", 2), FleetWriter.publish(repository(), "a.2", 3)),
                () -> List.of(FleetWriter.publish(repository(), "b.1", 4), FleetWriter.publish(repository(), "b.2", 5)),
                times(5, () -> {
                    repository().signAgain();
                    return "";
                }),
                times(5, () -> {
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

    @Test
    void whatIsSignedWhileKeysChangeIsSignedByTheNewOnes() throws Exception {
        RootFolder folder = new RootFolder(directory);
        byte[] draft = folder.draft(List.of(FleetKeys.TARGETS, FleetKeys.SNAPSHOT, FleetKeys.TIMESTAMP), Instant.now());
        byte[] next =
                RootSigning.add(draft, FleetKeys.ROOT.load(directory.keys()).keys());
        together(
                times(10, () -> {
                    repository().signAgain();
                    return 0L;
                }),
                times(1, () -> folder.publish(next, repository())));
        RootDocument root = RootDocument.parse(next);
        timestamp().requireThreshold(root.role("timestamp"), FamilyPolicy.NONE, new SoftwareVerifier());
        Path targets = directory.metadata(targetsOfToday().version() + ".targets.json");
        Envelope.parse(Files.readAllBytes(targets), "targets", 100_000)
                .requireThreshold(root.role("targets"), FamilyPolicy.NONE, new SoftwareVerifier());
    }

    @Test
    void twoDraftsOfOneRootShareTheirFreshKeys() throws Exception {
        List<byte[]> drafts = together(
                () -> new RootFolder(directory).draft(List.of(FleetKeys.TIMESTAMP), Instant.EPOCH),
                () -> new RootFolder(directory).draft(List.of(FleetKeys.TIMESTAMP), Instant.EPOCH));
        assertThat(drafts.getFirst()).isEqualTo(drafts.getLast());
    }

    @Test
    void oneOfTwoMakesTheFleet() throws Exception {
        FleetDirectory fresh = new FleetDirectory(dir.resolve("other"));
        Callable<Optional<Path>> init = () -> {
            try {
                return Optional.of(new FleetRepository(fresh, Clock.systemUTC()).init(CONFIG));
            } catch (RejectedException e) {
                assertThat(e).hasMessageContaining("FLT-EXISTS");
                return Optional.empty();
            }
        };
        assertThat(together(init, init)).containsOnlyOnce(Optional.empty());
        RootDocument root = RootDocument.parse(Files.readAllBytes(fresh.metadata("1.root.json")));
        assertThat(root.role("targets"))
                .isEqualTo(FleetKeys.TARGETS.load(fresh.keys()).role());
    }

    @Test
    void twoServicesThatStartAtOnceHaveOneAuthority() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            EnrolledDevice device = enrol(desk(), bridge, "device-0").orElseThrow();
            for (int round = 0; round < 5; round++) {
                Files.delete(directory.keys().resolve("device-ca.pem"));
                Callable<Binary> authority = () -> DeviceCertificates.open(directory, "test", Clock.systemUTC())
                        .issue(device)
                        .authority();
                List<Binary> both = together(authority, authority);
                assertThat(both.getFirst()).isEqualTo(both.getLast());
            }
        }
    }

    private EnrolmentDesk desk() throws Exception {
        Clock clock = Clock.systemUTC();
        return new EnrolmentDesk(
                directory, EnrolmentPolicy.onFirstUse(), DeviceCertificates.open(directory, "test", clock), clock);
    }

    /** The device's record, where this one was let in. */
    private Optional<EnrolledDevice> enrol(EnrolmentDesk desk, SoftwareBridge bridge, String device) throws Exception {
        DeviceEnrolment enrolment = new DeviceEnrolment(bridge, device);
        byte[] challenge = desk.begin(device, Binary.copyOf(enrolment.request()));
        try {
            desk.complete(device, Binary.copyOf(enrolment.prove(challenge).orThrow()));
            return Optional.of(new DeviceRecords(directory).read(device));
        } catch (RejectedException e) {
            assertThat(e).hasMessageContaining("other keys");
            return Optional.empty();
        }
    }

    /** Two services on one directory, and somebody who enrols under the name of a device. */
    @Test
    void theKeysThatCameFirstStayWhicheverServiceIsAsked() throws Exception {
        EnrolmentDesk one = desk();
        EnrolmentDesk two = desk();
        try (SoftwareBridge mine = SoftwareBridge.open(dir.resolve("tee-1"));
                SoftwareBridge theirs = SoftwareBridge.open(dir.resolve("tee-2"))) {
            for (int i = 0; i < 15; i++) {
                String device = "device-" + i;
                List<Optional<EnrolledDevice>> both =
                        together(() -> enrol(one, mine, device), () -> enrol(two, theirs, device));
                assertThat(both).as(device).containsOnlyOnce(Optional.empty());
            }
        }
    }

    /** What evidence says of a device's clock. */
    private static Appraisal affirmed(long bootCount) {
        Appraisal.Claims claims = new Appraisal.Claims(
                "device-1",
                Optional.empty(),
                Assurance.SOFTWARE,
                bootCount,
                0,
                "holdfast",
                "0.1.0",
                0,
                Map.of(),
                Map.of(),
                0);
        return new Appraisal(Appraisal.Status.AFFIRMING, "test", List.of(), Optional.of(claims));
    }

    @Test
    void eachAppraisalSeesWhatTheOneBeforeItRemembered() throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            enrol(desk(), bridge, "device-1").orElseThrow();
            Callable<List<Long>> verifier = times(
                    20,
                    () -> new DeviceRecords(directory)
                            .appraise("device-1", known -> affirmed(known.lastResetCount() + 1))
                            .device()
                            .lastResetCount());
            assertThat(together(verifier, verifier).stream().flatMap(List::stream))
                    .containsExactlyInAnyOrderElementsOf(
                            LongStream.range(0, 40).boxed().toList());
            assertThat(new DeviceRecords(directory).read("device-1").lastResetCount())
                    .isEqualTo(40);
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
        assertThat(together(() -> directory.exclusively(() -> "after a failure")))
                .containsExactly("after a failure");
    }

    /** The making of a release takes minutes; an order in that time does not. */
    @Test
    void anOrderDoesNotWaitForARelease() throws Exception {
        assertThat(directory.publishing(() -> {
                    try {
                        return together(() -> FleetWriter.desire(repository()));
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
