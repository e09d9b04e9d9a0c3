package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.Slot;
import dev.holdfast.engine.ChatRequest;
import dev.holdfast.engine.Sampling;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.text.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whether the time to the first token tells a user what another one asked. A guess is right when Alice has just asked the same; Bob
 * measures. The figure is the probability that a right guess is answered sooner than a wrong one: one half says nothing, one says all.
 */
@Timeout(180)
class PrefixTimingTest {
    private static final Optional<Long> ALICE = Optional.of(1000L);
    private static final Optional<Long> BOB = Optional.of(1001L);
    private static final int GUESSES = 300;
    private static final int CHARS = 200;
    private static final int MOST_TOKENS = 256;

    @TempDir
    Path folder;

    private final Random random = new Random(5);

    @Test
    void anothersPromptsDoNotShowInTheTime() throws Exception {
        try (ModelHost engine = engine()) {
            for (int i = 0; i < 200; i++) {
                nanosToFirstToken(engine, prompt(), i % 2 == 0 ? ALICE : BOB);
            }
            double own = soonerWhenRight(engine, ALICE);
            double other = soonerWhenRight(engine, BOB);
            // Rank sums of two groups of n spread by sqrt((2n + 1) / 12n^2) by chance alone.
            double chance = Math.sqrt((2 * GUESSES + 1) / (12.0 * GUESSES * GUESSES));
            System.out.printf(
                    "first token sooner when the guess is right: own prompts %.3f, another's %.3f (chance alone 0.5 +- %.3f)%n",
                    own, other, 4 * chance);
            // However busy the machine is: what is let pass below must be small against what a reuse shows.
            assertThat(own)
                    .as("the measurement finds a reuse where there is one")
                    .isGreaterThan(0.5 + 8 * chance);
            assertThat(other).isBetween(0.5 - 4 * chance, 0.5 + 4 * chance);
        }
    }

    private double soonerWhenRight(ModelHost engine, Optional<Long> asker) throws Exception {
        List<Long> right = new ArrayList<>();
        List<Long> wrong = new ArrayList<>();
        while (right.size() < GUESSES || wrong.size() < GUESSES) {
            String asked = prompt();
            nanosToFirstToken(engine, asked, ALICE);
            boolean guessed = random.nextBoolean();
            (guessed ? right : wrong).add(nanosToFirstToken(engine, guessed ? asked : prompt(), asker));
        }
        double sooner = 0;
        for (long one : right.subList(0, GUESSES)) {
            for (long other : wrong.subList(0, GUESSES)) {
                sooner += one < other ? 1 : one == other ? 0.5 : 0;
            }
        }
        return sooner / ((double) GUESSES * GUESSES);
    }

    private String prompt() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < CHARS; i++) {
            text.append((char) ('!' + random.nextInt('~' - '!')));
        }
        return text.toString();
    }

    private static long nanosToFirstToken(ModelHost engine, String text, Optional<Long> owner) throws Exception {
        long[] firstNanos = {0};
        Collected answer = new Collected() {
            @Override
            public void token(int id) {
                if (firstNanos[0] == 0) {
                    firstNanos[0] = System.nanoTime();
                }
            }
        };
        long began = System.nanoTime();
        engine.chat(
                null,
                List.of(new ChatRequest(new Prompt.Text(text), 2, Sampling.GREEDY, List.of(), true, 0)),
                new Caller(owner, true),
                answer);
        answer.await();
        assertThat(answer.failure).isNull();
        return firstNanos[0] - began;
    }

    private ModelHost engine() throws Exception {
        TinyStore store = new TinyStore(folder);
        ModelHost engine = new ModelHost(
                new HostSettings(store.blobs(), new HealthGate.Settings(MOST_TOKENS, 4, CacheType.F16), 1, 1, 1 << 26));
        assertThat(engine.serve(Slot.read(store.add("1.0.0", 1, TinyModel.Flaw.NONE))
                                .orThrow())
                        .passed())
                .isTrue();
        return engine;
    }
}
