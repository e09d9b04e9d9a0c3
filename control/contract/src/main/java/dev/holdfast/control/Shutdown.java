package dev.holdfast.control;

import dev.holdfast.wire.FailureText;
import java.util.concurrent.CountDownLatch;

/** How a daemon's process waits for its end. */
public final class Shutdown {
    private Shutdown() {}

    /** Returns never: closes {@code daemon} when the process is told to end, by SIGTERM or Ctrl-C. */
    public static void await(AutoCloseable daemon) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(1);
        Runtime.getRuntime()
                .addShutdownHook(Thread.ofPlatform().name("shutdown").unstarted(() -> {
                    try {
                        daemon.close();
                    } catch (Exception e) {
                        System.err.println("shutdown: " + FailureText.of(e));
                    }
                    done.countDown();
                }));
        done.await();
    }
}
