package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.tee.TeeBridge;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.function.Function;

/** Rough figures for the notes; the bounds only catch a hundredfold loss. */
final class Speed {
    private static final int ROUNDS = 100;

    private Speed() {}

    static void bareQuote(TeeBridge bridge) throws Exception {
        System.out.println("bare quote: median "
                + medianMicros(() -> bridge.quoter().orElseThrow().quote(Models.NONCE)) + " us");
    }

    static void report(String name, Attester attester, Function<byte[], Appraisal> appraise) throws Exception {
        long attest = medianMicros(() -> attester.attest(Models.NONCE));
        byte[] evidence = attester.attest(Models.NONCE);
        long appraisal = medianMicros(() -> appraise.apply(evidence));
        System.out.println(name + ": evidence of " + evidence.length + " bytes, median " + attest + " us; appraisal "
                + appraisal + " us (" + 1_000_000 / Math.max(1, appraisal) + "/s on one core)");
        assertThat(attest).isLessThan(2_000_000);
        assertThat(appraisal).isLessThan(500_000);
    }

    private static long medianMicros(Callable<?> work) throws Exception {
        long[] times = new long[ROUNDS];
        for (int i = 0; i < 2 * ROUNDS; i++) {
            long start = System.nanoTime();
            work.call();
            times[i % ROUNDS] = (System.nanoTime() - start) / 1000;
        }
        Arrays.sort(times);
        return times[ROUNDS / 2];
    }
}
