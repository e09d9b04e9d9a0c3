package dev.holdfast.bench;

import dev.holdfast.bench.StreamedAnswer.Question;
import java.io.IOException;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Several streamed answers at once, and what their pieces say. */
final class Streams {
    private static final int WARM_UP_ROUNDS = 4;

    private Streams() {}

    /** Asks so many times at once, and waits for all. */
    static List<StreamedAnswer> together(SocketAddress address, Question question, int streams)
            throws IOException, InterruptedException {
        return all(streams, () -> StreamedAnswer.ask(address, question));
    }

    /** Asks until the compilers of both sides have seen what is measured. */
    static void warmUp(SocketAddress address, Question question, int streams) throws IOException, InterruptedException {
        for (int round = 0; round < WARM_UP_ROUNDS; round++) {
            together(address, question, streams);
        }
    }

    /** Tokens a second of all together, from the first question to the last end. */
    static double perSecond(SocketAddress address, Question question, int streams)
            throws IOException, InterruptedException {
        long start = System.nanoTime();
        List<StreamedAnswer> answers = together(address, question, streams);
        double seconds = (System.nanoTime() - start) / 1e9;
        if (!answers.stream().allMatch(StreamedAnswer::whole)) {
            throw new IOException("an answer was cut");
        }
        return streams * question.tokens() / seconds;
    }

    static <T> List<T> all(int times, Callable<T> work) throws IOException, InterruptedException {
        try (ExecutorService threads =
                Executors.newThreadPerTaskExecutor(Thread.ofPlatform().factory())) {
            List<Future<T>> pending = new ArrayList<>();
            for (int i = 0; i < times; i++) {
                pending.add(threads.submit(work));
            }
            List<T> done = new ArrayList<>();
            for (Future<T> each : pending) {
                done.add(each.get());
            }
            return done;
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        }
    }

    /** Milliseconds between pieces of the same answer. */
    static List<Double> gaps(List<StreamedAnswer> answers) {
        List<Double> gaps = new ArrayList<>();
        for (StreamedAnswer answer : answers) {
            long[] at = answer.pieceNanos();
            for (int i = 1; i < at.length; i++) {
                gaps.add((at[i] - at[i - 1]) / 1e6);
            }
        }
        return gaps;
    }

    static double median(List<Double> values) {
        return percentile(values, 50);
    }

    /** By the nearest rank; not a number where there is none. */
    static double percentile(List<Double> values, int percent) {
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        int rank = (int) Math.ceil(sorted.length * percent / 100.0);
        return sorted.length == 0 ? Double.NaN : sorted[Math.max(rank, 1) - 1];
    }
}
