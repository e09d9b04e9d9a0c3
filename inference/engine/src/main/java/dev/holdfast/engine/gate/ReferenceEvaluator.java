package dev.holdfast.engine.gate;

import dev.holdfast.engine.LoadedModel;
import dev.holdfast.engine.LogProbabilities;
import dev.holdfast.engine.Sampler;
import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.PromptWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Makes a {@link GateReference} from a model, and measures models against one. */
public final class ReferenceEvaluator {
    /** Canaries that become passages; more say little more and fill the metadata. */
    private static final int PASSAGES = 8;

    private static final int DISTRIBUTIONS = 64;
    private static final int LISTED = 4;
    private static final int MAX_TOKENS = GateReference.MAX_PASSAGE_TOKENS;
    private static final double MICRO = 1e6;
    /** A probability that counts as none. */
    private static final double NONE = 1e-12;

    private ReferenceEvaluator() {}

    /**
     * The expectations of a model over canaries, each written as the template has it with its answer behind it.
     *
     * @param canaries at least one
     * @return the reader's refusals, and {@code API-REQUEST} for a model that continues no text
     */
    public static Verdict<GateReference> of(
            Path model, ChatTemplate template, List<GateRules.Canary> canaries, double maxMeanDivergence) {
        return withModel(model, loaded -> {
            Transformer decoder = loaded.decoder().orThrow();
            PromptWriter prompts =
                    PromptWriter.bind(template, loaded.tokenizer().orThrow()).orThrow();
            int count = Math.min(PASSAGES, canaries.size());
            List<GateReference.Passage> passages = new ArrayList<>();
            Sequence sequence = loaded.newSequence();
            for (int i = 0; i < count; i++) {
                GateRules.Canary canary = canaries.get(i * canaries.size() / count);
                int[] prompt = prompts.write(List.of(new Message("user", canary.prompt())))
                        .orThrow();
                int[] answer = prompts.tokenizer().encode(canary.expect(), true);
                int[] all = Arrays.copyOf(prompt, prompt.length + answer.length);
                System.arraycopy(answer, 0, all, prompt.length, answer.length);
                int[] tokens = Arrays.copyOf(all, Math.min(all.length, loaded.contextTokens()));
                passages.add(passage(decoder, sequence, tokens, DISTRIBUTIONS / count));
            }
            return new GateReference(passages, maxMeanDivergence);
        });
    }

    private interface Work<T> {
        T on(LoadedModel model) throws RejectedException;
    }

    private static <T> Verdict<T> withModel(Path file, Work<T> work) {
        return Verdict.of(() -> {
            try (Workers workers = Workers.of(1);
                    LoadedModel model = LoadedModel.load(file, workers, MAX_TOKENS, CacheType.F32)
                            .orThrow()) {
                return work.on(model);
            } catch (RuntimeException e) {
                // A fault of ours that hostile weights brought to light, as in the gate.
                throw new RejectedException(Code.GATE_LOAD, "fault in the engine: " + e);
            }
        });
    }

    private static GateReference.Passage passage(Transformer decoder, Sequence sequence, int[] tokens, int most) {
        int places = Math.min(most, tokens.length);
        List<GateReference.Distribution> expected = new ArrayList<>();
        sequence.rewind();
        decoder.read(sequence, tokens, 0, tokens.length, (position, logits) -> {
            // Places spread evenly, the last token among them.
            if ((long) (position + 1) * places / tokens.length > (long) position * places / tokens.length) {
                expected.add(likeliest(position, logits));
            }
        });
        return new GateReference.Passage(Arrays.stream(tokens).boxed().toList(), expected);
    }

    private static GateReference.Distribution likeliest(int position, float[] logits) {
        double logSum = LogProbabilities.logSum(logits);
        float[] left = logits.clone();
        List<Integer> tokens = new ArrayList<>();
        List<Integer> microNats = new ArrayList<>();
        for (int i = 0; i < Math.min(LISTED, logits.length); i++) {
            int token = Sampler.mostLikely(left);
            tokens.add(token);
            microNats.add((int) Math.round(MICRO * Math.max(0, logSum - logits[token])));
            left[token] = Float.NEGATIVE_INFINITY;
        }
        return new GateReference.Distribution(position, tokens, microNats);
    }

    /**
     * The mean divergence in nats over all distributions of a reference; NaN where a logit is none.
     *
     * @return {@code GATE-REFERENCE} where the model lacks a token or the room that the reference needs
     */
    static Verdict<Double> divergence(Transformer decoder, Sequence sequence, GateReference reference) {
        return Verdict.of(() -> {
            double[] sum = {0};
            for (GateReference.Passage passage : reference.passages()) {
                int[] tokens =
                        passage.tokens().stream().mapToInt(Integer::intValue).toArray();
                sequence.rewind();
                if (tokens.length > sequence.room() || !known(decoder, passage)) {
                    throw new RejectedException(
                            Code.GATE_REFERENCE, "the model lacks tokens or the context that the reference has");
                }
                decoder.read(sequence, tokens, 0, tokens.length, (position, logits) -> {
                    for (GateReference.Distribution expected : passage.expected()) {
                        sum[0] += expected.position() == position ? divergence(expected, logits) : 0;
                    }
                });
            }
            return sum[0] / reference.distributions();
        });
    }

    private static boolean known(Transformer decoder, GateReference.Passage passage) {
        int vocabulary = decoder.shape().vocabulary();
        return passage.tokens().stream().allMatch(token -> token < vocabulary)
                && passage.expected().stream()
                        .allMatch(expected -> expected.tokens().stream().allMatch(token -> token < vocabulary));
    }

    /** Of the listed tokens and of all others taken as one. */
    private static double divergence(GateReference.Distribution expected, float[] logits) {
        double logSum = LogProbabilities.logSum(logits);
        double divergence = 0;
        double expectedRest = 1;
        double rest = 1;
        for (int i = 0; i < expected.tokens().size(); i++) {
            double own = logits[expected.tokens().get(i)] - logSum;
            double probability = Math.exp(expected.logProbability(i));
            divergence += probability * (expected.logProbability(i) - own);
            expectedRest -= probability;
            rest -= Math.exp(own);
        }
        return expectedRest > NONE
                ? divergence + expectedRest * Math.log(expectedRest / Math.max(rest, NONE))
                : divergence;
    }
}
