package dev.holdfast.control;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Sends datagrams to a Unix socket, as sd_notify(3) and the journal take them: the JDK has Unix sockets for streams alone, so the C library
 * sends. The numbers are Linux's generic ones, which x86-64, aarch64 and riscv64 share. One descriptor for each message: it costs some
 * microseconds, and a receiver that was started anew is found again. Thread-safe.
 *
 * <pre>
 * struct sockaddr_un: sun_family (2 bytes), sun_path (108); an abstract name begins with a zero byte and ends with the length
 * </pre>
 */
public final class UnixDatagram {
    private static final short AF_UNIX = 1;
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_CLOEXEC = 0x80000;
    /** MSG_NOSIGNAL, MSG_DONTWAIT: a receiver that takes nothing must hold up nobody here. */
    private static final int FLAGS = 0x4000 | 0x40;

    private static final int EAGAIN = 11;

    private static final int PATH_AT = Short.BYTES;
    private static final int PATH_BYTES = 108;

    private static final StructLayout CAPTURED = Linker.Option.captureStateLayout();
    private static final long ERRNO_AT = CAPTURED.byteOffset(MemoryLayout.PathElement.groupElement("errno"));

    private record Calls(MethodHandle socket, MethodHandle sendto, MethodHandle close) {
        private static final @Nullable Calls LOADED = load();

        @SuppressWarnings("restricted")
        private static @Nullable Calls load() {
            try {
                Linker linker = Linker.nativeLinker();
                Linker.Option errno = Linker.Option.captureCallState("errno");
                return new Calls(
                        linker.downcallHandle(
                                linker.defaultLookup().findOrThrow("socket"),
                                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT),
                                errno),
                        linker.downcallHandle(
                                linker.defaultLookup().findOrThrow("sendto"),
                                FunctionDescriptor.of(
                                        JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT),
                                errno),
                        linker.downcallHandle(
                                linker.defaultLookup().findOrThrow("close"),
                                FunctionDescriptor.of(JAVA_INT, JAVA_INT)));
            } catch (RuntimeException | LinkageError e) {
                return null;
            }
        }
    }

    private final byte[] name;

    /**
     * Opens nothing yet.
     *
     * @param address a path, or an abstract name with {@code @} before it, as in {@code NOTIFY_SOCKET}
     * @throws IOException where it is neither, such as {@code vsock:}, or too long
     */
    public UnixDatagram(String address) throws IOException {
        byte[] bytes = address.getBytes(StandardCharsets.UTF_8);
        boolean isAbstract = address.startsWith("@");
        if (!isAbstract && !address.startsWith("/")) {
            throw new IOException("it is neither a path nor an abstract name: " + address);
        }
        if (bytes.length < 2 || bytes.length > (isAbstract ? PATH_BYTES : PATH_BYTES - 1)) {
            throw new IOException("a socket's name has 1 to " + (PATH_BYTES - 1) + " bytes: " + address);
        }
        if (isAbstract) {
            bytes[0] = 0;
        }
        this.name = bytes;
    }

    /**
     * Sends without waiting.
     *
     * @return false where the receiver's queue is full; the message is not sent
     * @throws IOException where nobody takes it
     */
    public boolean send(byte[] message) throws IOException {
        Calls calls = Calls.LOADED;
        if (calls == null) {
            throw new IOException("the C library cannot be called");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment captured = arena.allocate(CAPTURED);
            int descriptor = (int) calls.socket.invokeExact(captured, (int) AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            if (descriptor < 0) {
                throw failed("socket", captured);
            }
            try {
                MemorySegment address = arena.allocate(PATH_AT + PATH_BYTES, Short.BYTES);
                address.set(JAVA_SHORT, 0, AF_UNIX);
                MemorySegment.copy(name, 0, address, JAVA_BYTE, PATH_AT, name.length);
                // Of a path the zero byte after it counts, of an abstract name every byte that is named.
                int length = PATH_AT + name.length + (name[0] == 0 ? 0 : 1);
                MemorySegment bytes = arena.allocateFrom(JAVA_BYTE, message);
                long sent = (long) calls.sendto.invokeExact(
                        captured, descriptor, bytes, (long) message.length, FLAGS, address, length);
                if (sent == message.length) {
                    return true;
                }
                if (captured.get(JAVA_INT, ERRNO_AT) == EAGAIN) {
                    return false;
                }
                throw failed("sendto", captured);
            } finally {
                int ignored = (int) calls.close.invokeExact(descriptor);
            }
        } catch (IOException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static IOException failed(String call, MemorySegment captured) {
        return new IOException(call + " failed, errno " + captured.get(JAVA_INT, ERRNO_AT));
    }
}
