package dev.holdfast.bench;

import dev.holdfast.bench.InferencePart.Measured;
import dev.holdfast.bench.StreamedAnswer.Question;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** What streams hear of swaps, one after the other without a pause: nothing lost, and little time. */
record Swaps() implements ServePart {
    private static final Question QUESTION = new Question("turn on", 400);
    /** After so many the process has what it needs. */
    private static final int WARM = 20;

    private static final double MOST_ADDED_MILLIS = 50;
    /** What the collector leaves for later differs from moment to moment. */
    private static final double SAME = 1.15;

    @Override
    public String name() {
        return "swaps";
    }

    @Override
    public boolean isSpeed() {
        return false;
    }

    @Override
    public Measured measure(Scale scale) throws IOException, InterruptedException {
        try (ServedModel served = ServedModel.start(ServedModel.demo("1.0.0"), STREAMS, THREADS)) {
            Streams.warmUp(served.api(), QUESTION, STREAMS);
            double quiet = Streams.percentile(Streams.gaps(Streams.together(served.api(), QUESTION, STREAMS)), 99);
            ServedModel.Held before;
            SwapLoad load = new SwapLoad(served, QUESTION, STREAMS, 0);
            long began = System.nanoTime();
            try (load) {
                for (int i = 0; i < WARM; i++) {
                    load.swap();
                }
                before = served.held();
                for (int i = WARM; i < scale.swaps(); i++) {
                    load.swap();
                }
            }
            double seconds = (System.nanoTime() - began) / 1e9;
            // The last model that was replaced is unmapped with its last answer.
            TimeUnit.SECONDS.sleep(1);
            ServedModel.Held after = served.held();
            SwapLoad.Outcome outcome = load.outcome();
            double swapping = Streams.percentile(load.gaps(), 99);
            double added = swapping - quiet;
            String rows = ServePart.row(
                            Math.max(scale.swaps(), WARM) + " swaps under " + STREAMS + " streams",
                            ServePart.format(
                                    "%d answers whole, %d dropped, %d cut, %d of two versions; %.0f s",
                                    outcome.whole(), outcome.refused(), outcome.cut(), outcome.mixed(), seconds),
                            ServePart.goal("none", outcome.clean()))
                    + ServePart.row(
                            "... gap between pieces, p99",
                            ServePart.format("%.1f ms, without swaps %.1f ms", swapping, quiet),
                            ServePart.goal("50 ms more", added <= MOST_ADDED_MILLIS))
                    + ServePart.row(
                            "... memory of the process alone, mappings, descriptors, after " + WARM + " and at the end",
                            ServePart.format(
                                    "%d and %d MiB, %d and %d, %d and %d",
                                    before.anonymousKib() / 1024,
                                    after.anonymousKib() / 1024,
                                    before.mappings(),
                                    after.mappings(),
                                    before.descriptors(),
                                    after.descriptors()),
                            ServePart.goal(
                                    "the same",
                                    after.anonymousKib() <= SAME * before.anonymousKib()
                                            && after.mappings() <= SAME * before.mappings()
                                            && after.descriptors() <= before.descriptors()));
            return new Measured(rows, List.of(ServePart.bar("gap p99, swaps", swapping, quiet)));
        }
    }
}
