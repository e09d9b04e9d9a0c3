package dev.holdfast.control;

import java.lang.reflect.Proxy;

/**
 * What a process does when a signal comes. The JDK has signals in {@code sun.misc} alone, which no warning-free source may name; where it
 * has them no more, a signal does what it does without us.
 */
public final class Signals {
    private Signals() {}

    /**
     * Runs {@code action} on a thread of the JDK's for each signal, one after the other.
     *
     * @param name without {@code SIG}: {@code INT}, {@code HUP}
     */
    public static void handle(String name, Runnable action) {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object ours = Proxy.newProxyInstance(
                    Signals.class.getClassLoader(), new Class<?>[] {handler}, (self, method, arguments) -> {
                        return switch (method.getName()) {
                            case "handle" -> {
                                action.run();
                                yield null;
                            }
                            case "equals" -> self == arguments[0];
                            case "hashCode" -> System.identityHashCode(self);
                            default -> "SIG" + name;
                        };
                    });
            signal.getMethod("handle", signal, handler)
                    .invoke(null, signal.getConstructor(String.class).newInstance(name), ours);
        } catch (ReflectiveOperationException e) {
            // As if we had not asked.
        }
    }
}
