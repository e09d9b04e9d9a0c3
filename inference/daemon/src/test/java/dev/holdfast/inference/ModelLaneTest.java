package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.GateReport;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.wire.Code;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelLaneTest {
    @TempDir
    Path folder;

    private final MemoryLedger memory = new MemoryLedger(64 << 20);
    private final AtomicInteger draining = new AtomicInteger();
    private final CountDownLatch loading = new CountDownLatch(1);
    private final CountDownLatch open = new CountDownLatch(1);

    private TinyStore store;
    private Slot one;
    private Slot two;
    private ModelLane lane;

    /** A lane whose loads of version 2 wait. */
    @BeforeEach
    void lane() throws Exception {
        store = new TinyStore(folder);
        one = Slot.read(store.add("1.0.0", 1, TinyModel.Flaw.NONE)).orThrow();
        two = Slot.read(store.add("2.0.0", 2, TinyModel.Flaw.NONE)).orThrow();
        lane = new ModelLane(memory, this::gate, slot -> false, draining, model -> {});
    }

    private HealthGate gate(Slot slot) {
        if (slot == two) {
            loading.countDown();
            try {
                open.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
        Path blob = store.blobs().resolve(slot.digest().hex());
        return new HealthGate(slot, blob, new HealthGate.Settings(64, 1, CacheType.DEFAULT), Workers.of(1));
    }

    private CompletableFuture<GateReport> loadsTwo() throws Exception {
        return begins(lane::loadCandidate);
    }

    private CompletableFuture<GateReport> begins(Function<Slot, GateReport> load) throws Exception {
        lane.enter();
        CompletableFuture<GateReport> report = CompletableFuture.supplyAsync(() -> {
            try {
                return load.apply(two);
            } finally {
                lane.leave();
            }
        });
        assertThat(loading.await(20, TimeUnit.SECONDS)).isTrue();
        return report;
    }

    private static Code code(GateReport report) {
        return report.failure().orElseThrow().code();
    }

    @Test
    void whatIsStillBeingLoadedIsUnloadedWhereTheLaneWasRetired() throws Exception {
        assertThat(lane.serve(one).passed()).isTrue();
        CompletableFuture<GateReport> report = loadsTwo();
        lane.retire();
        assertThat(lane.serving()).isEmpty();
        assertThat(memory.status().usedBytes()).isEqualTo(two.length());
        open.countDown();
        assertThat(code(report.get(20, TimeUnit.SECONDS))).isEqualTo(Code.API_NOT_FOUND);
        assertThat(lane.candidate()).isEmpty();
        assertThat(memory.status().usedBytes()).isZero();
        assertThat(draining).hasValue(0);
        assertThat(code(lane.loadCandidate(one)))
                .as("a retired lane takes nothing")
                .isEqualTo(Code.API_NOT_FOUND);
        assertThat(code(lane.serve(one))).isEqualTo(Code.API_NOT_FOUND);
        assertThat(lane.serving()).isEmpty();
    }

    @Test
    void whatWasToServeAtOnceIsUnloadedWhereAFlipWasFaster() throws Exception {
        assertThat(lane.loadCandidate(one).passed()).isTrue();
        CompletableFuture<GateReport> report = begins(lane::serve);
        assertThat(lane.flip(one.slotId()).orElseThrow().previous()).isEmpty();
        long used = memory.status().usedBytes() - two.length();
        open.countDown();
        assertThat(code(report.get(20, TimeUnit.SECONDS))).isEqualTo(Code.INS_SUPERSEDED);
        assertThat(lane.serving().orElseThrow().description()).isEqualTo(one);
        assertThat(memory.status().usedBytes()).isEqualTo(used);
        assertThat(draining).hasValue(0);
    }

    @Test
    void whatWasToServeAtOnceIsNotLoadedWhereSomethingServes() {
        assertThat(lane.serve(one).passed()).isTrue();
        assertThat(code(lane.serve(two))).isEqualTo(Code.INS_SUPERSEDED);
        assertThat(loading.getCount()).as("not even begun").isEqualTo(1);
        assertThat(lane.serving().orElseThrow().description()).isEqualTo(one);
    }

    @Test
    void whatWasToServeAtOnceIsUnloadedWhereTheLaneWasRetired() throws Exception {
        CompletableFuture<GateReport> report = begins(lane::serve);
        lane.retire();
        open.countDown();
        assertThat(code(report.get(20, TimeUnit.SECONDS))).isEqualTo(Code.API_NOT_FOUND);
        assertThat(lane.serving()).isEmpty();
        assertThat(memory.status().usedBytes()).isZero();
    }

    @Test
    void flipsAndDiscardsDoNotWaitForALoad() throws Exception {
        assertThat(lane.serve(one).passed()).isTrue();
        CompletableFuture<GateReport> report = loadsTwo();
        assertThat(lane.flip(one.slotId()).orElseThrow().previous()).contains(one.slotId());
        assertThat(lane.flip(two.slotId())).isEmpty();
        lane.discard(two.slotId());
        open.countDown();
        assertThat(report.get(20, TimeUnit.SECONDS).passed()).isTrue();
        assertThat(lane.flip(two.slotId()).orElseThrow().previous()).contains(one.slotId());
        lane.retire();
        assertThat(memory.status().usedBytes()).isZero();
    }

    @Test
    void onlyALaneWithoutModelsAndLoadsIsIdle() throws Exception {
        CompletableFuture<GateReport> report = loadsTwo();
        assertThat(lane.retireIfIdle()).as("loading").isFalse();
        open.countDown();
        assertThat(report.get(20, TimeUnit.SECONDS).passed()).isTrue();
        assertThat(lane.retireIfIdle()).as("a candidate").isFalse();
        lane.discard(two.slotId());
        assertThat(lane.retireIfIdle()).isTrue();
        assertThat(code(lane.loadCandidate(one))).isEqualTo(Code.API_NOT_FOUND);
    }
}
