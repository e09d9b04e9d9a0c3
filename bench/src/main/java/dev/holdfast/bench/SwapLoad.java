package dev.holdfast.bench;

import dev.holdfast.bench.StreamedAnswer.Question;
import dev.holdfast.control.Flip;
import dev.holdfast.control.GateReport;
import dev.holdfast.control.InferenceClient;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/** Streams that follow each other on a served model while it is swapped back and forth, and what became of them. Thread-safe. */
final class SwapLoad implements AutoCloseable {
    private static final int PIECES_OF_CANCELLED = 20;

    /**
     * What became of answers.
     *
     * @param refused had no answer
     * @param cut had no whole one
     * @param mixed named two versions
     * @param cancelled the client hung up, as it meant to
     */
    record Outcome(int whole, int refused, int cut, int mixed, int cancelled) {
        boolean clean() {
            return refused == 0 && cut == 0 && mixed == 0;
        }
    }

    private final ServedModel served;
    private final Question question;
    private final int cancelledPercent;
    private final Path[] models = {ServedModel.demo("1.0.0"), ServedModel.demo("2.0.0")};
    private final List<Thread> streams = new ArrayList<>();
    private final List<Double> gaps = new ArrayList<>();
    private int whole;
    private int refused;
    private int cut;
    private int mixed;
    private int cancelled;
    private int swaps;
    private volatile boolean over;

    /**
     * Starts the streams.
     *
     * @param served the demo's model 1.0.0
     * @param cancelledPercent of the answers that are hung up on in the middle
     */
    SwapLoad(ServedModel served, Question question, int count, int cancelledPercent) {
        this.served = served;
        this.question = question;
        this.cancelledPercent = cancelledPercent;
        for (int i = 0; i < count; i++) {
            streams.add(Thread.ofPlatform().name("stream-" + i).start(this::run));
        }
    }

    private void run() {
        while (!over) {
            boolean cancel = ThreadLocalRandom.current().nextInt(100) < cancelledPercent;
            try {
                note(
                        StreamedAnswer.ask(served.api(), question, cancel ? PIECES_OF_CANCELLED : Integer.MAX_VALUE),
                        cancel);
            } catch (IOException e) {
                refused();
            }
        }
    }

    private synchronized void note(StreamedAnswer answer, boolean wasCancelled) {
        gaps.addAll(Streams.gaps(List.of(answer)));
        mixed += answer.isMixed() ? 1 : 0;
        if (wasCancelled) {
            cancelled++;
        } else if (answer.whole()) {
            whole++;
        } else {
            cut++;
        }
    }

    private synchronized void refused() {
        refused++;
    }

    /** Loads the other model beside the one that serves, and lets it serve. */
    void swap() throws IOException {
        swaps++;
        InferenceClient control = served.control();
        Slot slot = served.slot(models[swaps % 2], (swaps + 1) + ".0.0", swaps + 1);
        GateReport report = control.prepare(slot);
        Verdict<Flip> flip = control.flip(slot.slotId());
        if (!report.passed() || !flip.isAccepted()) {
            throw new IOException("swap " + swaps + ": " + report.failure() + " " + flip);
        }
    }

    /** So far. */
    synchronized Outcome outcome() {
        return new Outcome(whole, refused, cut, mixed, cancelled);
    }

    /** Milliseconds between pieces, of all answers so far. */
    synchronized List<Double> gaps() {
        return List.copyOf(gaps);
    }

    /** Lets the answers that run come to their end. */
    @Override
    public void close() {
        over = true;
        try {
            for (Thread each : streams) {
                each.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
