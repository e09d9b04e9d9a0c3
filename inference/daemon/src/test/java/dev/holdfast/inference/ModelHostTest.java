package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.Prompt;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelHostTest {
    @TempDir
    Path folder;

    private TinyStore store;
    private ModelHost engine;

    @BeforeEach
    void open() throws Exception {
        store = new TinyStore(folder);
        engine = new ModelHost(
                new HostSettings(store.blobs(), new HealthGate.Settings(256, 3, CacheType.DEFAULT), 1, 1, 64 << 20));
    }

    @AfterEach
    void close() {
        engine.close();
    }

    @Test
    void everyRequestFinishesOnTheModelItBeganOn() throws Exception {
        Slot one = slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE));
        Slot two = slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE));
        assertThat(engine.serve(one).passed()).isTrue();
        String oneSays = chat(request(20, 0)).await();
        swapTo(two);
        String twoSays = chat(request(20, 0)).await();
        assertThat(oneSays).isNotEqualTo(twoSays).isNotEmpty();

        AtomicBoolean stop = new AtomicBoolean();
        List<Collected> answers = new ArrayList<>();
        List<Future<?>> clients = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int client = 0; client < 3; client++) {
                clients.add(threads.submit(() -> {
                    while (!stop.get()) {
                        Collected answer = chat(request(20, 400));
                        answer.await();
                        synchronized (answers) {
                            answers.add(answer);
                        }
                    }
                    return null;
                }));
            }
            for (int swap = 0; swap < 6; swap++) {
                Slot next = swap % 2 == 0 ? one : two;
                swapTo(next);
                awaitAnswerFrom(next, answers);
            }
            stop.set(true);
            for (Future<?> client : clients) {
                client.get(20, TimeUnit.SECONDS);
            }
        }
        int onOne = 0;
        for (Collected answer : answers) {
            assertThat(answer.failure).isNull();
            boolean first = requireNonNull(answer.model).version().equals("1.0.0");
            onOne += first ? 1 : 0;
            assertThat(answer.await()).isEqualTo(first ? oneSays : twoSays);
        }
        assertThat(onOne).isPositive().isLessThan(answers.size());
        assertThat(engine.status().draining()).isZero();
    }

    @Test
    void anAnswerBeginsBeforeItsTextAndEndsWhenItsPlaceIsFree() throws Exception {
        assertThat(engine.serve(slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE)))
                        .passed())
                .isTrue();
        Told whole = told(request(2, 0));
        assertThat(whole.calls).startsWith("pinned", "begun", "text").endsWith("finished with 0 active");
        assertThat(whole.calls).containsOnlyOnce("begun");

        Told silent = new Told();
        silent.cancelled = true;
        engine.chat(null, request(2, 0), silent);
        silent.await();
        assertThat(silent.calls).containsExactly("pinned", "begun", "finished with 0 active");

        Told refused = told(ChatRequest.greedy("#".repeat(300), 5));
        assertThat(refused.calls).containsExactly("pinned", "failed with 0 active");
    }

    private Told told(ChatRequest request) throws Exception {
        Told answer = new Told();
        engine.chat(null, request, answer);
        answer.await();
        return answer;
    }

    /** Writes down what it hears. */
    private final class Told extends Collected {
        private final List<String> calls = new CopyOnWriteArrayList<>();

        @Override
        public void pinned(Slot model) {
            calls.add("pinned");
            super.pinned(model);
        }

        @Override
        public void begun() {
            calls.add("begun");
            super.begun();
        }

        @Override
        public boolean text(String delta) {
            calls.add("text");
            return super.text(delta);
        }

        @Override
        public void finished() {
            calls.add("finished with " + engine.status().requestsActive() + " active");
            super.finished();
        }

        @Override
        public void failed(Rejection why) {
            calls.add("failed with " + engine.status().requestsActive() + " active");
            super.failed(why);
        }
    }

    @Test
    void theOldModelStaysUntilItsLastRequestEnds() throws Exception {
        assertThat(engine.serve(slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE)))
                        .passed())
                .isTrue();
        Collected slow = chat(request(200, 1));
        assertThat(slow.first.await(10, TimeUnit.SECONDS)).isTrue();
        swapTo(slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE)));
        assertThat(engine.status().draining()).isEqualTo(1);
        assertThat(engine.status().requestsActive()).isEqualTo(1);

        Collected fresh = chat(request(5, 0));
        fresh.await();
        assertThat(requireNonNull(fresh.model).version()).isEqualTo("2.0.0");

        slow.cancelled = true;
        slow.await();
        assertThat(slow.finish).isEqualTo(Finish.CANCELLED);
        assertThat(requireNonNull(slow.model).version()).isEqualTo("1.0.0");
        awaitNoDraining();
    }

    @Test
    void aFlipIsIdempotentAndRefusesStrangers() throws Exception {
        Slot one = slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE));
        Slot two = slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE));
        assertThat(engine.serve(one).passed()).isTrue();
        assertThat(engine.flip(two.slotId()).isAccepted()).isFalse();
        assertThat(engine.flip(one.slotId()).isAccepted()).isTrue();
        assertThat(engine.loadCandidate(two).passed()).isTrue();
        Slot three = slot(store.add("3.0.0", 3, TinyModel.Flaw.NONE));
        assertThat(engine.flip(three.slotId()).isAccepted())
                .as("another release than the candidate")
                .isFalse();
        assertThat(engine.serving()).containsExactly(one);
        engine.discard(one.slotId());
        assertThat(engine.status().holds(two.slotId())).isTrue();
        engine.discard(two.slotId());
        assertThat(engine.status().candidates()).isEmpty();
        assertThat(engine.flip(two.slotId()).isAccepted()).isFalse();
        assertThat(engine.serving()).containsExactly(one);
    }

    @Test
    void refusesWhatNeitherRunsNorWaits() throws Exception {
        assertThat(engine.serve(slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE)))
                        .passed())
                .isTrue();
        List<Collected> running = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            running.add(chat(request(200, 1)));
        }
        Collected refused = chat(request(5, 0));
        assertThat(requireNonNull(refused.failure).code()).isEqualTo(Code.API_BUSY);
        running.forEach(answer -> answer.cancelled = true);
        for (Collected answer : running) {
            answer.await();
        }
    }

    @Test
    void refusesRequestsThatFitNoModelRoleOrContext() throws Exception {
        Collected early = chat(request(5, 0));
        early.await();
        assertThat(requireNonNull(early.failure).code()).isEqualTo(Code.API_NO_MODEL);

        assertThat(engine.serve(slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE)))
                        .passed())
                .isTrue();
        assertThat(refusal("other", ChatRequest.greedy("hello", 5))).isEqualTo(Code.API_NOT_FOUND);
        assertThat(refusal("intent@2.0.0", ChatRequest.greedy("hello", 5))).isEqualTo(Code.API_NOT_FOUND);
        assertThat(refusal("intent@1.0.0", ChatRequest.greedy("#".repeat(300), 5)))
                .isEqualTo(Code.API_CONTEXT);
        ChatRequest root = new ChatRequest(
                new Prompt.Conversation(List.of(new Message("root", "x"))), 5, Sampling.GREEDY, List.of(), false, 0);
        assertThat(refusal("intent", root)).isEqualTo(Code.API_REQUEST);
    }

    @Test
    void anAnswerEndsWithTheContext() throws Exception {
        assertThat(engine.serve(slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE)))
                        .passed())
                .isTrue();
        Collected answer = chat(request(10_000, 0));
        answer.await();
        assertThat(answer.finish).isEqualTo(Finish.LENGTH);
        // <s> <|user|> h i <|assistant|>, and the last token is not read.
        assertThat(answer.tokens).isEqualTo(TinyModel.CONTEXT - 5 + 1);
    }

    @Test
    void samplingIsRepeatableBySeedAndStopWordsEndTheAnswer() throws Exception {
        assertThat(engine.serve(slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE)))
                        .passed())
                .isTrue();
        String first = chat(sampled(7)).await();
        assertThat(chat(sampled(7)).await()).isEqualTo(first);
        assertThat(chat(sampled(8)).await()).isNotEqualTo(first);

        String whole = chat(request(30, 0)).await();
        String word = whole.substring(10, 13);
        ChatRequest stopped = new ChatRequest(
                new Prompt.Conversation(List.of(new Message("user", "hi"))),
                30,
                Sampling.GREEDY,
                List.of("never", word),
                true,
                0);
        Collected answer = chat(stopped);
        assertThat(answer.await()).isEqualTo(whole.substring(0, whole.indexOf(word)));
        assertThat(answer.finish).isEqualTo(Finish.STOP);
    }

    @Test
    void theGateRefusesBytesThatAreNotTheSignedOnes() throws Exception {
        ObjectNode slot = store.add("1.0.0", 1, TinyModel.Flaw.NONE);
        Path blob = store.blobs().resolve(slot.get("digest").textValue());
        byte[] bytes = Files.readAllBytes(blob);
        bytes[bytes.length - 40] ^= 1;
        Files.write(blob, bytes);
        assertRefused(slot, Code.GATE_DIGEST);
        Files.write(blob, new byte[0]);
        assertRefused(slot, Code.GATE_DIGEST);
        Files.delete(blob);
        assertRefused(slot, Code.INS_STORAGE);
    }

    @Test
    void theGateRefusesGarbageNaNInfinityAndZeros() throws Exception {
        assertRefused(store.add("1.0.0", new byte[5000]), Code.GGUF_FORMAT);
        assertRefused(store.add("1.0.0", 1, TinyModel.Flaw.NAN), Code.GATE_WEIGHTS);
        assertRefused(store.add("1.0.0", 1, TinyModel.Flaw.INFINITE_SCALE), Code.GATE_WEIGHTS);
        assertRefused(store.add("1.0.0", 1, TinyModel.Flaw.ZERO), Code.GATE_WEIGHTS);
    }

    @Test
    void theGateRefusesTemplatesWhoseLiteralsAreNoTokens() throws Exception {
        ObjectNode slot = store.add("1.0.0", 1, TinyModel.Flaw.NONE);
        slot.set("template", TinyStore.node(TinyStore.TEMPLATE.replace("<|user|>", "<|human|>")));
        assertRefused(slot, Code.GGUF_UNSUPPORTED);
    }

    @Test
    void theGateAsksTheCanariesAndTheClock() throws Exception {
        ObjectNode slot = store.add("1.0.0", 1, TinyModel.Flaw.NONE);
        assertThat(engine.serve(slot(slot)).passed()).isTrue();
        Collected right = new Collected();
        engine.chat(null, ChatRequest.greedy("on the light", 12), right);
        slot.set("gate", TinyStore.gate(Map.of("on the light", right.await())));
        assertThat(engine.loadCandidate(slot(slot)).passed()).isTrue();
        slot.set("gate", TinyStore.gate(Map.of("on the light", "42")));
        assertRefused(slot, Code.GATE_CANARY);
        ObjectNode hasty = TinyStore.gate(Map.of());
        hasty.put("maxLoadMillis", 1);
        slot.set("gate", hasty);
        assertRefused(slot, Code.GATE_LOAD_TIME);
        assertThat(engine.status().candidates()).isEmpty();
        assertThat(engine.serving()).hasSize(1);
    }

    private void assertRefused(ObjectNode slot, Code code) throws Exception {
        GateReport report = engine.loadCandidate(slot(slot));
        assertThat(report.failure().orElseThrow().code()).as(report.toString()).isEqualTo(code);
        assertThat(engine.status().candidates()).isEmpty();
    }

    private Code refusal(String model, ChatRequest request) throws Exception {
        Collected answer = new Collected();
        engine.chat(model, request, answer);
        answer.await();
        return requireNonNull(answer.failure).code();
    }

    private void swapTo(Slot slot) {
        assertThat(engine.loadCandidate(slot).failure()).isEmpty();
        Verdict<Flip> flip = engine.flip(slot.slotId());
        assertThat(flip.isAccepted()).isTrue();
    }

    private Collected chat(ChatRequest request) {
        Collected answer = new Collected();
        engine.chat(null, request, answer);
        return answer;
    }

    private static ChatRequest request(int tokens, int tokensPerSecond) {
        return new ChatRequest(
                new Prompt.Conversation(List.of(new Message("user", "hi"))),
                tokens,
                Sampling.GREEDY,
                List.of(),
                true,
                tokensPerSecond);
    }

    private static ChatRequest sampled(long seed) {
        return new ChatRequest(
                new Prompt.Conversation(List.of(new Message("user", "hi"))),
                20,
                new Sampling(1.2, 0.95, seed),
                List.of(),
                true,
                0);
    }

    private static void awaitAnswerFrom(Slot model, List<Collected> answers) {
        Awaitility.await()
                .atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofMillis(1))
                .until(() -> {
                    synchronized (answers) {
                        return !answers.isEmpty() && answers.getLast().model == model;
                    }
                });
    }

    private void awaitNoDraining() {
        Awaitility.await()
                .pollInterval(Duration.ofMillis(1))
                .until(() -> engine.status().draining() == 0);
    }

    private static Slot slot(ObjectNode node) throws Exception {
        return Slot.read(node).orThrow();
    }
}
