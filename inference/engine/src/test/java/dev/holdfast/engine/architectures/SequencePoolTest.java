package dev.holdfast.engine.architectures;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.ScalarKernels;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What an owner left is for that owner alone. */
class SequencePoolTest {
    private static final Optional<Long> ALICE = Optional.of(1000L);
    private static final Optional<Long> BOB = Optional.of(1001L);
    private static final Optional<Long> NOBODY = Optional.empty();

    @Test
    void anotherOwnerGetsNothingButZeros() {
        ModelShape shape = new ModelShape(128, 1, 8, 1, 1, 8, 8, 10);
        SequencePool pool = new SequencePool(() -> new Sequence(shape, 128, CacheType.F32), 1);
        int[] prompt = new Random(1).ints(100, 0, 10).toArray();
        Sequence sequence = filled(pool, ALICE, prompt);
        pool.giveBack(sequence, ALICE);
        assertThat(pool.take(BOB, prompt)).isSameAs(sequence);
        assertThat(firstKeys(sequence)).containsOnly(0);
        assertThat(sequence.position()).isZero();
        assertThat(sequence.commonPrefix(prompt)).isZero();
    }

    /** How much there is to overwrite would show in the next owner's first token. */
    @Test
    void oneOfTwoIsOverwrittenAhead() {
        ModelShape shape = new ModelShape(128, 1, 8, 1, 1, 8, 8, 10);
        SequencePool pool = new SequencePool(() -> new Sequence(shape, 128, CacheType.F32), 2);
        int[] prompt = new Random(1).ints(100, 0, 10).toArray();
        Sequence alices = filled(pool, ALICE, prompt);
        Sequence bobs = filled(pool, BOB, prompt);
        pool.giveBack(alices, ALICE);
        assertThat(firstKeys(alices)).as("she may build on it").contains(42);
        pool.giveBack(bobs, BOB);
        assertThat(firstKeys(alices)).containsOnly(0);
        assertThat(firstKeys(bobs)).contains(42);
        assertThat(pool.take(BOB, prompt)).isSameAs(bobs);
        assertThat(pool.take(ALICE, prompt)).isSameAs(alices);
    }

    private static Sequence filled(SequencePool pool, Optional<Long> owner, int[] prompt) {
        Sequence sequence = pool.take(owner, prompt);
        float[] secret = new float[8 * 64];
        Arrays.fill(secret, 42);
        sequence.cache.write(0, 0, 64, secret, secret, 64);
        sequence.advance(prompt, 0, 64);
        return sequence;
    }

    private static float[] firstKeys(Sequence sequence) {
        float[] left = new float[16 * 64];
        sequence.cache.page(0, 0).keys(new ScalarKernels(), 0, left, 0);
        return left;
    }

    /** What is read again falls into the batches that it fell into at first: the numbers are the same, not only near. */
    @Test
    void onlyWholeBatchesAreKept() {
        ModelShape shape = new ModelShape(128, 1, 8, 1, 1, 8, 8, 10);
        SequencePool pool = new SequencePool(() -> new Sequence(shape, 128, CacheType.F32), 2);
        int[] prompt = new Random(1).ints(100, 0, 10).toArray();
        for (int[] readAndKept : new int[][] {{31, 0}, {32, 32}, {63, 32}, {97, 96}}) {
            Sequence sequence = pool.take(BOB, prompt);
            sequence.keep(0);
            sequence.advance(prompt, 0, readAndKept[0]);
            pool.giveBack(sequence, BOB);
            Sequence again = pool.take(BOB, prompt);
            assertThat(again.position()).isEqualTo(readAndKept[1]);
            pool.giveBack(again, NOBODY);
        }
        // Of a prompt that was read to its end the last batch is read again: its logits are wanted.
        Sequence whole = pool.take(BOB, prompt);
        whole.advance(prompt, 0, 64);
        pool.giveBack(whole, BOB);
        assertThat(pool.take(BOB, Arrays.copyOf(prompt, 64)).position()).isEqualTo(32);
    }
}
