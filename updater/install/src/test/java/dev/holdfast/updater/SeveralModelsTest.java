package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.InferenceControl;
import dev.holdfast.control.Slot;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.ModelTerms;
import dev.holdfast.trust.release.Order;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A chat model and others beside it: each has installs of its own, and no install harms another model. */
class SeveralModelsTest {
    private final InstallWorld world;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

    SeveralModelsTest(@TempDir Path dir) throws IOException {
        world = new InstallWorld(dir);
    }

    @AfterEach
    void end() {
        threads.shutdownNow();
    }

    private CompletableFuture<InstallOutcome> begin(Installer installer, ModelOrder order) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return installer.install(order);
                    } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                },
                threads);
    }

    private static void assertCommitted(InstallOutcome outcome) {
        assertThat(outcome).isInstanceOf(InstallOutcome.Committed.class);
    }

    private static void assertFailed(InstallOutcome outcome, Code code) {
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        InstallOutcome.Failed.class,
                        failed -> assertThat(failed.reason().code()).isEqualTo(code));
    }

    private static void assertInterrupted(InstallOutcome outcome, Code code) {
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        InstallOutcome.Interrupted.class,
                        cut -> assertThat(cut.reason().code()).isEqualTo(code));
    }

    private static Order order(long version, Optional<String> byDefault, ModelOrder... models) {
        return new Order("d", version, Instant.MAX, byDefault, List.of(models), Optional.empty());
    }

    private static ModelOrder asDefault(ModelOrder order) {
        ModelTerms terms = order.terms();
        return new ModelOrder(
                order.device(),
                order.version(),
                order.model(),
                order.deltas(),
                new ModelTerms(terms.target(), true, terms.rollout()));
    }

    private ModelOrder release(String model, int seed, long version) throws IOException {
        return InstallWorld.order(
                version, world.target(model, RepositorySimulator.model(seed), version + ".0.0", 1), List.of());
    }

    @Test
    void oneInstallsBesideAnotherAndTheFirstOfAllIsTheDefault() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        assertCommitted(installer.install(world.embedder()));
        assertThat(world.serving).containsOnlyKeys("intent", "embed");
        assertThat(world.pointer().byDefault()).contains("intent");
        assertThat(installer.models()).containsExactly("embed", "intent");
        assertThat(installer.arrange(order(2, Optional.of("embed")))).isEmpty();
        assertThat(world.pointer().byDefault()).contains("embed");
        assertThat(world.byDefault).contains("embed");
    }

    @Test
    void aModelThatIsOrderedAsTheDefaultIsItOnceItServes() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        ModelOrder embed = asDefault(world.embedder());
        assertThat(installer.arrange(order(2, Optional.of("embed"), world.firstOrder, embed)))
                .isEmpty();
        assertThat(world.byDefault).as("it does not serve yet").contains("intent");
        assertCommitted(installer.install(embed));
        assertThat(world.byDefault).contains("embed");
        assertThat(world.pointer().byDefault()).contains("embed");
    }

    @Test
    void aModelOfTheOrderGuessesForAnother() throws Exception {
        Installer installer = world.installer();
        ModelOrder small = release("small", 7, 1);
        ModelOrder guessing = drafted(world.firstOrder, small.terms().target());
        Order both = order(2, Optional.of("intent"), guessing, small);
        assertThat(installer.arrange(both)).isEmpty();
        assertCommitted(installer.install(guessing));
        assertCommitted(installer.install(small));
        assertThat(installer.arrange(both)).as("the next look").isEmpty();
        assertThat(world.drafts).containsExactly(Map.entry("intent", "small"));
        assertThat(world.pointer().drafts()).as("also after a start").isEqualTo(world.drafts);
        String elsewhere = "models/none/1.0.0/model.gguf";
        assertThat(installer.arrange(order(3, Optional.of("intent"), drafted(world.firstOrder, elsewhere), small)))
                .isEmpty();
        assertThat(world.drafts).as("a draft that is no model of the order").isEmpty();
        assertThat(installer.arrange(both)).isEmpty();
        assertThat(installer.arrange(order(4, Optional.of("intent"), world.firstOrder, small)))
                .isEmpty();
        assertThat(world.drafts).isEmpty();
    }

    private static ModelOrder drafted(ModelOrder order, String path) {
        return new ModelOrder(
                order.device(),
                order.version(),
                order.model(),
                order.deltas(),
                order.terms().draft(path));
    }

    @Test
    void aLoadThatHangsHoldsUpNoOtherModel() throws Exception {
        Installer installer = world.installer();
        CountDownLatch loading = new CountDownLatch(1);
        CountDownLatch free = new CountDownLatch(1);
        world.prepared = slot -> {
            if (slot.model().equals("intent")) {
                loading.countDown();
                await(free);
            }
        };
        CompletableFuture<InstallOutcome> stuck = begin(installer, world.firstOrder);
        assertThat(loading.await(20, TimeUnit.SECONDS)).isTrue();
        assertCommitted(installer.install(world.embedder()));
        assertThat(world.serving).containsOnlyKeys("embed");
        assertThat(stuck).isNotDone();
        free.countDown();
        assertCommitted(stuck.get(20, TimeUnit.SECONDS));
        assertThat(world.serving).containsOnlyKeys("intent", "embed");
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void aModelThatFailsItsGateLeavesTheOtherAlone() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        assertCommitted(installer.install(world.embedder()));
        Slot beside = world.pointer().serving("embed").orElseThrow();
        world.gate = Optional.of(new Rejection(Code.GATE_CANARY, "3 of 18"));
        assertFailed(installer.install(world.secondOrder), Code.GATE_CANARY);
        assertThat(world.serving).containsEntry("embed", beside);
        assertThat(world.store.verifies(beside)).isTrue();
        assertThat(world.pointer().serving("embed")).contains(beside);
    }

    /** At most two at once, and never the same file twice. */
    @Test
    void downloadsTakeTurns() throws Exception {
        Installer installer = world.installer();
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        world.blockLie = block -> {
            most.accumulateAndGet(now.incrementAndGet(), Math::max);
            sleep();
            now.decrementAndGet();
            return block;
        };
        List<CompletableFuture<InstallOutcome>> all = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            all.add(begin(installer, release("model-" + i, 20 + i, 1)));
        }
        for (CompletableFuture<InstallOutcome> each : all) {
            assertCommitted(each.get(60, TimeUnit.SECONDS));
        }
        assertThat(most).hasValue(2);
        assertThat(world.repeated).isZero();
    }

    private static void sleep() {
        try {
            Thread.sleep(1);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void theSameFileUnderTwoNamesIsPulledOnce() throws Exception {
        Installer installer = world.installer();
        CompletableFuture<InstallOutcome> one = begin(installer, release("one", 5, 1));
        CompletableFuture<InstallOutcome> two = begin(installer, release("two", 5, 1));
        assertCommitted(one.get(60, TimeUnit.SECONDS));
        assertCommitted(two.get(60, TimeUnit.SECONDS));
        assertThat(world.repeated).isZero();
        assertThat(world.serving).containsOnlyKeys("one", "two");
        // What one needs no more the other still does.
        assertThat(installer.retire("one", 2)).isEmpty();
        assertThat(world.store.has(Sha256.of(RepositorySimulator.model(5)))).isTrue();
        assertThat(installer.retire("two", 2)).isEmpty();
        assertThat(world.store.has(Sha256.of(RepositorySimulator.model(5)))).isFalse();
    }

    // --- the same bytes, signed anew ---

    private ModelOrder mended(long version, long epoch) {
        ObjectNode custom = ((ObjectNode)
                        world.firstOrder.model().file().custom().deepCopy())
                .put("version", "1.0.1")
                .put("release", 2)
                .put("epoch", epoch);
        custom.withObject("/template").putArray("stop").add("<end>");
        ModelTarget target = InstallWorld.target(world.first, "1.0.1", custom);
        return InstallWorld.order(version, target, List.of());
    }

    @Test
    void theSameBytesWithAnotherTemplateAreTakenOverWithoutADownload() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        world.requests = 0;
        world.log.clear();
        ModelOrder mended = mended(2, 3);
        assertCommitted(installer.install(mended));
        Slot slot = TargetSlot.of(mended.model());
        assertThat(world.serving).containsEntry("intent", slot);
        assertThat(world.pointed().template().at("/stop/0").asText()).isEqualTo("<end>");
        assertThat(world.requests).isZero();
        assertThat(world.log).as("gated, measured, flipped").containsExactly("before " + slot.digest(), "after");
        assertThat(world.floor()).isEqualTo(3);
        assertThat(world.pointer().fallback("intent")).as("below the floor").isEmpty();
        assertThat(installer.install(mended)).isInstanceOf(InstallOutcome.Unchanged.class);
        assertFailed(installer.install(world.without(world.firstOrder, 3)), Code.UPD_EPOCH);
    }

    @Test
    void aReleaseOfTheSameBytesIsRolledBackToTheOneBefore() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        assertCommitted(installer.install(mended(2, 1)));
        assertThat(installer.rollback("intent", "the old one")).isInstanceOf(InstallOutcome.RolledBack.class);
        assertThat(world.serving).containsEntry("intent", TargetSlot.of(world.firstOrder.model()));
        assertThat(world.store.has(Sha256.of(world.first))).isTrue();
    }

    // --- floors ---

    @Test
    void oneModelsFloorShutsOutNoOther() throws Exception {
        world.floors.put("intent", 5L);
        Installer installer = world.installer();
        assertCommitted(installer.install(InstallWorld.order(1, world.target(world.first, "1.0.0", 5), List.of())));
        assertCommitted(installer.install(world.embedder()));
        assertThat(world.floors).containsEntry("intent", 5L).containsEntry("embed", 1L);
        assertFailed(installer.install(world.secondOrder), Code.UPD_EPOCH);
    }

    // --- memory ---

    private ModelOrder needing(String model, int seed, long version, long bytes) throws IOException {
        byte[] content = RepositorySimulator.model(seed);
        ObjectNode custom = (ObjectNode) world.target(model, content, version + ".0.0", 1)
                .file()
                .custom()
                .deepCopy();
        custom.set("needs", Json.object().put("memoryBytes", bytes));
        return InstallWorld.order(version, InstallWorld.target(model, content, version + ".0.0", custom), List.of());
    }

    private void budget(long bytes) {
        world.config = world.config.with(new InstallerConfig.Device("0.1.0", bytes, 0));
    }

    @Test
    void aSetThatDoesNotFitIsRefusedWithNumbers() throws Exception {
        budget(100L << 20);
        Installer installer = world.installer();
        assertCommitted(installer.install(needing("one", 5, 1, 60L << 20)));
        world.requests = 0;
        InstallOutcome outcome = installer.install(needing("two", 6, 1, 50L << 20));
        assertInterrupted(outcome, Code.INS_MEMORY);
        assertThat(((InstallOutcome.Interrupted) outcome).reason().detail())
                .isEqualTo("two@1.0.0 needs 50 MiB, the 1 models in service 60, the budget is 100");
        assertThat(world.requests).as("before anything is pulled").isZero();
        assertThat(world.serving).containsOnlyKeys("one");
        // What is in the way goes, or the owner raises the budget: the very same order goes on.
        budget(120L << 20);
        assertCommitted(world.installer().install(needing("two", 6, 1, 50L << 20)));
    }

    /** The release before it serves until the flip. */
    @Test
    void aReleaseMustFitBesideTheOneThatItReplaces() throws Exception {
        budget(100L << 20);
        Installer installer = world.installer();
        assertCommitted(installer.install(needing("one", 5, 1, 60L << 20)));
        assertInterrupted(installer.install(needing("one", 6, 2, 60L << 20)), Code.INS_MEMORY);
        assertCommitted(installer.install(needing("one", 7, 3, 30L << 20)));
    }

    /** The process that loads them knows what is free; what another candidate takes comes back. */
    @Test
    void whereOnlyACandidateIsInTheWayTheInstallWaits() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        Slot other = TargetSlot.of(world.embedder().model());
        world.candidates.put("embed", other);
        world.gate = Optional.of(new Rejection(Code.INS_MEMORY, "needs 50 MiB, 10 are left of 100"));
        assertInterrupted(installer.install(world.secondOrder), Code.INS_MEMORY);
        world.candidates.clear();
        assertInterrupted(installer.install(world.secondOrder), Code.INS_MEMORY);
        world.gate = Optional.empty();
        assertCommitted(installer.install(world.secondOrder));
    }

    /** The order drops one and adds another in its place: whichever is first, the new one comes. */
    @Test
    void whatAnOrderDropsIsInTheWayOfNothing() throws Exception {
        budget(100L << 20);
        Installer installer = world.installer();
        assertCommitted(installer.install(needing("one", 5, 1, 60L << 20)));
        ModelOrder two = needing("two", 6, 2, 50L << 20);
        assertThat(installer.arrange(order(2, Optional.of("two"), asDefault(two))))
                .isEmpty();
        assertInterrupted(installer.install(two), Code.INS_MEMORY);
        assertThat(installer.retire("one", 2)).isEmpty();
        assertCommitted(installer.install(two));
        assertThat(world.byDefault).contains("two");
    }

    @Test
    void twoThatWereCutOffDoNotWaitForEachOther() throws Exception {
        budget(100L << 20);
        world.config = world.config.with(new InstallerConfig.Retries(0, Duration.ofMillis(1), Duration.ofMillis(1)));
        Installer installer = world.installer();
        ModelOrder one = needing("one", 5, 1, 60L << 20);
        ModelOrder two = needing("two", 6, 1, 50L << 20);
        world.transportFailures = 2;
        assertInterrupted(installer.install(one), Code.LNK_TIMEOUT);
        assertInterrupted(installer.install(two), Code.LNK_TIMEOUT);
        assertCommitted(installer.install(two));
        assertInterrupted(installer.install(one), Code.INS_MEMORY);
    }

    @Test
    void aSeventeenthModelWaits() throws Exception {
        Installer installer = world.installer();
        for (int i = 0; i < ModelName.MAX_MODELS; i++) {
            assertCommitted(installer.install(release("m" + i, 30 + i, 1)));
        }
        ModelOrder more = release("more", 50, 1);
        assertInterrupted(installer.install(more), Code.INS_MEMORY);
        assertThat(world.pointer().models()).hasSize(ModelName.MAX_MODELS);
        assertThat(installer.retire("m3", 2)).isEmpty();
        assertCommitted(installer.install(more));
    }

    @Test
    void nothingOverflowsHoweverMuchAPublisherAsksFor() throws Exception {
        budget(100L << 20);
        Installer installer = world.installer();
        assertCommitted(installer.install(needing("one", 5, 1, 1)));
        assertInterrupted(installer.install(needing("two", 6, 1, Long.MAX_VALUE)), Code.INS_MEMORY);
    }

    /** Two that share their bytes fit where their needs do not add up to a number any more. */
    @Test
    void theSumOfWhatServesOverflowsNeither() throws Exception {
        budget(Long.MAX_VALUE);
        Installer installer = world.installer();
        long half = Long.MAX_VALUE / 2 + RepositorySimulator.model(5).length / 4;
        assertCommitted(installer.install(needing("one", 5, 1, half)));
        assertCommitted(installer.install(needing("two", 5, 1, half)));
        assertInterrupted(installer.install(needing("three", 6, 1, 1)), Code.INS_MEMORY);
    }

    // --- the end of a model ---

    @Test
    void aModelThatNoOrderNamesIsRetired() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        assertCommitted(installer.install(world.embedder()));
        Order without = order(2, Optional.of("embed"), world.embedder());
        assertThat(installer.dropped(without)).containsExactly("intent");
        world.log.clear();
        assertThat(installer.retire("intent", 2)).isEmpty();
        assertThat(world.serving).containsOnlyKeys("embed");
        assertThat(world.pointer().models()).containsOnlyKeys("embed");
        assertThat(world.pointer().byDefault()).contains("embed");
        assertThat(world.log).as("unloaded, then said").containsExactly("retired intent");
        assertThat(installer.history().getLast().state()).isEqualTo(InstallState.RETIRED);
        assertThat(world.store.has(Sha256.of(world.first))).isFalse();
        assertThat(installer.dropped(without)).isEmpty();
        // And comes back by a later order.
        assertCommitted(installer.install(world.without(world.firstOrder, 3)));
    }

    @Test
    void anOrderOfNothingRetiresEverything() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        Order nothing = order(2, Optional.empty());
        assertThat(installer.arrange(nothing)).isEmpty();
        for (String name : installer.dropped(nothing)) {
            assertThat(installer.retire(name, 2)).isEmpty();
        }
        assertThat(world.serving).isEmpty();
        assertThat(world.pointer().models()).isEmpty();
        assertThat(world.pointer().byDefault()).isEmpty();
    }

    @Test
    void aRetirementThatNobodyHeardIsMadeUpFor() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        world.inferenceGone = true;
        assertThat(installer.retire("intent", 2)).map(Rejection::code).contains(Code.INS_CANDIDATE_LOST);
        assertThat(world.pointer().models()).isEmpty();
        assertThat(world.named()).as("it may still serve").containsExactly("intent");
        world.inferenceGone = false;
        Installer later = world.installer();
        assertThat(later.dropped(order(2, Optional.empty()))).containsExactly("intent");
        assertThat(later.retire("intent", 2)).isEmpty();
        assertThat(world.serving).isEmpty();
        assertThat(world.named()).isEmpty();
    }

    @Test
    void aRetirementEndsAnInstallOfTheModel() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ofMinutes(5), Duration.ofMillis(5)));
        Installer patient = world.installer();
        AtomicBoolean onTrial = new AtomicBoolean();
        world.observer = record -> onTrial.set(onTrial.get() || record.state() == InstallState.PROBATION);
        CompletableFuture<InstallOutcome> trial = begin(patient, world.secondOrder);
        org.awaitility.Awaitility.await().untilTrue(onTrial);
        assertThat(patient.retire("intent", 3)).isEmpty();
        assertThat(trial.get(20, TimeUnit.SECONDS)).isInstanceOf(InstallOutcome.RolledBack.class);
        assertThat(world.pointer().models()).isEmpty();
        assertThat(world.serving).isEmpty();
    }

    /** A candidate of a model that serves nothing yet is not lost because another model goes. */
    @Test
    void aModelThatGoesTakesNoCandidateWithIt() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        CountDownLatch loading = new CountDownLatch(1);
        CountDownLatch free = new CountDownLatch(1);
        world.observer = record -> {
            if (record.slot().model().equals("embed") && record.state() == InstallState.CANDIDATE) {
                loading.countDown();
                await(free);
            }
        };
        CompletableFuture<InstallOutcome> embed = begin(installer, world.embedder());
        assertThat(loading.await(20, TimeUnit.SECONDS)).isTrue();
        assertThat(installer.retire("intent", 2)).isEmpty();
        free.countDown();
        assertCommitted(embed.get(20, TimeUnit.SECONDS));
        assertThat(world.serving).containsOnlyKeys("embed");
    }

    // --- who is to blame when the process dies ---

    /** A model whose loading takes the process away costs the others a new probation, never their place. */
    @Test
    void aModelOnProbationOutlivesACrashThatAnotherCaused() throws Exception {
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ofMillis(300), Duration.ofMillis(5)));
        Installer installer = world.installer();
        CountDownLatch onTrial = new CountDownLatch(1);
        world.observer = record -> {
            if (record.state() == InstallState.PROBATION) {
                onTrial.countDown();
            }
        };
        CompletableFuture<InstallOutcome> chat = begin(installer, world.firstOrder);
        assertThat(onTrial.await(20, TimeUnit.SECONDS)).isTrue();
        world.deadly = Optional.of("embed");
        assertInterrupted(installer.install(world.embedder()), Code.INS_CANDIDATE_LOST);
        assertCommitted(chat.get(20, TimeUnit.SECONDS));
        assertThat(installer.history())
                .filteredOn(r -> r.slot().model().equals("intent") && r.state() == InstallState.PROBATION)
                .hasSize(2);
    }

    /** The process that comes back serves nothing at first: the model is brought back, not given up. */
    @Test
    void aCrashThatAnotherCausedIsOutlivedByASlowStartToo() throws Exception {
        world.slowStart = true;
        aModelOnProbationOutlivesACrashThatAnotherCaused();
        assertThat(world.serving).containsOnlyKeys("intent");
    }

    /** Nobody's crash: the process serves something else, and another model's trial is no excuse for it. */
    @Test
    void aReleaseThatIsPushedAsideOnProbationIsRolledBack() throws Exception {
        world.config = world.config.with(new InstallerConfig.Probation(Duration.ofMinutes(5), Duration.ofMillis(5)));
        Installer installer = world.installer();
        CountDownLatch both = new CountDownLatch(2);
        world.observer = record -> {
            if (record.state() == InstallState.PROBATION) {
                both.countDown();
                if (record.slot().model().equals("intent")) {
                    world.serving.remove("intent");
                }
            }
        };
        CompletableFuture<InstallOutcome> embed = begin(installer, world.embedder());
        CompletableFuture<InstallOutcome> chat = begin(installer, world.firstOrder);
        assertThat(both.await(20, TimeUnit.SECONDS)).isTrue();
        assertThat(chat.get(20, TimeUnit.SECONDS))
                .isInstanceOfSatisfying(
                        InstallOutcome.RolledBack.class,
                        back -> assertThat(back.reason().code()).isEqualTo(Code.INS_PROBATION));
        assertThat(embed).isNotDone();
        installer.cancel("embed", new Rejection(Code.INS_CANCELLED, "the test ends"));
        assertThat(embed.get(20, TimeUnit.SECONDS)).isInstanceOf(InstallOutcome.RolledBack.class);
    }

    /** As often as it is brought back, the process loses it again. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void aReleaseThatIsLostThreeTimesOnProbationGoes(int losses) throws Exception {
        InferenceControl inference = world.withStatus(() -> {
            long served = world.log.stream().filter("after"::equals).count();
            if (served > 0 && served <= losses) {
                world.serving.remove("intent");
            }
            return false;
        });
        InstallOutcome outcome = world.installer(inference).install(world.firstOrder);
        assertThat(outcome).isInstanceOf(losses < 3 ? InstallOutcome.Committed.class : InstallOutcome.RolledBack.class);
    }

    @Test
    void aModelThatTakesTheProcessAwayAloneIsToBlame() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        world.deadly = Optional.of("embed");
        // Once, or twice, it may have been something else.
        assertInterrupted(world.installer().install(world.embedder()), Code.INS_CANDIDATE_LOST);
        assertInterrupted(world.installer().install(world.embedder()), Code.INS_CANDIDATE_LOST);
        assertFailed(world.installer().install(world.embedder()), Code.INS_CANDIDATE_LOST);
        assertFailed(world.installer().install(world.embedder()), Code.INS_FAILED_BEFORE);
    }

    @Test
    void ofTwoThatAreLoadedAtOnceNobodyKnowsWhoItWas() throws Exception {
        Installer installer = world.installer();
        CountDownLatch loading = new CountDownLatch(1);
        CountDownLatch free = new CountDownLatch(1);
        world.prepared = slot -> {
            if (slot.model().equals("intent")) {
                loading.countDown();
                await(free);
            }
        };
        CompletableFuture<InstallOutcome> chat = begin(installer, world.firstOrder);
        assertThat(loading.await(20, TimeUnit.SECONDS)).isTrue();
        world.deadly = Optional.of("embed");
        assertInterrupted(installer.install(world.embedder()), Code.INS_CANDIDATE_LOST);
        world.dieOnce = true;
        free.countDown();
        assertInterrupted(chat.get(20, TimeUnit.SECONDS), Code.INS_CANDIDATE_LOST);
        world.prepared = slot -> {};
        assertCommitted(installer.install(world.firstOrder));
        assertInterrupted(installer.install(world.embedder()), Code.INS_CANDIDATE_LOST);
    }

    // --- wishes that say the same again ---

    @Test
    void anOperatorsWayBackHoldsAgainstAWishThatWasRepeated() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        assertCommitted(installer.install(world.secondOrder));
        ModelOrder again = world.without(world.secondOrder, 9);
        assertThat(installer.install(again)).isInstanceOf(InstallOutcome.Unchanged.class);
        assertThat(installer.rollback("intent", "")).isInstanceOf(InstallOutcome.RolledBack.class);
        assertFailed(installer.install(again), Code.INS_FAILED_BEFORE);
        assertThat(world.serving()).contains(Sha256.of(world.first));
    }

    @Test
    void aNewerWordOnTheDefaultIsNotOverwrittenByAnOlderInstall() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        assertCommitted(installer.install(world.embedder()));
        ModelOrder second = asDefault(world.without(world.secondOrder, 2));
        assertThat(installer.arrange(order(2, Optional.of("intent"), second, world.embedder())))
                .isEmpty();
        world.observer = record -> {
            if (record.state() == InstallState.PROBATION && record.orderVersion() == 2) {
                try {
                    assertThat(installer.arrange(order(3, Optional.of("embed"), second, world.embedder())))
                            .isEmpty();
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            }
        };
        assertCommitted(installer.install(second));
        assertThat(world.pointer().byDefault()).contains("embed");
        assertThat(world.byDefault).contains("embed");
    }

    @Test
    void whatWasAskedForBeforeTheTurnCameIsInterrupted() throws Exception {
        Installer installer = world.installer();
        assertInterrupted(installer.install(world.firstOrder, () -> false), Code.INS_SUPERSEDED);
        assertThat(installer.history()).isEmpty();
    }

    // --- files ---

    /** Bytes that rotted under a release that is signed anew are pulled again; the file of the one in service stays until then. */
    @Test
    void aDamagedFileIsPulledAgainForTheSameBytes() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        Path blob = world.store.blob(Sha256.of(world.first));
        byte[] rotten = world.first.clone();
        rotten[70_000] ^= 1;
        java.nio.file.Files.write(blob, rotten);
        world.delivered.clear();
        AtomicBoolean missing = new AtomicBoolean();
        world.observer = record -> missing.set(missing.get() || !java.nio.file.Files.exists(blob));
        assertCommitted(installer.install(mended(2, 1)));
        assertThat(missing).as("the release in service kept its file").isFalse();
        assertThat(world.store.verifies(world.pointed())).isTrue();
    }

    @Test
    void whatAFinishedInstallSetAsideIsFreeForTheNext() throws Exception {
        long length = RepositorySimulator.model(5).length;
        long[] usable = {length + 10};
        ModelStore tight = ModelStore.open(world.dir.resolve("store"), () -> usable[0], Disk.LOCAL);
        budgetless();
        InstallerPorts ports =
                new InstallerPorts(world, world, world, world.floors(), world.withdrawals(), world.clock, record -> {});
        Installer installer = Installer.open(tight, world.config, ports);
        world.gate = Optional.of(new Rejection(Code.INS_MEMORY, "crowded"));
        world.candidates.put("x", TargetSlot.of(world.embedder().model()));
        // Staged, and interrupted before its swap: its bytes are on the disk.
        assertInterrupted(installer.install(release("one", 5, 2)), Code.INS_MEMORY);
        world.candidates.clear();
        world.gate = Optional.empty();
        assertCommitted(installer.install(release("two", 6, 1)));
    }

    @Test
    void aRollbackToNothingThatNobodyHeardIsMadeUpFor() throws Exception {
        Installer installer = world.installer();
        world.restartOnProbation = true;
        world.keepFails = true;
        assertThat(installer.install(world.firstOrder)).isInstanceOf(InstallOutcome.RolledBack.class);
        assertThat(world.serving).as("it was not told").containsOnlyKeys("intent");
        world.keepFails = false;
        assertThat(installer.settle("intent")).isEmpty();
        assertThat(world.serving).isEmpty();
        assertThat(world.named()).isEmpty();
    }

    // --- what this agent does not know ---

    @Test
    void whatWouldChangeTheMeaningOfAnOrderIsRefused() throws Exception {
        Installer installer = world.installer();
        Order leased = new Order("d", 1, Instant.MAX, Optional.empty(), List.of(), Optional.of(60L));
        assertThat(installer.arrange(leased)).map(Rejection::code).contains(Code.UPD_INCOMPATIBLE);
        ModelTerms plain = world.firstOrder.terms();
        ModelTerms adapted = new ModelTerms(
                plain.target(), true, 0, Optional.empty(), List.of(), Optional.empty(), List.of("a"), Optional.empty());
        ModelTerms sealed = new ModelTerms(
                plain.target(),
                true,
                0,
                Optional.empty(),
                List.of(),
                Optional.empty(),
                List.of(),
                Optional.of(Json.object()));
        long version = 1;
        for (ModelTerms terms : List.of(adapted, sealed)) {
            ModelOrder order = new ModelOrder("d", version++, world.firstOrder.model(), List.of(), terms);
            assertFailed(installer.install(order), Code.UPD_INCOMPATIBLE);
        }
        assertThat(world.requests).isZero();
    }

    // --- the pointer ---

    @Test
    void aDamagedReleaseOfOneModelLeavesTheOthers() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        assertCommitted(installer.install(world.embedder()));
        java.nio.file.Files.write(world.store.blob(Sha256.of(world.other)), new byte[] {1});
        world.reboot();
        InstallWorld.Recovered recovered = world.recover(world.installer());
        assertThat(recovered.pointer().models()).containsOnlyKeys("intent");
        assertThat(world.serving).containsOnlyKeys("intent");
    }

    @Test
    void aLostPointerIsMadeAnewFromTheJournalWithoutWhatWasRetired() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(world.firstOrder));
        assertCommitted(installer.install(world.embedder()));
        assertCommitted(installer.install(release("gone", 6, 1)));
        assertThat(installer.retire("gone", 2)).isEmpty();
        for (boolean garbage : new boolean[] {false, true}) {
            Path pointer = world.dir.resolve("store/serving.json");
            if (garbage) {
                java.nio.file.Files.writeString(pointer, "{\"format\":2,\"models\":");
            } else {
                java.nio.file.Files.delete(pointer);
            }
            assertThat(world.recover(world.installer()).pointer().models()).containsOnlyKeys("intent", "embed");
        }
    }

    @Test
    void whatWasRetiredDoesNotComeBackByTheBytesThatAnotherModelHas() throws Exception {
        Installer installer = world.installer();
        assertCommitted(installer.install(release("gone", 6, 1)));
        assertCommitted(installer.install(release("stays", 6, 1)));
        assertThat(installer.retire("gone", 2)).isEmpty();
        assertThat(world.store.has(Sha256.of(RepositorySimulator.model(6)))).isTrue();
        java.nio.file.Files.delete(world.dir.resolve("store/serving.json"));
        assertThat(world.recover(world.installer()).pointer().models()).containsOnlyKeys("stays");
    }

    @Test
    void aStoreOfTheFormatBeforeIsTakenOver() throws Exception {
        assertCommitted(world.installer().install(world.firstOrder));
        ObjectNode old = Json.object().put("format", 1);
        old.set("serving", world.pointed().toJson());
        old.putNull("fallback");
        java.nio.file.Files.write(world.dir.resolve("store/serving.json"), Json.write(old));
        Installer installer = world.installer();
        assertThat(world.recover(installer).pointer().serving("intent")).isPresent();
        assertCommitted(installer.install(world.embedder()));
        assertThat(world.pointer().models()).containsOnlyKeys("intent", "embed");
    }

    @Test
    void twoInstallsShareTheSpaceThatIsFree() throws Exception {
        long length = RepositorySimulator.model(5).length;
        ModelStore tight = ModelStore.open(world.dir.resolve("store"), () -> length + length / 2, Disk.LOCAL);
        budgetless();
        Installer installer = Installer.open(
                tight,
                world.config,
                new InstallerPorts(
                        world, world, world, world.floors(), world.withdrawals(), world.clock, record -> {}));
        CountDownLatch pulling = new CountDownLatch(1);
        CountDownLatch free = new CountDownLatch(1);
        world.blockLie = block -> {
            pulling.countDown();
            await(free);
            return block;
        };
        CompletableFuture<InstallOutcome> first = begin(installer, release("one", 5, 1));
        assertThat(pulling.await(20, TimeUnit.SECONDS)).isTrue();
        ModelOrder second = release("two", 6, 1);
        assertInterrupted(installer.install(second), Code.INS_DISK);
        free.countDown();
        assertCommitted(first.get(30, TimeUnit.SECONDS));
        world.blockLie = block -> block;
        assertCommitted(installer.install(second));
    }

    private void budgetless() {
        world.config = world.config.with(new InstallerConfig.Device("0.1.0", Long.MAX_VALUE, 0));
    }
}
