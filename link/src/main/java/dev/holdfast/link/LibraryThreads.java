package dev.holdfast.link;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The threads of one connection's client library: reader, sender, callbacks, and those that connect, ping and disconnect. They end with
 * the connection, and one that ends by an exception is told of. Thread-safe.
 */
final class LibraryThreads extends ScheduledThreadPoolExecutor {
    private static final int THREADS = 6;
    private static final long BEGIN_MILLIS = 100;

    private final Consumer<Throwable> died;

    LibraryThreads(Consumer<Throwable> died) {
        super(THREADS, Thread.ofPlatform().name("link-library-", 0).daemon().factory());
        this.died = died;
        setRemoveOnCancelPolicy(true);
    }

    /**
     * Returns when the task has begun. The library asks once whether it has, and then only each 100 ms, three times for each
     * connection.
     */
    @Override
    public Future<?> submit(Runnable task) {
        CountDownLatch begun = new CountDownLatch(1);
        Future<?> future = super.submit(() -> {
            begun.countDown();
            task.run();
        });
        try {
            if (begun.await(BEGIN_MILLIS, TimeUnit.MILLISECONDS)) {
                // The task says so itself, in its first lines.
                TimeUnit.MILLISECONDS.sleep(1);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (isShutdown()) {
            // The task may have ended by now, or never begin: whoever waits for it to run would do so for ever.
            throw new RejectedExecutionException("the connection has ended");
        }
        return future;
    }

    @Override
    protected void afterExecute(Runnable task, @Nullable Throwable thrown) {
        super.afterExecute(task, thrown);
        Throwable cause = thrown;
        if (cause == null && task instanceof Future<?> future && future.isDone()) {
            try {
                future.get();
            } catch (ExecutionException e) {
                cause = e.getCause();
            } catch (CancellationException e) {
                return;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        if (cause != null) {
            died.accept(cause);
        }
    }
}
