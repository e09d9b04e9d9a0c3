package dev.holdfast.bench;

import dev.holdfast.bench.InferencePart.Measured;
import dev.holdfast.bench.StreamedAnswer.Question;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** How long somebody waits for a first token while a long prompt of somebody else is read. */
record FirstToken() implements ServePart {
    private static final int LONG_PROMPT = 1_500;
    private static final int SMALL_PROMPT = 300;
    /** So that the long prompt is being read when the short one comes. */
    private static final int BEHIND_MILLIS = 100;

    @Override
    public String name() {
        return "first";
    }

    @Override
    public boolean isSpeed() {
        return false;
    }

    @Override
    public Measured measure(Scale scale) throws IOException, InterruptedException {
        int length = scale.smoke() ? SMALL_PROMPT : LONG_PROMPT;
        List<Double> idle = new ArrayList<>();
        List<Double> behind = new ArrayList<>();
        List<Double> whole = new ArrayList<>();
        try (ServedModel served = ServedModel.start(scale.model(), STREAMS, THREADS);
                ExecutorService other = Executors.newSingleThreadExecutor()) {
            Streams.warmUp(served.api(), new Question("x".repeat(length), 8), 1);
            for (int run = 0; run < 2 * scale.runs(); run++) {
                // Each prompt is a new one, so that none is read from what was kept.
                idle.add(millisToFirst(served, "first " + run, 1));
                // A letter is a token: no word of this vocabulary joins them.
                String prompt = run + "x".repeat(length);
                Future<Double> longOne = other.submit(() -> millisToFirst(served, prompt, 1));
                TimeUnit.MILLISECONDS.sleep(scale.smoke() ? 1 : BEHIND_MILLIS);
                behind.add(millisToFirst(served, "behind " + run, 1));
                whole.add(longOne.get());
            }
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        }
        double ratio = Streams.median(behind) / Streams.median(idle);
        return new Measured(
                ServePart.row(
                        "first token behind a prompt of " + length + " tokens of somebody else",
                        ServePart.format(
                                "%.0f ms, idle %.0f ms, %.1f times that; the long one's own %.0f ms",
                                Streams.median(behind), Streams.median(idle), ratio, Streams.median(whole)),
                        ServePart.goal("2 times", ratio <= 2)),
                List.of(ServePart.bar("first token", Streams.median(behind), Streams.median(idle))));
    }

    private static double millisToFirst(ServedModel served, String prompt, int tokens) throws IOException {
        StreamedAnswer answer = StreamedAnswer.ask(served.api(), new Question(prompt, tokens));
        if (answer.pieceNanos().length == 0) {
            throw new IOException("no token came");
        }
        return 1000 * answer.secondsToFirst();
    }
}
