package dev.holdfast.engine.architectures;

import static org.assertj.core.api.Assertions.fail;

import dev.holdfast.engine.LoadedModel;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;

/** What the engine makes of a file, beside what it should. */
final class Logits {
    private static final double TOLERANCE = 2e-4;
    private static final int CONTEXT = 128;

    private Logits() {}

    /** Reads the tokens in batches, alone and two sequences together; each must give the expected rows. */
    static void expect(double[][] expected, Path file, int[] tokens) {
        try (Workers workers = Workers.of(1);
                LoadedModel model = load(file, workers).orThrow()) {
            Transformer decoder = model.decoder().orThrow();
            Sequence whole = model.newSequence();
            decoder.read(whole, tokens, 0, tokens.length, (p, logits) -> compare(expected[p], logits, "token " + p));
            Sequence[] two = {model.newSequence(), model.newSequence()};
            for (int p = 0; p < tokens.length; p++) {
                decoder.step(two, new int[] {tokens[p], tokens[p]}, 2);
                compare(expected[p], two[1].logits, "together, token " + p);
            }
        } catch (RejectedException e) {
            throw new AssertionError(e);
        }
    }

    private static Verdict<LoadedModel> load(Path file, Workers workers) {
        return LoadedModel.load(file, workers, CONTEXT, CacheType.F32);
    }

    private static void compare(double[] expected, float[] logits, String which) {
        for (int i = 0; i < logits.length; i++) {
            // Not by AssertJ each: there are many. A number that is none is not near, either.
            if (!(Math.abs(logits[i] - expected[i]) < TOLERANCE)) {
                fail(which + ", logit " + i + " is " + logits[i] + ", not " + expected[i]);
            }
        }
    }

    /** The largest difference of any number. */
    static double distance(double[][] a, double[][] b) {
        double most = 0;
        for (int p = 0; p < a.length; p++) {
            for (int i = 0; i < a[p].length; i++) {
                most = Math.max(most, Math.abs(a[p][i] - b[p][i]));
            }
        }
        return most;
    }

    /** Why the engine refuses a file, which it must. */
    static Rejection refusal(Path file) {
        try (Workers workers = Workers.of(1)) {
            return switch (load(file, workers)) {
                case Verdict.Rejected<LoadedModel> rejected -> rejected.reason();
                case Verdict.Accepted<LoadedModel>(LoadedModel model) -> {
                    model.close();
                    yield fail("the file was accepted");
                }
            };
        }
    }
}
