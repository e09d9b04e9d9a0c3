package dev.holdfast.engine;

import static dev.holdfast.engine.ChainModel.byteToken;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.holdfast.engine.ChosenToken.Candidate;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.engine.text.SpelledToken;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.wire.Binary;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How likely the tokens of an answer were, and how each of them is told. */
class TokenProbabilitiesTest {
    @TempDir
    Path folder;

    private final ChainModel chain = new ChainModel()
            .chain("<s>", "\u2581a", byteToken(0xf0), byteToken(0x9f), byteToken(0x98), byteToken(0x80), "b", "</s>");
    private Workers workers;
    private LoadedModel model;
    private Tokenizer tokenizer;

    @BeforeEach
    void load() throws Exception {
        Path file = folder.resolve("m.gguf");
        chain.write(file);
        workers = Workers.of(1);
        model = LoadedModel.load(file, workers, 64, CacheType.F32).orThrow();
        tokenizer = model.tokenizer().orThrow();
    }

    @AfterEach
    void close() {
        model.close();
        workers.close();
    }

    private List<ChosenToken> answer(Sampling sampling, OptionalInt alternatives) throws Exception {
        List<ChosenToken> told = new ArrayList<>();
        Generation.Listener listener = new Generation.Listener() {
            @Override
            public boolean text(String delta) {
                return true;
            }

            @Override
            public void probability(ChosenToken token) {
                told.add(token);
            }
        };
        new Generation(model, tokenizer, tokenizer.vocabulary()::isControl, Turns.FREE, Optional.empty())
                .run(
                        model.newSequence(),
                        new int[] {1},
                        sampling,
                        new Generation.Limits(5, true, 0, List.of(), alternatives),
                        listener)
                .orThrow();
        return told;
    }

    private float[] logits(int... prompt) throws Exception {
        float[][] last = new float[1][];
        model.decoder()
                .orThrow()
                .read(model.newSequence(), prompt, 0, prompt.length, (position, row) -> last[0] = row.clone());
        return last[0];
    }

    @Test
    void valuesAreThoseOfTheLogitsAsTheModelComputedThem() throws Exception {
        Sampling greedy = Sampling.GREEDY;
        // Each of these changes the logits before the choice, or what the choice makes of them.
        Sampling shaped = new Sampling(1.7, 1, 1, 0, new Penalties(2, 1, 1), 3);
        for (Sampling sampling : List.of(greedy, shaped)) {
            float[] first = logits(1);
            // All of them, also those that may not be chosen.
            List<ChosenToken> told = answer(sampling, OptionalInt.of(first.length));
            assertThat(told).hasSize(5);
            assertThat(told.getFirst().likeliest()).hasSize(first.length);
            double logSum = LogProbabilities.logSum(first);
            assertThat(told.getFirst().chosen().logProbability())
                    .isCloseTo(first[chain.id("\u2581a")] - logSum, within(1e-5));
            float[] sorted = first.clone();
            Arrays.sort(sorted);
            for (int i = 0; i < first.length; i++) {
                assertThat(told.getFirst().likeliest().get(i).logProbability())
                        .isCloseTo(sorted[sorted.length - 1 - i] - logSum, within(1e-5));
            }
            float[] second = logits(1, chain.id("\u2581a"));
            assertThat(told.get(1).chosen().logProbability())
                    .isCloseTo(second[chain.id(byteToken(0xf0))] - LogProbabilities.logSum(second), within(1e-5));
        }
    }

    @Test
    void nobodyIsToldWhoDoesNotAsk() throws Exception {
        assertThat(answer(Sampling.GREEDY, OptionalInt.empty())).isEmpty();
        assertThat(answer(Sampling.GREEDY, OptionalInt.of(0)))
                .allSatisfy(token -> assertThat(token.likeliest()).isEmpty());
    }

    @Test
    void aPartOfACharacterHasItsBytes() throws Exception {
        List<ChosenToken> told = answer(Sampling.GREEDY, OptionalInt.of(1));
        assertThat(told)
                .extracting(token -> token.chosen().token())
                .containsExactly(
                        // The space before it was put there by the tokenizer, and is no part of the answer.
                        new SpelledToken("a", Optional.of(Binary.copyOf(new byte[] {'a'}))),
                        new SpelledToken("\\xf0", Optional.of(Binary.copyOf(new byte[] {(byte) 0xf0}))),
                        new SpelledToken("\\x9f", Optional.of(Binary.copyOf(new byte[] {(byte) 0x9f}))),
                        new SpelledToken("\\x98", Optional.of(Binary.copyOf(new byte[] {(byte) 0x98}))),
                        new SpelledToken("\\x80", Optional.of(Binary.copyOf(new byte[] {(byte) 0x80}))));
        assertThat(told).allSatisfy(token -> assertThat(token.likeliest()).containsExactly(token.chosen()));
    }

    @Test
    void aControlTokenHasItsNameAndNoBytes() {
        assertThat(SpelledToken.of(tokenizer, 2, false)).isEqualTo(new SpelledToken("</s>", Optional.empty()));
        assertThat(SpelledToken.of(tokenizer, chain.id("\u2581a"), false).text())
                .isEqualTo(" a");
    }

    @Test
    void theLikeliestAreInOrderAndNumbersThatAreNoneAreLeftOut() {
        TokenProbabilities probabilities = new TokenProbabilities(tokenizer, 4, 6, false);
        probabilities.keep(new float[] {1, Float.NEGATIVE_INFINITY, 3, 2, 3, Float.NEGATIVE_INFINITY});
        ChosenToken told = probabilities.chosen(1);
        assertThat(told.chosen().logProbability()).isEqualTo(ChosenToken.UNLIKELY);
        assertThat(told.likeliest())
                .extracting(Candidate::token)
                .containsExactly(
                        SpelledToken.of(tokenizer, 2, false),
                        SpelledToken.of(tokenizer, 4, false),
                        SpelledToken.of(tokenizer, 3, false),
                        SpelledToken.of(tokenizer, 0, false));
        double sum = told.likeliest().stream()
                .mapToDouble(each -> Math.exp(each.logProbability()))
                .sum();
        assertThat(sum).isCloseTo(1, within(1e-9));
        probabilities.keep(new float[] {Float.NaN, Float.NaN, Float.NaN, Float.NaN, Float.NaN, Float.NaN});
        assertThat(probabilities.chosen(0).likeliest()).isEmpty();
        assertThat(probabilities.chosen(0).chosen().logProbability()).isEqualTo(ChosenToken.UNLIKELY);
    }
}
