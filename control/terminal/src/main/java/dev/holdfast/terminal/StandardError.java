package dev.holdfast.terminal;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The standard error that the launcher kept aside. A JVM with the Vector API greets every user with a warning about it before it comes to
 * any code of ours, and has no switch for that: so the launcher starts it with standard error closed and the real one as another
 * descriptor, and this puts it back. What the JVM itself says of its start goes to standard output meanwhile.
 */
final class StandardError {
    /** Its value is the descriptor. */
    private static final String PROPERTY = "holdfast.stderr";

    private static final int STDERR = 2;

    private StandardError() {}

    @SuppressWarnings("restricted") // dup2 and close, with numbers alone
    static void restore() {
        String kept = System.getProperty(PROPERTY, "");
        if (!kept.matches("[3-9]")) {
            return;
        }
        Linker linker = Linker.nativeLinker();
        FunctionDescriptor twoNumbers =
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
        MethodHandle dup2 =
                linker.downcallHandle(linker.defaultLookup().find("dup2").orElseThrow(), twoNumbers);
        MethodHandle close = linker.downcallHandle(
                linker.defaultLookup().find("close").orElseThrow(),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        int descriptor = Integer.parseInt(kept);
        try {
            int _ = (int) dup2.invokeExact(descriptor, STDERR);
            int _ = (int) close.invokeExact(descriptor);
        } catch (Throwable e) {
            throw new AssertionError("dup2(2)", e);
        }
    }
}
