package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Pointer;
import dev.holdfast.control.PointerEntry;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.ModelSlot;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.Prompt;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An older embedder answers to its pinned name beside the one that took its place. */
class GracedModelsTest {
    private static final int SEQUENCES = 4;
    private static final long UNTIL = 4_000_000_000L;

    @TempDir
    Path folder;

    private final List<String> events = new CopyOnWriteArrayList<>();
    private TinyStore store;
    private ModelHost host;
    private Slot one;
    private Slot two;
    private Slot three;
    private long oneBytes;

    @BeforeEach
    void open() throws Exception {
        store = new TinyStore(folder);
        one = release(1);
        two = release(2);
        three = release(3);
        host = host(256L << 20);
        assertThat(host.serve(one).failure()).isEmpty();
        oneBytes = host.status().memory().usedBytes();
        events.clear();
    }

    private Slot release(int number) throws Exception {
        ObjectNode node = store.addEncoder("embed", number + ".0.0", 8 + number);
        return Slot.read(node.put("release", number)).orThrow();
    }

    private ModelHost host(long memoryBytes) {
        return new ModelHost(
                new HostSettings(
                        store.blobs(),
                        new HealthGate.Settings(256, SEQUENCES, CacheType.DEFAULT),
                        SEQUENCES,
                        1,
                        memoryBytes),
                (kind, model, more) -> events.add(kind + " " + model.id()
                        + more.before().map(before -> " before " + before.id()).orElse("")
                        + more.untilSeconds().map(until -> " until " + until).orElse("")
                        + more.code().map(code -> " " + code.id()).orElse("")));
    }

    @AfterEach
    void close() {
        host.close();
    }

    private void keep(Slot... staying) {
        keep(UNTIL, staying);
    }

    private void keep(long until, Slot... staying) {
        Map<SlotId, Long> grace = new LinkedHashMap<>();
        for (Slot slot : staying) {
            grace.put(slot.slotId(), until);
        }
        host.keep(new ServingSet(Optional.of("embed"), new TreeSet<>(List.of("embed", "intent")), grace));
    }

    private void swapTo(Slot slot) {
        assertThat(host.loadCandidate(slot).failure()).isEmpty();
        assertThat(host.flip(slot.slotId()).isAccepted()).isTrue();
    }

    private Verdict<Embeddings> embed(String model) throws Exception {
        CompletableFuture<Verdict<Embeddings>> answer = new CompletableFuture<>();
        host.embed(model, List.of("a text"), Caller.SELF, answer::complete);
        return answer.get(20, TimeUnit.SECONDS);
    }

    private float[] vector(String model) throws Exception {
        return embed(model).orThrow().vectors().getFirst().vector();
    }

    private Slot answers(String model) throws Exception {
        return embed(model).orThrow().model();
    }

    private static Code refusal(Verdict<?> verdict) {
        return ((Verdict.Rejected<?>) verdict).reason().code();
    }

    private List<SlotId> graced() {
        return host.status().grace().stream().map(InferenceStatus.Loaded::slot).toList();
    }

    private long needs(Slot slot) throws Exception {
        return MemoryNeeds.of(store.blobs().resolve(slot.digest().hex()), 256, SEQUENCES, CacheType.DEFAULT)
                .orThrow()
                .totalBytes();
    }

    @Test
    void theOldOneAnswersToItsPinnedNameAndNeverToTheBareOne() throws Exception {
        float[] before = vector("embed@1.0.0");
        keep(one);
        swapTo(two);
        assertThat(answers("embed")).isEqualTo(two);
        assertThat(answers("embed@2.0.0")).isEqualTo(two);
        assertThat(answers("embed@1.0.0")).isEqualTo(one);
        // Compiled code may add floats in another order than interpreted code.
        assertThat(vector("embed@1.0.0")).containsExactly(before, within(1e-5f));
        float[] next = vector("embed");
        assertThat(Math.abs(next[0] - before[0]) + Math.abs(next[1] - before[1]))
                .isGreaterThan(1e-3f);
        assertThat(refusal(embed("embed@3.0.0"))).isEqualTo(Code.API_NOT_FOUND);
        InferenceStatus status = host.status();
        assertThat(status.serves(two.slotId())).isTrue();
        assertThat(graced()).containsExactly(one.slotId());
        assertThat(status.draining()).as("it was not unloaded").isZero();
        assertThat(status.memory().usedBytes()).isEqualTo(needs(one) + needs(two));
        assertThat(InferenceStatus.read(status.toJson())).isEqualTo(Verdict.accepted(status));
        assertThat(events)
                .containsExactly(
                        "ANNOUNCED embed@2.0.0",
                        "SWAPPED embed@2.0.0 before embed@1.0.0",
                        "GRACE embed@1.0.0 until " + UNTIL);
    }

    @Test
    void whatWasNotSaidToStayIsUnloadedAsBefore() throws Exception {
        keep(three);
        swapTo(two);
        assertThat(refusal(embed("embed@1.0.0"))).isEqualTo(Code.API_NOT_FOUND);
        assertThat(host.status().memory().usedBytes()).isEqualTo(needs(two));
    }

    @Test
    void itsEndGivesTheMemoryBackAndIsTold() throws Exception {
        keep(one);
        swapTo(two);
        events.clear();
        keep(UNTIL + 60, one);
        keep();
        assertThat(refusal(embed("embed@1.0.0"))).isEqualTo(Code.API_NOT_FOUND);
        assertThat(host.status().memory().usedBytes()).isEqualTo(needs(two));
        assertThat(events).containsExactly("GRACE embed@1.0.0 until " + (UNTIL + 60), "GRACE_ENDED embed@1.0.0");
    }

    @Test
    void severalStayAndEachIsOnlyUnloadedByItself() throws Exception {
        keep(one, two);
        swapTo(two);
        swapTo(three);
        assertThat(graced()).containsExactly(one.slotId(), two.slotId());
        keep(two);
        assertThat(graced()).containsExactly(two.slotId());
        assertThat(answers("embed@2.0.0")).isEqualTo(two);
        assertThat(answers("embed")).isEqualTo(three);
    }

    @Test
    void theWayBackNeedsNoLoad() throws Exception {
        keep(one);
        swapTo(two);
        assertThat(host.flip(one.slotId()).isAccepted()).isTrue();
        assertThat(answers("embed")).isEqualTo(one);
        assertThat(graced()).isEmpty();
        assertThat(host.status().memory().usedBytes()).isEqualTo(oneBytes);
        swapTo(two);
        assertThat(graced()).as("it stays still").containsExactly(one.slotId());
    }

    @Test
    void aCandidateOfTheSameSlotTakesThePlaceOfItsTwin() throws Exception {
        keep(one);
        swapTo(two);
        assertThat(host.loadCandidate(one).failure()).isEmpty();
        assertThat(host.flip(one.slotId()).isAccepted()).isTrue();
        assertThat(graced()).isEmpty();
        assertThat(host.status().memory().usedBytes()).isEqualTo(oneBytes);
    }

    @Test
    void whatIsNotLoadedIsLoadedOnlyIfItStays() throws Exception {
        swapTo(two);
        assertThat(host.grace(one).failure().orElseThrow().code()).isEqualTo(Code.API_NOT_FOUND);
        keep(one, two);
        events.clear();
        assertThat(host.grace(one).passed()).isTrue();
        assertThat(host.grace(one).passed()).as("nothing is loaded twice").isTrue();
        assertThat(host.grace(two).passed()).as("it serves").isTrue();
        assertThat(answers("embed@1.0.0")).isEqualTo(one);
        assertThat(host.status().memory().usedBytes()).isEqualTo(needs(one) + needs(two));
        assertThat(events).containsExactly("GRACE embed@1.0.0 until " + UNTIL);
    }

    @Test
    void aNewModelGoesFirstAndTheOldOneTellsWhy() throws Exception {
        host.close();
        host = host(needs(one) + needs(two));
        host.serve(one);
        keep(one);
        swapTo(two);
        events.clear();
        Slot chat = Slot.read(store.addEncoder("intent", "1.0.0", 30)).orThrow();
        GateReport report = host.loadCandidate(chat);
        assertThat(report.failure()).isEmpty();
        assertThat(refusal(embed("embed@1.0.0"))).isEqualTo(Code.API_NOT_FOUND);
        assertThat(events).containsExactly("GRACE_ENDED embed@1.0.0 INS-MEMORY", "ANNOUNCED intent@1.0.0");
        Rejection why = host.grace(one).failure().orElseThrow();
        assertThat(why.code()).as("it makes nothing give way").isEqualTo(Code.INS_MEMORY);
        assertThat(host.status().holds(chat.slotId())).isTrue();
        host.discard(chat.slotId());
        assertThat(host.grace(one).passed()).as("there is room again").isTrue();
    }

    @Test
    void requestsUnderWayEndOnItWhenItsTimeIsOver() throws Exception {
        Slot chat = Slot.read(store.add("1.0.0", 1, TinyModel.Flaw.NONE)).orThrow();
        Slot next = Slot.read(store.add("2.0.0", 2, TinyModel.Flaw.NONE)).orThrow();
        assertThat(host.serve(chat).failure()).isEmpty();
        keep(chat);
        swapTo(next);
        Collected stream = new Collected();
        host.chat(
                "intent@1.0.0",
                new ChatRequest(
                        new Prompt.Conversation(List.of(new Message("user", "hi"))),
                        30,
                        Sampling.GREEDY,
                        List.of(),
                        true,
                        20),
                stream);
        assertThat(stream.first.await(20, TimeUnit.SECONDS)).isTrue();
        keep();
        assertThat(host.status().draining()).isEqualTo(1);
        stream.await();
        assertThat(stream.failure).isNull();
        assertThat(stream.tokens).isEqualTo(30);
        assertThat(stream.model).isEqualTo(chat);
        Awaitility.await().until(() -> host.status().draining() == 0);
    }

    /** Whoever asks for a pinned name while its release moves between service and grace always finds it. */
    @Test
    void noRequestMissesItWhileItMoves() throws Exception {
        keep(one, two);
        swapTo(two);
        ModelLane lane = host.lane("embed").orElseThrow();
        AtomicBoolean stop = new AtomicBoolean();
        CompletableFuture<Integer> missed = CompletableFuture.supplyAsync(() -> {
            int times = 0;
            while (!stop.get()) {
                ModelSlot found = lane.pin("embed@1.0.0");
                if (found == null) {
                    times++;
                } else {
                    found.unpin();
                }
            }
            return times;
        });
        for (int i = 0; i < 200_000; i++) {
            assertThat(lane.flip((i % 2 == 0 ? one : two).slotId())).isPresent();
        }
        stop.set(true);
        assertThat(missed.get(20, TimeUnit.SECONDS)).isZero();
    }

    @Test
    void aProcessThatStartsLoadsThemLastAndNotWhatIsOver() throws Exception {
        host.close();
        host = host(256L << 20);
        Pointer pointer = Pointer.NOTHING.with(new PointerEntry(
                two,
                Optional.of(one),
                List.of(new Pointer.Grace(one, UNTIL), new Pointer.Grace(three, 1_000), new Pointer.Grace(two, UNTIL)),
                Optional.empty(),
                List.of()));
        Pointer.Readable read = Pointer.readable(Json.write(pointer.toJson())).orThrow();
        Clock clock = Clock.fixed(Instant.ofEpochSecond(2_000), ZoneOffset.UTC);
        new StartUpLoads(host, read, clock).run();
        assertThat(answers("embed")).isEqualTo(two);
        assertThat(graced()).containsExactly(one.slotId());
        swapTo(three);
        assertThat(graced()).as("what served stays, too").containsExactly(one.slotId(), two.slotId());
    }

    @Test
    void aModelThatIsRetiredTakesItsOldReleasesAlong() throws Exception {
        keep(one);
        swapTo(two);
        host.keep(new ServingSet(Optional.empty(), List.of()));
        assertThat(host.status().memory().usedBytes()).isZero();
        assertThat(graced()).isEmpty();
    }
}
