package dev.holdfast.control;

import java.time.Duration;
import java.util.List;

/**
 * What a process does when one of its threads ends by an exception that nobody caught: it says so, and where the thread was one that
 * has to live, it ends, so that the service manager starts it again. A process that goes on without such a thread looks well and does
 * nothing.
 */
public final class UncaughtExceptions {
    /** EX_SOFTWARE of sysexits.h. */
    public static final int EX_SOFTWARE = 70;

    /** For what a daemon closes; after that it ends all the same. */
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(15);

    private UncaughtExceptions() {}

    /**
     * Counts for all threads of the process from now on.
     *
     * @param vital how the names of threads begin that have to live; of the others it is only said that they ended
     */
    public static void endTheProcessFor(List<String> vital) {
        List<String> names = List.copyOf(vital);
        Thread.setDefaultUncaughtExceptionHandler((thread, failure) -> {
            boolean lives = names.stream().noneMatch(name -> thread.getName().startsWith(name));
            try {
                System.err.println("thread " + thread.getName() + " ended by an exception that nobody caught"
                        + (lives ? "" : "; the process cannot go on without it and ends, code " + EX_SOFTWARE));
                failure.printStackTrace();
            } finally {
                if (!lives) {
                    end();
                }
            }
        });
    }

    private static void end() {
        try {
            Thread.ofPlatform().daemon().name("end-limit").start(() -> {
                try {
                    Thread.sleep(CLOSE_LIMIT);
                } catch (InterruptedException e) {
                    // Then at once.
                }
                Runtime.getRuntime().halt(EX_SOFTWARE);
            });
            // Not on this thread: closing a daemon may wait for the very thread that has ended.
            Thread.ofPlatform().name("end").start(() -> System.exit(EX_SOFTWARE));
        } catch (Throwable e) {
            // No thread can be made: nothing can be closed either.
            Runtime.getRuntime().halt(EX_SOFTWARE);
        }
    }
}
