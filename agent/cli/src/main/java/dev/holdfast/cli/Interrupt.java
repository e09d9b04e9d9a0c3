package dev.holdfast.cli;

import java.lang.reflect.Proxy;
import org.jspecify.annotations.Nullable;

/**
 * Ctrl-C while an answer comes ends the answer: it interrupts the thread that reads it. At any other time it ends the program, as ever.
 * The JDK has signals in {@code sun.misc} alone, which no warning-free source may name; where it has them no more, Ctrl-C ends the
 * program.
 */
final class Interrupt {
    /** 128 and the number of SIGINT, as shells say it. */
    private static final int EXIT = 130;

    private @Nullable Thread answering;
    private boolean came;

    private Interrupt() {}

    static Interrupt install() {
        Interrupt interrupt = new Interrupt();
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object ours = Proxy.newProxyInstance(
                    Interrupt.class.getClassLoader(), new Class<?>[] {handler}, (self, method, arguments) -> {
                        return switch (method.getName()) {
                            case "handle" -> {
                                interrupt.arrived();
                                yield null;
                            }
                            case "equals" -> self == arguments[0];
                            case "hashCode" -> System.identityHashCode(self);
                            default -> "interrupt";
                        };
                    });
            signal.getMethod("handle", signal, handler)
                    .invoke(null, signal.getConstructor(String.class).newInstance("INT"), ours);
        } catch (ReflectiveOperationException e) {
            // Then Ctrl-C does what it does without us.
        }
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
