package dev.holdfast.engine;

import dev.holdfast.engine.architectures.DecodeBatcher;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.Kernels;
import java.util.function.IntPredicate;

/**
 * Reads the tokens of one answer with guesses ahead: a draft model says what it would say, and the model reads all of that in one pass
 * over its weights. Every token of the answer is still chosen from the model's own logits, by the same sampler and the same random
 * numbers; a guess that was right only saves a pass. So the answer is what it would be without, but for the rounding of 32-bit sums.
 *
 * <p>Beside other answers nothing is guessed: their tokens fill the pass already. Belongs to the answer's thread.
 */
final class Speculation {
    /** Guesses of one pass; with the token itself what the kernels take together. */
    private static final int MOST = 7;
    /** Tokens that are read one by one after a guess that was all wrong. */
    private static final int PAUSE = 16;

    private final DecodeBatcher.Member member;
    private final Transformer model;
    private final Sequence sequence;
    private final Sequence[] places;
    private final Transformer draft;
    private final Sequence guesser;
    private final IntPredicate ends;

    /** What was chosen, and the guesses behind it. */
    private final int[] tokens = new int[MOST + 1];
    /** Tokens of the last pass. */
    private int count;
    /** The one of them whose logits were given out last. */
    private int at;

    private int begin;
    private int length = MOST / 2;
    private int pause;
    private int guessed;
    private int right;

    /**
     * For one answer.
     *
     * @param guesser the draft's sequence; what it read of the same text is reused
     * @param ends tells the tokens behind which there is nothing to guess
     */
    Speculation(
            DecodeBatcher.Member member, Transformer model, Transformer draft, Sequence guesser, IntPredicate ends) {
        this.member = member;
        this.model = model;
        this.sequence = member.sequence();
        this.places = sequence.places(MOST + 1);
        this.draft = draft;
        this.guesser = guesser;
        this.ends = ends;
    }

    private boolean isBehind() {
        return guesser.commonPrefix(sequence) < sequence.position();
    }

    /** How many tokens the draft reads next of what the model has read; 0 where it has all or no room for more. */
    int missing() {
        guesser.keep(guesser.commonPrefix(sequence));
        return Math.min(Math.min(sequence.position() - guesser.position(), Kernels.BATCH), guesser.room());
    }

    /** Lets the draft read the {@link #missing} tokens, and returns how many they were. */
    int catchUp(Runnable pause) {
        int missing = missing();
        if (missing > 0) {
            draft.read(guesser, sequence.tokens(), guesser.position(), missing, null, pause);
        }
        return missing;
    }

    /** Reads a token of the answer, and gives the logits of the next one. */
    float[] read(int token) {
        if (at + 1 < count && tokens[at + 1] == token) {
            right++;
            return places[++at].logits;
        }
        if (count > 0) {
            sequence.keep(begin + at + 1);
            judge();
        }
        begin = sequence.position();
        count = 0;
        at = 0;
        int most = Math.min(length, sequence.room() - 1);
        if (pause > 0 || most < 1 || !member.alone()) {
            pause = Math.max(0, pause - 1);
            return member.read(token);
        }
        tokens[0] = token;
        int made = guess(most);
        if (made == 0) {
            return member.read(token);
        }
        count = 1 + made;
        guessed += made;
        model.step(places, tokens, count);
        return places[0].logits;
    }

    /** As many guesses as were right lately, and a few more. */
    private void judge() {
        if (at == 0) {
            pause = PAUSE;
            length = 1;
        } else {
            length = Math.clamp(at + 2, 1, MOST);
        }
    }

    private int guess(int most) {
        while (catchUp(Transformer.ON) > 0) {
            // In pieces.
        }
        if (isBehind()) {
            return 0;
        }
        int made = 0;
        while (made < most && guesser.room() > 0) {
            draft.read(guesser, tokens, made, 1, null);
            int next = Sampler.mostLikely(guesser.logits);
            if (next < 0 || ends.test(next)) {
                break;
            }
            tokens[++made] = next;
        }
        return made;
    }

    /** Guesses so far. */
    int guessed() {
        return guessed;
    }

    /** Those of them that were right. */
    int right() {
        return right;
    }
}
