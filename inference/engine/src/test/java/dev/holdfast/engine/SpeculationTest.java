package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.architectures.DecodeBatcher;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Workers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Guesses save passes and change no answer. */
class SpeculationTest {
    private static final int CONTEXT = 128;

    @TempDir
    Path folder;

    private final Workers workers = Workers.of(2);
    private LoadedModel model;
    private LoadedModel other;

    @BeforeEach
    void models() throws Exception {
        model = load("model.gguf", 7);
        other = load("other.gguf", 8);
    }

    private LoadedModel load(String name, long seed) throws Exception {
        Path file = folder.resolve(name);
        TinyModel.write(file, seed, TinyModel.Flaw.NONE);
        return LoadedModel.load(file, workers, CONTEXT, CacheType.F16).orThrow();
    }

    @AfterEach
    void close() {
        model.close();
        other.close();
        workers.close();
    }

    private List<Integer> answer(Optional<LoadedModel> draft, String prompt, int most, Sampling sampling)
            throws Exception {
        List<Integer> tokens = new ArrayList<>();
        Generation.Listener listener = new Generation.Listener() {
            @Override
            public void token(int id) {
                tokens.add(id);
            }

            @Override
            public boolean text(String delta) {
                return true;
            }
        };
        Optional<Generation.Guesser> guesser = draft.isEmpty()
                ? Optional.empty()
                : Optional.of(new Generation.Guesser(
                        draft.get().decoder().orThrow(), draft.get().newSequence()));
        new Generation(model, model.tokenizer().orThrow(), id -> false, Turns.FREE, guesser)
                .run(
                        model.newSequence(),
                        model.tokenizer().orThrow().encodePrompt(prompt),
                        sampling,
                        new Generation.Limits(most),
                        listener)
                .orThrow();
        return tokens;
    }

    /** By a draft that is always right, and by one that knows nothing. */
    @ParameterizedTest
    @CsvSource({"0,1", "0.7,1", "1.0,2", "1.3,3"})
    void theAnswerIsTheSame(double temperature, long seed) throws Exception {
        Sampling sampling =
                temperature == 0 ? Sampling.GREEDY : new Sampling(temperature, 40, 0.95, 0, Penalties.NONE, seed);
        for (String prompt : List.of("the", "turn on the light", "a".repeat(90))) {
            List<Integer> plain = answer(Optional.empty(), prompt, 60, sampling);
            assertThat(plain).isNotEmpty();
            assertThat(answer(Optional.of(model), prompt, 60, sampling)).isEqualTo(plain);
            assertThat(answer(Optional.of(other), prompt, 60, sampling)).isEqualTo(plain);
        }
    }

    @Test
    void itRunsToTheEndOfTheContext() throws Exception {
        List<Integer> plain = answer(Optional.empty(), "the light", 10_000, Sampling.GREEDY);
        assertThat(plain).hasSize(CONTEXT - model.tokenizer().orThrow().encodePrompt("the light").length + 1);
        assertThat(answer(Optional.of(model), "the light", 10_000, Sampling.GREEDY))
                .isEqualTo(plain);
    }

    @Test
    void rightGuessesSavePasses() throws Exception {
        Transformer decoder = model.decoder().orThrow();
        Sequence sequence = model.newSequence();
        decoder.read(sequence, new int[] {1, 10, 20}, 0, 3, null);
        try (DecodeBatcher.Member member = new DecodeBatcher(decoder).member(sequence)) {
            Speculation ahead = new Speculation(member, decoder, decoder, model.newSequence(), id -> false);
            float[] logits = sequence.logits;
            for (int i = 0; i < 60; i++) {
                logits = ahead.read(Sampler.mostLikely(logits));
            }
            assertThat(ahead.right()).isGreaterThan(45);
            assertThat(ahead.guessed() - ahead.right()).isLessThan(8);
        }
    }

    @Test
    void wrongGuessesBecomeRare() throws Exception {
        Transformer decoder = model.decoder().orThrow();
        Sequence sequence = model.newSequence();
        decoder.read(sequence, new int[] {1, 10, 20}, 0, 3, null);
        try (DecodeBatcher.Member member = new DecodeBatcher(decoder).member(sequence)) {
            Speculation ahead =
                    new Speculation(member, decoder, other.decoder().orThrow(), other.newSequence(), id -> false);
            float[] logits = sequence.logits;
            for (int i = 0; i < 100; i++) {
                logits = ahead.read(Sampler.mostLikely(logits));
            }
            assertThat(ahead.guessed()).isLessThan(25);
        }
    }

    /** It guesses as long as it has room, and holds nobody up when it has none. */
    @Test
    @Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aDraftOfAShorterContextEndsNoAnswer() throws Exception {
        Path file = folder.resolve("model.gguf");
        for (int context : new int[] {8, 40, 64}) {
            try (LoadedModel shorter =
                    LoadedModel.load(file, workers, context, CacheType.F16).orThrow()) {
                for (String prompt : List.of("the", "a".repeat(90))) {
                    List<Integer> plain = answer(Optional.empty(), prompt, 60, Sampling.GREEDY);
                    assertThat(answer(Optional.of(shorter), prompt, 60, Sampling.GREEDY))
                            .isEqualTo(plain);
                }
            }
        }
    }

    @Test
    void besideAnotherAnswerNothingIsGuessed() throws Exception {
        Transformer decoder = model.decoder().orThrow();
        DecodeBatcher batcher = new DecodeBatcher(decoder);
        Sequence sequence = model.newSequence();
        decoder.read(sequence, new int[] {1, 10, 20}, 0, 3, null);
        try (DecodeBatcher.Member member = batcher.member(sequence)) {
            Speculation ahead = new Speculation(member, decoder, decoder, model.newSequence(), id -> false);
            try (DecodeBatcher.Member beside = batcher.member(model.newSequence())) {
                assertThat(beside.alone()).isFalse();
                ahead.read(30);
                assertThat(ahead.guessed()).isZero();
            }
            ahead.read(40);
            assertThat(ahead.guessed()).isPositive();
        }
    }

    @Test
    void aDraftOfAnotherVocabularyIsRefused() throws Exception {
        Path file = folder.resolve("chat.gguf");
        TinyModel.writeChatml(file, 7);
        try (LoadedModel chat =
                LoadedModel.load(file, workers, CONTEXT, CacheType.F16).orThrow()) {
            assertThat(chat.hasVocabularyOf(model)).isFalse();
            try (ModelRunner runner =
                    ModelRunner.open(folder.resolve("model.gguf"), CONTEXT, 1).orThrow()) {
                assertThat(runner.draft(file, CacheType.F16).isAccepted()).isFalse();
                assertThat(runner.draft(folder.resolve("other.gguf"), CacheType.F16)
                                .isAccepted())
                        .isTrue();
            }
        }
        assertThat(other.hasVocabularyOf(model)).isTrue();
    }
}
