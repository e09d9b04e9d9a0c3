package dev.holdfast.tee;

import dev.holdfast.wire.Code;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The thread {@code tee}, on which native modules and slow kernel files are called. Neither can be interrupted: the caller gives up at
 * its deadline, and the thread waits on. Thread-safe.
 */
public final class TeeThread implements AutoCloseable {
    private final Duration deadline;
    private final ExecutorService tee = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("tee").factory());

    /** Runs on the thread. */
    @FunctionalInterface
    public interface Operation<T> {
        T run() throws TeeException;
    }

    public TeeThread(Duration deadline) {
        this.deadline = deadline;
    }

    /** Runs {@code operation} and waits for it, {@code deadline} at most. */
    public <T> T call(Operation<T> operation) throws TeeException {
        Future<T> future;
        try {
            future = tee.submit(operation::run);
        } catch (RejectedExecutionException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, "the bridge is closed", e);
        }
        try {
            return future.get(deadline.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case TeeException tee -> throw new TeeException(tee);
                case RuntimeException bug -> throw bug;
                case null, default -> throw new IllegalStateException(e);
            }
        } catch (TimeoutException e) {
            future.cancel(false);
            throw new TeeException(Code.TEE_UNAVAILABLE, "no answer within " + deadline, e);
        } catch (InterruptedException e) {
            future.cancel(false);
            Thread.currentThread().interrupt();
            throw new TeeException(Code.TEE_UNAVAILABLE, "interrupted while waiting", e);
        }
    }

    @Override
    public void close() {
        close(() -> {});
    }

    /** Runs {@code last} on the thread and ends it. */
    public void close(Runnable last) {
        if (tee.isShutdown()) {
            return;
        }
        tee.execute(last);
        tee.shutdown();
        try {
            tee.awaitTermination(deadline.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
