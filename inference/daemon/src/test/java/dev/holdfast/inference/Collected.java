package dev.holdfast.inference;

import dev.holdfast.control.Slot;
import dev.holdfast.engine.Finish;
import dev.holdfast.engine.Usage;
import dev.holdfast.wire.Rejection;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Collects an answer. */
class Collected implements AnswerListener {
    private final StringBuilder text = new StringBuilder();
    private final CompletableFuture<String> done = new CompletableFuture<>();
    final CountDownLatch first = new CountDownLatch(1);
    volatile @Nullable Slot model;
    volatile @Nullable Rejection failure;
    volatile @Nullable Finish finish;
    volatile int promptTokens;
    volatile int tokens;
    volatile int cachedTokens;
    volatile boolean cancelled;

    @Override
    public void pinned(Slot model) {
        this.model = model;
    }

    @Override
    public void begun() {
        first.countDown();
    }

    @Override
    public boolean text(String delta) {
        text.append(delta);
        return true;
    }

    @Override
    public void chosen(Usage usage, Finish finish) {
        promptTokens = usage.promptTokens();
        tokens = usage.completionTokens();
        cachedTokens = usage.cachedTokens();
        this.finish = finish;
    }

    @Override
    public void finished() {
        done.complete(text.toString());
    }

    @Override
    public void failed(Rejection why) {
        failure = why;
        done.complete("");
    }

    @Override
    public boolean cancelled() {
        return cancelled;
    }

    String await() throws Exception {
        return done.get(20, TimeUnit.SECONDS);
    }
}
