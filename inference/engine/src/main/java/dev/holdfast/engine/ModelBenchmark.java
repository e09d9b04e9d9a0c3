package dev.holdfast.engine;

import dev.holdfast.engine.architectures.Sequence;
import dev.holdfast.engine.architectures.Transformer;
import dev.holdfast.engine.kernels.MatMul;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** Measures the speed of an open model, on the thread that it belongs to. */
public final class ModelBenchmark {
    private final ModelRunner runner;

    public ModelBenchmark(ModelRunner runner) {
        this.runner = runner;
    }

    /**
     * Speed of a model.
     *
     * @param prefill tokens per second of each run, reading a prompt; in order of size
     * @param decode tokens per second of each run, one token after the other; in order of size
     * @param firstTokenMillis from opening the file to the first token, cold
     * @param modelBytes of the file
     */
    public record Speed(
            List<Double> prefill,
            List<Double> decode,
            double loadMillis,
            double firstTokenMillis,
            long peakRssKib,
            long modelBytes,
            long parameters) {
        /** The median; 0 where that kind was not measured. */
        public double prefillTokensPerSecond() {
            return median(prefill);
        }

        /** The median; 0 where that kind was not measured. */
        public double decodeTokensPerSecond() {
            return median(decode);
        }

        private static double median(List<Double> sorted) {
            int middle = sorted.size() / 2;
            if (sorted.isEmpty()) {
                return 0;
            }
            return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
        }
    }

    /**
     * Measures after a warm-up. Longer runs than the context begin again behind the first {@code depth} tokens.
     *
     * @param depth tokens that are in the cache before each run, read once and not measured; less than the context
     * @param prefillTokens of one run; 0 leaves prefill out
     * @param decodeTokens of one run; 0 leaves decode out
     */
    public Verdict<Speed> run(int depth, int prefillTokens, int decodeTokens, int runs) {
        if (prefillTokens < 0 || decodeTokens < 0 || prefillTokens + (long) decodeTokens == 0 || runs < 1) {
            return Verdict.rejected(Code.API_REQUEST, "at least one token of one kind and one run");
        }
        if (depth < 0 || depth >= runner.contextTokens()) {
            return Verdict.rejected(
                    Code.API_CONTEXT, "depth " + depth + ", allowed 0 to " + (runner.contextTokens() - 1));
        }
        return runner.decoder()
                .then(decoder -> Verdict.accepted(run(decoder, depth, prefillTokens, decodeTokens, runs)));
    }

    private Speed run(Transformer decoder, int depth, int prefillTokens, int decodeTokens, int runs) {
        int[] tokens = new Random(1)
                .ints(runner.contextTokens(), 0, runner.shape().vocabulary())
                .toArray();
        decoder.read(runner.sequence(), tokens, 0, 1, null);
        double firstTokenMillis = ModelRunner.millisSince(runner.openedNanos());
        Sequence behind = runner.sequence();
        if (depth > 0) {
            decoder.read(behind, tokens, 0, depth, null);
        }
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
        while (System.nanoTime() < until) {
            prefill(decoder, behind, depth, tokens, Math.min(prefillTokens, 64));
            decode(decoder, behind, depth, tokens, Math.min(decodeTokens, 32));
        }
        List<Double> prefill = new ArrayList<>();
        List<Double> decode = new ArrayList<>();
        for (int run = 0; run < runs; run++) {
            if (prefillTokens > 0) {
                prefill.add(prefillTokens / prefill(decoder, behind, depth, tokens, prefillTokens));
            }
            if (decodeTokens > 0) {
                decode.add(decodeTokens / decode(decoder, behind, depth, tokens, decodeTokens));
            }
        }
        long parameters = runner.model().file().tensors().stream()
                .mapToLong(GgufTensor::elements)
                .sum();
        return new Speed(
                prefill.stream().sorted().toList(),
                decode.stream().sorted().toList(),
                runner.loadMillis(),
                firstTokenMillis,
                peakRssKib(),
                runner.model().file().length(),
                parameters);
    }

    /**
     * Measures how fast several sequences are decoded together, as concurrent answers are; after a warm-up.
     *
     * @param tokens of each sequence, which has no prompt
     * @return tokens per second of all together, of each run, in order of size
     */
    public Verdict<List<Double>> together(int streams, int tokens, int runs) {
        if (streams < 1 || streams > MatMul.MAX_TOGETHER || tokens < 1 || tokens > runner.contextTokens() || runs < 1) {
            return Verdict.rejected(
                    Code.API_REQUEST,
                    "1 to " + MatMul.MAX_TOGETHER + " streams of 1 to " + runner.contextTokens()
                            + " tokens, and a run");
        }
        return runner.decoder().then(decoder -> {
            Sequence[] sequences = new Sequence[streams];
            Arrays.setAll(sequences, i -> runner.model().newSequence());
            List<Double> rates = new ArrayList<>();
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
            while (System.nanoTime() < until) {
                together(decoder, sequences, Math.min(tokens, 8));
            }
            for (int run = 0; run < runs; run++) {
                rates.add(together(decoder, sequences, tokens));
            }
            return Verdict.accepted(rates.stream().sorted().toList());
        });
    }

    private static double together(Transformer decoder, Sequence[] sequences, int tokens) {
        int[] next = new int[sequences.length];
        for (Sequence sequence : sequences) {
            sequence.rewind();
        }
        long started = System.nanoTime();
        for (int t = 0; t < tokens; t++) {
            Arrays.fill(next, t);
            decoder.step(sequences, next, sequences.length);
        }
        return sequences.length * tokens * 1000 / ModelRunner.millisSince(started);
    }

    private static double prefill(Transformer decoder, Sequence sequence, int depth, int[] tokens, int count) {
        int most = tokens.length - depth;
        long started = System.nanoTime();
        for (int done = 0; done < count; done += most) {
            sequence.keep(depth);
            decoder.read(sequence, tokens, 0, Math.min(most, count - done), null);
        }
        return ModelRunner.millisSince(started) / 1000;
    }

    private static double decode(Transformer decoder, Sequence sequence, int depth, int[] tokens, int count) {
        sequence.keep(depth);
        long started = System.nanoTime();
        for (int done = 0; done < count; done++) {
            if (sequence.room() == 0) {
                sequence.keep(depth);
            }
            decoder.read(sequence, tokens, done % tokens.length, 1, null);
        }
        return ModelRunner.millisSince(started) / 1000;
    }

    /** The process's high-water mark from the kernel, or 0 where it does not tell. */
    private static long peakRssKib() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("VmHWM:")) {
                    return Long.parseLong(line.replaceAll("\\D", ""));
                }
            }
        } catch (IOException | NumberFormatException e) {
            return 0;
        }
        return 0;
    }
}
