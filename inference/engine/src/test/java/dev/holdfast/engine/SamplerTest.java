package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final int DRAWS = 4000;

    @Test
    void samplesInProportionToTheSoftmax() {
        float[] logits = {1, 3, 2, Float.NEGATIVE_INFINITY, Float.NaN};
        int[] counts = counts(new Sampling(1, 1, 7), logits);
        double sum = Math.exp(1) + Math.exp(3) + Math.exp(2);
        for (int i = 0; i < 3; i++) {
            // Five standard deviations of a share at 4000 draws are below 0.04.
            assertThat((double) counts[i] / DRAWS).isCloseTo(Math.exp(logits[i]) / sum, within(0.04));
        }
        assertThat(counts[3] + counts[4]).isZero();
    }

    @Test
    void eachFilterLeavesWhatAPlainSortLeaves() {
        Random random = new Random(3);
        for (int round = 0; round < 60; round++) {
            int size = 2 + random.nextInt(40);
            float[] logits = new float[size];
            for (int i = 0; i < size; i++) {
                logits[i] = 2 * (float) random.nextGaussian();
            }
            int topK = random.nextInt(size + 3);
            double topP = random.nextBoolean() ? 1 : 0.05 + 0.9 * random.nextDouble();
            double minP = random.nextBoolean() ? 0 : 0.5 * random.nextDouble();
            double temperature = 0.5 + random.nextDouble();
            Set<Integer> allowed = plain(logits, temperature, topK, topP, minP);
            Sampling sampling = new Sampling(temperature, topK, topP, minP, Penalties.NONE, round);
            int[] counts = counts(sampling, logits);
            for (int i = 0; i < size; i++) {
                if (counts[i] > 0) {
                    assertThat(allowed)
                            .as("top_k %d top_p %f min_p %f", topK, topP, minP)
                            .contains(i);
                }
            }
            assertThat(counts[Sampler.mostLikely(logits)]).isPositive();
        }
    }

    /** The other side: of what a filter allows, nothing is missing. */
    @Test
    void eachFilterKeepsAllThatItAllows() {
        float[] even = new float[8];
        assertThat(kept(new Sampling(1, 5, 1, 0, Penalties.NONE, 3), even))
                .as("top_k")
                .isEqualTo(5);
        float[] logits = new float[4];
        double[] shares = {0.4, 0.3, 0.2, 0.1};
        for (int i = 0; i < shares.length; i++) {
            logits[i] = (float) Math.log(shares[i]);
        }
        assertThat(kept(new Sampling(1, 0, 0.35, 0, Penalties.NONE, 3), logits)).isEqualTo(1);
        assertThat(kept(new Sampling(1, 0, 0.65, 0, Penalties.NONE, 3), logits)).isEqualTo(2);
        assertThat(kept(new Sampling(1, 0, 0.85, 0, Penalties.NONE, 3), logits)).isEqualTo(3);
        assertThat(kept(new Sampling(1, 0, 0.95, 0, Penalties.NONE, 3), logits)).isEqualTo(4);
        assertThat(kept(new Sampling(1, 0, 1, 0.7, Penalties.NONE, 3), logits))
                .as("min_p")
                .isEqualTo(2);
        assertThat(kept(new Sampling(1, 0, 1, 0.45, Penalties.NONE, 3), logits)).isEqualTo(3);
        assertThat(kept(new Sampling(1, 0, 1, 0.2, Penalties.NONE, 3), logits)).isEqualTo(4);
    }

    private static long kept(Sampling sampling, float[] logits) {
        return Arrays.stream(counts(sampling, logits))
                .filter(count -> count > 0)
                .count();
    }

    private static Set<Integer> plain(float[] logits, double temperature, int topK, double topP, double minP) {
        double[] p = new double[logits.length];
        double largest =
                IntStream.range(0, p.length).mapToDouble(i -> logits[i]).max().orElseThrow();
        for (int i = 0; i < p.length; i++) {
            p[i] = Math.exp((logits[i] - largest) / temperature);
        }
        int[] order = IntStream.range(0, p.length)
                .boxed()
                .sorted((a, b) -> Double.compare(p[b], p[a]))
                .mapToInt(Integer::intValue)
                .filter(i -> p[i] >= minP - 1e-6)
                .limit(topK == 0 ? p.length : topK)
                .toArray();
        double mass = Arrays.stream(order).mapToDouble(i -> p[i]).sum();
        Set<Integer> allowed = new TreeSet<>();
        double reached = 0;
        for (int i : order) {
            // A hair more than asked for: the sampler adds in another precision.
            if (reached < topP * mass + 1e-5) {
                allowed.add(i);
            }
            reached += p[i];
        }
        return allowed;
    }

    @Test
    void topKOfOneAndATinyNucleusAreGreedy() {
        float[] logits = {0.1f, 0.3f, 0.2f, 0.29f};
        assertThat(counts(new Sampling(2, 1, 1, 0, Penalties.NONE, 1), logits)[1])
                .isEqualTo(DRAWS);
        assertThat(counts(new Sampling(2, 0, Double.MIN_NORMAL, 0, Penalties.NONE, 1), logits)[1])
                .isEqualTo(DRAWS);
        assertThat(counts(new Sampling(2, 0, 1, 1, Penalties.NONE, 1), logits)[1])
                .isEqualTo(DRAWS);
    }

    @Test
    void theSameSeedGivesTheSameTokens() {
        float[] logits = new float[50];
        Sampling sampling = new Sampling(1, 20, 0.9, 0.01, Penalties.NONE, 99);
        assertThat(tokens(sampling, logits)).isEqualTo(tokens(sampling, logits));
        assertThat(tokens(sampling, logits))
                .isNotEqualTo(tokens(new Sampling(1, 20, 0.9, 0.01, Penalties.NONE, 98), logits));
    }

    @Test
    void penaltiesTakeWhatTheirDefinitionsSay() {
        Penalties penalties = new Penalties(2, 0.5, 0.25);
        Sampler sampler = new Sampler(new Sampling(0, 0, 1, 0, penalties, 0), 4);
        sampler.prompt(new int[] {0, 1});
        float[] logits = {4, -1, 3, 1};
        // In the prompt: divided where positive, multiplied where negative; so token 2 is the most likely now.
        assertThat(sampler.next(logits)).isEqualTo(2);
        assertThat(logits).containsExactly(2, -2, 3, 1);
        logits = new float[] {4, -1, 3, 1.9f};
        assertThat(sampler.next(logits)).isEqualTo(0);
        assertThat(logits).containsExactly(2, -2, 0.75f, 1.9f);
        logits = new float[] {4, -1, 3, 1.2f};
        assertThat(sampler.next(logits)).isEqualTo(0);
        assertThat(logits[0]).isEqualTo(1.25f);
        logits = new float[] {4, -1, 3, 1.1f};
        assertThat(sampler.next(logits)).isEqualTo(3);
        assertThat(logits[0]).as("once for presence, twice for frequency").isEqualTo(1);
    }

    @Test
    void aMaskRulesTokensOut() {
        float[] logits = {9, 8, 7};
        LogitMask.without(id -> id == 0).apply(logits);
        assertThat(new Sampler(Sampling.GREEDY, 3).next(logits)).isEqualTo(1);
        LogitMask.without(id -> true).apply(logits);
        assertThat(new Sampler(Sampling.GREEDY, 3).next(logits)).isEqualTo(-1);
        assertThat(new Sampler(new Sampling(1, 1, 0), 3).next(logits)).isEqualTo(-1);
    }

    @Test
    void infiniteAndMissingNumbersDoNoHarm() {
        float inf = Float.POSITIVE_INFINITY;
        Sampling sampling = new Sampling(1, 2, 0.5, 0.1, new Penalties(1.5, 1, 1), 0);
        assertThat(new Sampler(sampling, 3).next(new float[] {0, inf, 1})).isEqualTo(1);
        assertThat(new Sampler(sampling, 3).next(new float[] {Float.NaN, Float.NaN, Float.NaN}))
                .isEqualTo(-1);
    }

    @Test
    void settingsOutOfRangeDoNotExist() {
        assertThatThrownBy(() -> new Sampling(Double.NaN, 1, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Sampling(1, -1, 1, 0, Penalties.NONE, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Sampling(1, 0, 1, 1.1, Penalties.NONE, 0))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Penalties(0, 0, 0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Penalties(1, Double.NaN, 0)).isInstanceOf(IllegalArgumentException.class);
    }

    private static int[] counts(Sampling sampling, float[] logits) {
        Sampler sampler = new Sampler(sampling, logits.length);
        int[] counts = new int[logits.length];
        for (int i = 0; i < DRAWS; i++) {
            counts[sampler.next(logits)]++;
        }
        return counts;
    }

    private static int[] tokens(Sampling sampling, float[] logits) {
        Sampler sampler = new Sampler(sampling, logits.length);
        return IntStream.range(0, 30).map(i -> sampler.next(logits)).toArray();
    }
}
