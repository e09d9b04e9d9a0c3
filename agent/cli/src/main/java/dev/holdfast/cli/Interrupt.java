package dev.holdfast.cli;

import dev.holdfast.control.Signals;
import org.jspecify.annotations.Nullable;

/**
 * Ctrl-C while an answer comes ends the answer: it interrupts the thread that reads it. At any other time it ends the program, as ever.
 */
final class Interrupt {
    /** 128 and the number of SIGINT, as shells say it. */
    private static final int EXIT = 130;

    private @Nullable Thread answering;
    private boolean came;

    private Interrupt() {}

    static Interrupt install() {
        Interrupt interrupt = new Interrupt();
        Signals.handle("INT", interrupt::arrived);
        return interrupt;
    }

    /** From now on Ctrl-C interrupts this thread. */
    synchronized void begin() {
        came = false;
        answering = Thread.currentThread();
    }

    /** Whether Ctrl-C came since {@link #begin}. */
    synchronized boolean end() {
        answering = null;
        Thread.interrupted();
        return came;
    }

    private void arrived() {
        synchronized (this) {
            if (answering != null) {
                came = true;
                answering.interrupt();
                return;
            }
        }
        System.exit(EXIT);
    }
}
