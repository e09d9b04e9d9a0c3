package dev.holdfast.inference;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.ServingSet;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.Prompt;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model that chats and one that embeds, side by side in one host. */
class SeveralModelsTest {
    private static final int SEQUENCES = 8;

    @TempDir
    Path folder;

    private TinyStore store;
    private ModelHost host;
    private ObjectNode chatNode;
    private Slot chat;
    private Slot embed;

    @BeforeEach
    void open() throws Exception {
        store = new TinyStore(folder);
        chatNode = store.add("1.0.0", 1, TinyModel.Flaw.NONE);
        chat = slot(chatNode);
        embed = slot(store.addEncoder("embed", "1.0.0", 8));
        host = host(256L << 20);
    }

    private ModelHost host(long memoryBytes) {
        return new ModelHost(new HostSettings(
                store.blobs(), new HealthGate.Settings(256, SEQUENCES, CacheType.DEFAULT), SEQUENCES, 1, memoryBytes));
    }

    @AfterEach
    void close() {
        host.close();
    }

    private void serveBoth() {
        assertThat(host.serve(chat).failure()).isEmpty();
        assertThat(host.serve(embed).failure()).isEmpty();
    }

    @Test
    void anEncoderEmbedsWhileADecoderChats() throws Exception {
        serveBoth();
        Collected stream = chat(null, request(200, 20));
        assertThat(stream.first.await(20, TimeUnit.SECONDS)).isTrue();
        Embeddings vectors = embed("embed").orThrow();
        assertThat(vectors.model()).isEqualTo(embed);
        assertThat(vectors.vectors()).hasSize(1);
        assertThat(embed("embed@1.0.0").isAccepted()).isTrue();
        assertThat(host.status().requestsActive()).isEqualTo(1);
        stream.cancelled = true;
        stream.await();
        assertThat(requireNonNull(stream.model)).isEqualTo(chat);
    }

    @Test
    void requestsThatNameNoModelGoToTheDefaultAndTheWrongKindIsRefused() throws Exception {
        serveBoth();
        assertThat(host.status().byDefault()).as("the first that served").contains("intent");
        assertThat(answerOf(null)).isEqualTo(chat);
        assertThat(answerOf("intent")).isEqualTo(chat);
        assertThat(answerOf("intent@1.0.0")).isEqualTo(chat);
        assertThat(code(embed(null))).isEqualTo(Code.API_REQUEST);
        assertThat(refusalOf("embed")).isEqualTo(Code.API_REQUEST);
        for (String unknown : List.of("embed@2.0.0", "embe", "embed@", "@1.0.0", "", "embed@1.0.0@", "intent/1")) {
            assertThat(refusalOf(unknown)).as(unknown).isEqualTo(Code.API_NOT_FOUND);
        }
        host.keep(new ServingSet(Optional.of("embed"), List.of("embed", "intent")));
        assertThat(embed(null).orThrow().model()).isEqualTo(embed);
        assertThat(refusalOf(null)).isEqualTo(Code.API_REQUEST);
        assertThat(host.serving()).containsExactly(embed, chat);
    }

    @Test
    void aSwapOfOneModelUnderEightStreamsOnTheOtherDropsNothing() throws Exception {
        serveBoth();
        Slot next = slot(store.addEncoder("embed", "2.0.0", 9));
        String expected = chat(null, request(40, 0)).await();
        AtomicBoolean stop = new AtomicBoolean();
        List<Future<Integer>> streams = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < SEQUENCES; i++) {
                streams.add(threads.submit(() -> {
                    int answers = 0;
                    do {
                        Collected answer = chat("intent", request(40, 500));
                        assertThat(answer.await()).isEqualTo(expected);
                        assertThat(answer.failure).isNull();
                        answers++;
                    } while (!stop.get());
                    return answers;
                }));
            }
            for (Slot each : List.of(next, embed, next)) {
                swapTo(each);
                assertThat(embed("embed").orThrow().model()).isEqualTo(each);
            }
            stop.set(true);
            for (Future<Integer> stream : streams) {
                assertThat(stream.get(60, TimeUnit.SECONDS)).isPositive();
            }
        }
        assertThat(host.status().draining()).isZero();
    }

    @Test
    void theSameBytesWithANewTemplateAreARealFlip() throws Exception {
        serveBoth();
        long before = host.status().memory().usedBytes();
        ObjectNode mended = chatNode.deepCopy();
        mended.withObject("/template/roles/user").putArray("after").add("</s>");
        mended.put("epoch", 2);
        Slot next = slot(mended);
        assertThat(next.digest()).isEqualTo(chat.digest());
        assertThat(host.flip(next.slotId()).isAccepted()).as("not loaded yet").isFalse();
        assertThat(host.loadCandidate(next).failure()).isEmpty();
        assertThat(host.status().serves(chat.slotId())).isTrue();
        assertThat(host.status().holds(next.slotId())).isTrue();
        assertThat(host.status().memory().usedBytes())
                .as("the file counts once")
                .isEqualTo(before + needs(chat) - chat.length());
        int tokens = promptTokens();
        Flip flip = host.flip(next.slotId()).orThrow();
        assertThat(flip.previous()).contains(chat.slotId());
        assertThat(promptTokens()).as("the new template has one token more").isEqualTo(tokens + 1);
        assertThat(host.flip(next.slotId()).orThrow()).isEqualTo(new Flip(0, Optional.of(next.slotId())));
        assertThat(host.status().memory().usedBytes()).isEqualTo(before);
    }

    private int promptTokens() throws Exception {
        Collected answer = chat(null, request(2, 0));
        answer.await();
        return answer.promptTokens;
    }

    @Test
    void keepRetiresAModelWhoseRequestsStillEndOnIt() throws Exception {
        serveBoth();
        Slot next = slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE));
        assertThat(host.loadCandidate(next).passed()).isTrue();
        Collected stream = chat("intent", request(30, 20));
        assertThat(stream.first.await(20, TimeUnit.SECONDS)).isTrue();
        host.keep(new ServingSet(Optional.of("embed"), List.of("embed")));
        InferenceStatus status = host.status();
        assertThat(status.serving()).extracting(InferenceStatus.Loaded::model).containsExactly("embed");
        assertThat(status.candidates()).as("candidates too").isEmpty();
        assertThat(status.draining()).isEqualTo(1);
        assertThat(status.byDefault()).contains("embed");
        assertThat(status.memory().usedBytes()).as("what drains counts").isEqualTo(needs(chat) + needs(embed));
        assertThat(refusalOf("intent")).isEqualTo(Code.API_NOT_FOUND);
        stream.await();
        assertThat(stream.failure).isNull();
        assertThat(stream.finish).isEqualTo(Finish.LENGTH);
        assertThat(stream.tokens).isEqualTo(30);
        Awaitility.await().until(() -> host.status().draining() == 0);
        assertThat(host.status().memory().usedBytes()).isEqualTo(needs(embed));
        assertThat(host.loadCandidate(next).passed())
                .as("the name may come back")
                .isTrue();
    }

    @Test
    void keepWithoutADefaultLeavesTheOneThereIsOrTakesAnother() throws Exception {
        serveBoth();
        host.keep(new ServingSet(Optional.empty(), List.of("embed", "intent")));
        assertThat(host.byDefault()).contains(chat);
        host.keep(new ServingSet(Optional.empty(), List.of("embed")));
        assertThat(host.byDefault()).contains(embed);
        host.keep(new ServingSet(Optional.empty(), List.of()));
        assertThat(host.status().byDefault()).isEmpty();
        assertThat(refusalOf(null)).isEqualTo(Code.API_NO_MODEL);
        assertThat(host.serve(chat).passed()).isTrue();
        assertThat(host.byDefault()).contains(chat);
    }

    @Test
    void aDefaultThatIsNotLoadedIsSaidAndReplacedByNoOther() throws Exception {
        host.keep(new ServingSet(Optional.of("intent"), List.of("embed", "intent")));
        assertThat(host.serve(embed).passed()).isTrue();
        assertThat(refusalOf(null)).isEqualTo(Code.API_NO_MODEL);
        assertThat(host.byDefault()).isEmpty();
        assertThat(host.serve(chat).passed()).isTrue();
        assertThat(answerOf(null)).isEqualTo(chat);
    }

    private long needs(Slot slot) throws Exception {
        return MemoryNeeds.of(store.blobs().resolve(slot.digest().hex()), 256, SEQUENCES, CacheType.DEFAULT)
                .orThrow()
                .totalBytes();
    }

    @Test
    void aModelThatDoesNotFitBesideTheOthersIsRefusedWithNumbersAndTheyStay() throws Exception {
        host.close();
        long budget = needs(chat) + needs(embed);
        host = host(budget);
        serveBoth();
        assertThat(host.status().memory()).isEqualTo(new InferenceStatus.Memory(budget, budget));
        Slot third = slot(store.add("third", "1.0.0", Files.readAllBytes(model(7))));
        Rejection why = host.loadCandidate(third).failure().orElseThrow();
        assertThat(why.code()).isEqualTo(Code.INS_MEMORY);
        assertThat(why.detail()).matches(".* needs \\d+ MiB, .* take \\d+ MiB, and the budget is \\d+ MiB");
        Slot bigger = slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE));
        assertThat(host.loadCandidate(bigger).failure().orElseThrow().code()).isEqualTo(Code.INS_MEMORY);
        assertThat(host.status().memory().usedBytes()).isEqualTo(budget);
        assertThat(answerOf("intent")).isEqualTo(chat);
        assertThat(embed("embed").orThrow().model()).isEqualTo(embed);
        host.keep(new ServingSet(Optional.empty(), List.of()));
        assertThat(host.loadCandidate(third).failure())
                .as("there is room again")
                .isEmpty();
    }

    private Path model(long seed) throws Exception {
        Path file = folder.resolve("other.gguf");
        TinyModel.write(file, seed, TinyModel.Flaw.NONE);
        return file;
    }

    @Test
    void loadsAtTheSameTimeNeverOverbookTheBudget() throws Exception {
        host.close();
        host = host(needs(chat) * 5 / 2);
        List<Callable<GateReport>> loads = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            Slot each = slot(store.add("model" + i, "1.0.0", Files.readAllBytes(model(20 + i))));
            loads.add(() -> host.loadCandidate(each));
        }
        int passed = 0;
        try (ExecutorService threads = Executors.newFixedThreadPool(loads.size())) {
            for (Future<GateReport> each : threads.invokeAll(loads)) {
                GateReport report = each.get();
                passed += report.passed() ? 1 : 0;
                assertThat(report.failure().map(Rejection::code)).isIn(Optional.empty(), Optional.of(Code.INS_MEMORY));
            }
        }
        InferenceStatus status = host.status();
        assertThat(passed).isBetween(1, 2).isEqualTo(status.candidates().size());
        assertThat(status.memory().usedBytes()).isEqualTo(passed * needs(chat));
    }

    /** The file of the stuck model is a pipe that nobody writes to: opening it waits for ever. */
    @Test
    void aStuckLoadOfOneModelHoldsUpNoOther() throws Exception {
        assertThat(host.serve(chat).passed()).isTrue();
        Slot stuck = pipe("stuck");
        CompletableFuture<GateReport> load = CompletableFuture.supplyAsync(() -> host.loadCandidate(stuck));
        Awaitility.await().until(() -> host.status().memory().usedBytes() > needs(chat));

        assertThat(refusalOf("stuck")).as("it comes").isEqualTo(Code.API_NO_MODEL);
        assertThat(refusalOf("none")).isEqualTo(Code.API_NOT_FOUND);
        assertThat(host.loadCandidate(embed).failure()).isEmpty();
        assertThat(host.flip(embed.slotId()).isAccepted()).isTrue();
        Slot next = slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE));
        assertThat(host.loadCandidate(next).passed()).isTrue();
        host.discard(next.slotId());
        assertThat(host.loadCandidate(next).passed()).isTrue();
        assertThat(host.flip(next.slotId()).isAccepted()).isTrue();
        assertThat(host.flip(stuck.slotId()).isAccepted()).isFalse();
        host.discard(stuck.slotId());
        assertThat(answerOf("intent")).isEqualTo(next);
        host.keep(new ServingSet(Optional.of("intent"), List.of("intent")));
        assertThat(host.status().serving()).hasSize(1);
        assertThat(load).isNotDone();

        Files.newOutputStream(store.blobs().resolve(stuck.digest().hex())).close();
        assertThat(load.get(20, TimeUnit.SECONDS).passed()).isFalse();
        assertThat(host.status().memory().usedBytes()).isEqualTo(needs(next));
    }

    private Slot pipe(String model) throws Exception {
        byte[] name = model.getBytes(StandardCharsets.UTF_8);
        ObjectNode node = store.add(model, "1.0.0", name);
        Path blob = store.blobs().resolve(Sha256.of(name).hex());
        Files.delete(blob);
        assertThat(new ProcessBuilder("mkfifo", blob.toString()).start().waitFor())
                .isZero();
        return slot(node);
    }

    @Test
    void onlySixteenNamesAreHeldAndNamesThatHoldNothingMakeRoom() throws Exception {
        serveBoth();
        for (int i = 0; i < 2 * ModelName.MAX_MODELS; i++) {
            ObjectNode broken = store.add("broken" + i, "1.0.0", new byte[] {(byte) i});
            assertThat(host.loadCandidate(slot(broken)).failure().orElseThrow().code())
                    .isEqualTo(Code.GGUF_FORMAT);
        }
        byte[] bytes = Files.readAllBytes(model(3));
        for (int i = 2; i < ModelName.MAX_MODELS; i++) {
            assertThat(host.loadCandidate(slot(store.add("more" + i, "1.0.0", bytes)))
                            .passed())
                    .isTrue();
        }
        GateReport full = host.loadCandidate(slot(store.add("last", "1.0.0", bytes)));
        assertThat(full.failure().orElseThrow().code()).isEqualTo(Code.API_BUSY);
        assertThat(host.status().candidates()).hasSize(ModelName.MAX_MODELS - 2);
        assertThat(InferenceStatus.read(host.status().toJson())).isEqualTo(Verdict.accepted(host.status()));
    }

    @Test
    void eachModelHasPlacesOfItsOwn() throws Exception {
        serveBoth();
        List<Collected> streams = new ArrayList<>();
        for (int i = 0; i < 2 * SEQUENCES; i++) {
            streams.add(chat("intent", request(200, 1)));
        }
        assertThat(refusalOf("intent")).isEqualTo(Code.API_BUSY);
        assertThat(embed("embed").isAccepted()).isTrue();
        streams.forEach(stream -> stream.cancelled = true);
        for (Collected stream : streams) {
            stream.await();
        }
    }

    private Verdict<Embeddings> embed(@Nullable String model) throws Exception {
        CompletableFuture<Verdict<Embeddings>> answer = new CompletableFuture<>();
        host.embed(model, List.of("a text"), Caller.SELF, answer::complete);
        return answer.get(20, TimeUnit.SECONDS);
    }

    private static Code code(Verdict<?> verdict) {
        return switch (verdict) {
            case Verdict.Rejected<?>(Rejection why) -> why.code();
            case Verdict.Accepted<?> accepted -> throw new AssertionError(accepted);
        };
    }

    private Collected chat(@Nullable String model, ChatRequest request) {
        Collected answer = new Collected();
        host.chat(model, request, answer);
        return answer;
    }

    private Slot answerOf(@Nullable String model) throws Exception {
        Collected answer = chat(model, request(3, 0));
        answer.await();
        assertThat(answer.failure).isNull();
        return requireNonNull(answer.model);
    }

    private Code refusalOf(@Nullable String model) throws Exception {
        Collected answer = chat(model, request(3, 0));
        answer.await();
        return requireNonNull(answer.failure).code();
    }

    private void swapTo(Slot slot) {
        assertThat(host.loadCandidate(slot).failure()).isEmpty();
        assertThat(host.flip(slot.slotId()).isAccepted()).isTrue();
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

    private static Slot slot(ObjectNode node) throws Exception {
        return Slot.read(node).orThrow();
    }
}
