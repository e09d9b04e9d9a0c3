package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.text.Prompt;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an owner's earlier prompts leave, and for whom. */
class PrefixReuseTest {
    private static final Optional<Long> ALICE = Optional.of(1000L);
    private static final Optional<Long> BOB = Optional.of(1001L);
    private static final Optional<Long> NOBODY = Optional.empty();
    private static final String PROMPT =
            "turn the light in the kitchen on and the heating off, please; then tell me a story";

    @TempDir
    Path folder;

    @Test
    void anOwnersPromptIsReadOnce() throws Exception {
        try (ModelHost engine = engine(3)) {
            Collected fresh = ask(engine, PROMPT, ALICE);
            String answer = fresh.await();
            assertThat(fresh.cachedTokens).isZero();
            Collected again = ask(engine, PROMPT, ALICE);
            assertThat(again.await()).isEqualTo(answer).isNotEmpty();
            assertThat(again.cachedTokens).isPositive().isLessThan(PROMPT.length() + 1);
            Collected longer = ask(engine, PROMPT + answer + " and then?", ALICE);
            longer.await();
            assertThat(longer.cachedTokens).isGreaterThanOrEqualTo(again.cachedTokens);
            Collected other = ask(engine, "#" + PROMPT, ALICE);
            other.await();
            assertThat(other.cachedTokens).isZero();
        }
    }

    @Test
    void nobodyElseProfits() throws Exception {
        try (ModelHost engine = engine(3)) {
            String answer = ask(engine, PROMPT, ALICE).await();
            for (Optional<Long> other : List.of(BOB, NOBODY, NOBODY)) {
                Collected theirs = ask(engine, PROMPT, other);
                assertThat(theirs.await()).isEqualTo(answer);
                assertThat(theirs.cachedTokens).isZero();
            }
            Collected own = ask(engine, PROMPT, ALICE);
            own.await();
            assertThat(own.cachedTokens).isPositive();
        }
    }

    @Test
    void whatIsKeptIsBoundedByTheNumberOfSequences() throws Exception {
        try (ModelHost engine = engine(1)) {
            ask(engine, PROMPT, ALICE).await();
            ask(engine, PROMPT, BOB).await();
            Collected late = ask(engine, PROMPT, ALICE);
            late.await();
            assertThat(late.cachedTokens).isZero();
        }
    }

    @Test
    void aChangeOfTheModelForgetsEverything() throws Exception {
        TinyStore store = new TinyStore(folder);
        Slot one = slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE));
        Slot two = slot(store.add("2.0.0", 2, TinyModel.Flaw.NONE));
        try (ModelHost engine = new ModelHost(
                new HostSettings(store.blobs(), new HealthGate.Settings(256, 3, CacheType.F16), 1, 1, 1 << 26))) {
            assertThat(engine.serve(one).passed()).isTrue();
            String answer = ask(engine, PROMPT, ALICE).await();
            for (Slot next : List.of(two, one)) {
                assertThat(engine.loadCandidate(next).passed()).isTrue();
                assertThat(engine.flip(next.slotId()).isAccepted()).isTrue();
                Collected fresh = ask(engine, PROMPT, ALICE);
                assertThat(fresh.await().equals(answer)).isEqualTo(next == one);
                assertThat(fresh.cachedTokens).isZero();
            }
        }
    }

    private ModelHost engine(int sequences) throws Exception {
        TinyStore store = new TinyStore(folder);
        ModelHost engine = new ModelHost(
                new HostSettings(store.blobs(), new HealthGate.Settings(256, sequences, CacheType.F16), 1, 1, 1 << 26));
        assertThat(engine.serve(slot(store.add("1.0.0", 1, TinyModel.Flaw.NONE)))
                        .passed())
                .isTrue();
        return engine;
    }

    private static Collected ask(ModelHost engine, String text, Optional<Long> owner) {
        Collected answer = new Collected();
        engine.chat(
                null,
                List.of(new ChatRequest(new Prompt.Text(text), 20, Sampling.GREEDY, List.of(), true, 0)),
                new Caller(owner, true),
                answer);
        return answer;
    }

    private static Slot slot(ObjectNode node) throws Exception {
        return Slot.read(node).orThrow();
    }
}
