package dev.holdfast.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.bench.StreamedAnswer.Question;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.ToLongFunction;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Streams that follow each other for half an hour ({@code -Dholdfast.serve.seconds}), a third of them hung up on, while the model is
 * swapped back and forth: nothing is dropped, and memory, mappings and descriptors stay flat.
 */
@Tag("soak")
class ServeSoakTest {
    private static final long SECONDS = Long.getLong("holdfast.serve.seconds", 1800);
    private static final int STREAMS = 6;
    private static final int CANCELLED_PERCENT = 33;
    private static final long SWAP_MILLIS = 500;
    /** What a JVM may still grow between the first third and the end: its code cache, its buffers. */
    private static final double FLAT = 1.15;

    @Test
    void nothingIsDroppedAndNothingGrows() throws Exception {
        List<ServedModel.Held> held = new ArrayList<>();
        int swaps = 0;
        try (ServedModel served = ServedModel.start(ServedModel.demo("1.0.0"), STREAMS, 2)) {
            SwapLoad load = new SwapLoad(served, new Question("turn on", 400), STREAMS, CANCELLED_PERCENT);
            try (load) {
                long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
                while (System.nanoTime() < end) {
                    load.swap();
                    swaps++;
                    TimeUnit.MILLISECONDS.sleep(SWAP_MILLIS);
                    held.add(served.held());
                }
            }
            SwapLoad.Outcome outcome = load.outcome();
            System.out.printf(
                    "soak of %d s: %d swaps, %s, at first %s, at the end %s%n",
                    SECONDS, swaps, outcome, held.getFirst(), held.getLast());
            assertThat(outcome.clean()).as(outcome.toString()).isTrue();
            assertThat(outcome.whole()).isGreaterThan(swaps);
            assertThat(outcome.cancelled()).isPositive();
        }
        assertFlat(held, "KiB of memory of the process alone", ServedModel.Held::anonymousKib);
        assertFlat(held, "mappings", ServedModel.Held::mappings);
        assertFlat(held, "descriptors", ServedModel.Held::descriptors);
    }

    /** The middle of the last third beside the middle of the first, whose beginning is start-up. */
    private static void assertFlat(List<ServedModel.Held> held, String what, ToLongFunction<ServedModel.Held> of) {
        List<Long> all = held.stream().map(each -> of.applyAsLong(each)).toList();
        int third = all.size() / 3;
        assertThat((double) median(all.subList(all.size() - third, all.size())))
                .as(what + ": " + all)
                .isLessThanOrEqualTo(FLAT * median(all.subList(third / 2, third + third / 2 + 1)));
    }

    private static long median(List<Long> values) {
        List<Long> sorted = values.stream().sorted().toList();
        return sorted.get(sorted.size() / 2);
    }
}
