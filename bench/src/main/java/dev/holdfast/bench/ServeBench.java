package dev.holdfast.bench;

import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.Slot;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The service as programs see it, over its socket from a process of its own: one stream and eight, the first token behind somebody
 * else's long prompt, and swaps under streams. The argument is the number of swaps; 100 without it.
 */
public final class ServeBench {
    private static final int THREADS = 2;
    private static final int STREAMS = 8;
    private static final int TOKENS = 128;
    private static final int RUNS = 5;
    /** A word of this vocabulary is spelled by its letters, each of them a token. */
    private static final int LONG_PROMPT = 1500;

    private ServeBench() {}

    /** Writes the section {@code serve}. */
    public static void main(String[] arguments) throws Exception {
        int swaps = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 100;
        StringBuilder rows = new StringBuilder();
        Path model = InferencePart.file(ShapedModel.SMOLLM2_135M, GgmlType.Q8_0);
        double decode = PeerEngine.OURS
                .bench(model, List.of("-p", "0", "-n", "" + TOKENS, "-t", "" + THREADS))
                .path("tg_tokens_per_second")
                .doubleValue();
        try (ServedModel served = ServedModel.start(model, STREAMS, THREADS)) {
            together(served, 1);
            row(rows, "one stream through the socket", streams(rows, served, decode));
            firstToken(rows, served);
        }
        swaps(rows, swaps);
        System.out.print(rows);
        PerformancePage.replace("serve", """
                `./dev bench serve [SWAPS]`, on %s. %s Q8_0 of random weights, two threads, load from another process over the socket; medians of %d runs.

                | what | figure | goal |
                |---|---|---|
                %s""".formatted(Machine.describe(), ShapedModel.SMOLLM2_135M, RUNS, rows));
    }

    private static void row(StringBuilder rows, String what, String figures) {
        rows.append("| ").append(what).append(" | ").append(figures).append(" |\n");
    }

    private static String streams(StringBuilder rows, ServedModel served, double decode) throws Exception {
        List<Double> one = new ArrayList<>();
        List<Double> clock = new ArrayList<>();
        List<Double> eight = new ArrayList<>();
        for (int run = 0; run < RUNS; run++) {
            one.add(StreamedAnswer.ask(served.api(), "a b c", TOKENS).perSecond());
            clock.add(together(served, 1));
            eight.add(together(served, STREAMS));
        }
        double ratio = median(eight) / median(clock);
        row(
                rows,
                STREAMS + " streams, tokens a second of all together by the clock",
                format("%.1f, %.2f times one stream", median(eight), ratio) + " | 2.5 times: "
                        + InferencePart.met(ratio >= 2.5));
        double share = median(one) / decode;
        return format("%.1f tokens a second, %.2f of `model bench` (%.1f)", median(one), share, decode) + " | 0.95: "
                + InferencePart.met(share >= 0.95);
    }

    /** Tokens a second of so many streams, from the first question to the last end. */
    private static double together(ServedModel served, int streams) throws Exception {
        long start = System.nanoTime();
        List<StreamedAnswer> answers = all(streams, () -> StreamedAnswer.ask(served.api(), "a b c", TOKENS));
        double seconds = (System.nanoTime() - start) / 1e9;
        if (answers.stream().anyMatch(answer -> !answer.whole())) {
            throw new IOException("an answer was cut");
        }
        return streams * TOKENS / seconds;
    }

    private static void firstToken(StringBuilder rows, ServedModel served) throws Exception {
        List<Double> idle = new ArrayList<>();
        List<Double> behind = new ArrayList<>();
        List<Double> whole = new ArrayList<>();
        for (int run = 0; run < 2 * RUNS; run++) {
            idle.add(StreamedAnswer.ask(served.api(), "first " + run, 1).secondsToFirst());
            // Each prompt is a new one, so that none is read from what was kept.
            String prompt = run + " x".repeat(LONG_PROMPT / 2);
            try (ExecutorService other = Executors.newVirtualThreadPerTaskExecutor()) {
                Future<StreamedAnswer> longOne = other.submit(() -> StreamedAnswer.ask(served.api(), prompt, 1));
                TimeUnit.MILLISECONDS.sleep(100);
                behind.add(StreamedAnswer.ask(served.api(), "behind " + run, 1).secondsToFirst());
                whole.add(longOne.get().secondsToFirst());
            }
        }
        double ratio = median(behind) / median(idle);
        row(
                rows,
                "time to the first token behind a prompt of " + LONG_PROMPT + " tokens",
                format(
                                "%.0f ms, idle %.0f ms, %.1f times that; the long one %.2f s",
                                1000 * median(behind), 1000 * median(idle), ratio, median(whole))
                        + " | 2 times: "
                        + InferencePart.met(ratio <= 2));
    }

    private static void swaps(StringBuilder rows, int swaps) throws Exception {
        Path first = Path.of("demo", "intent-1.0.0.gguf").toAbsolutePath();
        Path second = Path.of("demo", "intent-2.0.0.gguf").toAbsolutePath();
        AtomicBoolean over = new AtomicBoolean();
        try (ServedModel served = ServedModel.start(first, STREAMS + 1, THREADS);
                ExecutorService readers = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Double> quiet = gaps(all(STREAMS, () -> StreamedAnswer.ask(served.api(), "turn on", 400)));
            List<Future<List<StreamedAnswer>>> streams = new ArrayList<>();
            for (int i = 0; i < STREAMS; i++) {
                streams.add(readers.submit(() -> {
                    List<StreamedAnswer> answers = new ArrayList<>();
                    while (!over.get()) {
                        answers.add(StreamedAnswer.ask(served.api(), "turn on", 400));
                    }
                    return answers;
                }));
            }
            InferenceClient control = served.control();
            long before = 0;
            for (int i = 0; i < swaps; i++) {
                Slot slot = served.slot(i % 2 == 0 ? second : first, (i + 2) + ".0.0", i + 2);
                GateReport report = control.prepare(slot);
                Verdict<Flip> flip = control.flip(slot.slotId());
                if (!report.passed() || !flip.isAccepted()) {
                    throw new IOException("swap " + i + ": " + report.failure() + " " + flip);
                }
                before = i == Math.min(9, swaps - 1) ? served.anonymousKib() : before;
            }
            long after = served.anonymousKib();
            over.set(true);
            List<StreamedAnswer> answers = new ArrayList<>();
            for (Future<List<StreamedAnswer>> stream : streams) {
                answers.addAll(stream.get());
            }
            long cut = answers.stream().filter(answer -> !answer.whole()).count();
            long mixed = answers.stream()
                    .filter(answer -> answer.models().contains(","))
                    .count();
            double added = 1000 * (percentile(gaps(answers), 99) - percentile(quiet, 99));
            row(
                    rows,
                    swaps + " swaps under " + STREAMS + " streams",
                    format(
                                    "%d answers: %d cut, %d mixed; gap between tokens at p99 %.1f ms more than without",
                                    answers.size(), cut, mixed, added)
                            + " | none; 50 ms: " + InferencePart.met(cut == 0 && mixed == 0 && added <= 50));
            row(
                    rows,
                    "memory of the process alone, after the 10th swap and the last",
                    format("%d and %d MiB", before / 1024, after / 1024) + " | the same");
        }
    }

    private static <T> List<T> all(int times, Callable<T> work) throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<T>> pending = new ArrayList<>();
            for (int i = 0; i < times; i++) {
                pending.add(threads.submit(work));
            }
            List<T> done = new ArrayList<>();
            for (Future<T> each : pending) {
                done.add(each.get());
            }
            return done;
        }
    }

    /** Seconds between pieces of the same answer. */
    private static List<Double> gaps(List<StreamedAnswer> answers) {
        List<Double> gaps = new ArrayList<>();
        for (StreamedAnswer answer : answers) {
            long[] at = answer.eventNanos();
            for (int i = 1; i < at.length; i++) {
                gaps.add((at[i] - at[i - 1]) / 1e9);
            }
        }
        return gaps;
    }

    private static double median(List<Double> values) {
        return percentile(values, 50);
    }

    private static double percentile(List<Double> values, int percent) {
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return sorted.length == 0 ? Double.NaN : sorted[Math.min(sorted.length - 1, sorted.length * percent / 100)];
    }

    private static String format(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }
}
