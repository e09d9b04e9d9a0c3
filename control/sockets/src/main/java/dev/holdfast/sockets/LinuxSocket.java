package dev.holdfast.sockets;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the kernel knows of a socket and neither Netty nor the JDK tells. The numbers are Linux's generic ones (asm-generic/socket.h,
 * asm-generic/poll.h), which x86-64, aarch64 and riscv64 share. Where the C library cannot be called there are no supplementary groups,
 * and every end of a connection is its whole end. Thread-safe; the caller keeps the descriptor open.
 */
final class LinuxSocket {
    private static final int SOL_SOCKET = 1;
    private static final int SO_PEERGROUPS = 59;
    private static final short POLLERR = 0x8;
    private static final short POLLHUP = 0x10;
    /** NGROUPS_MAX. */
    private static final int MOST_GROUPS = 65_536;

    private static final int USUAL_GROUPS = 64;
    // struct pollfd: int fd; short events; short revents.
    private static final int POLLFD_BYTES = 8;
    private static final int POLLFD_REVENTS = 6;

    private record Calls(MethodHandle getsockopt, MethodHandle poll) {
        private static final @Nullable Calls LOADED = load();

        @SuppressWarnings("restricted")
        private static @Nullable Calls load() {
            try {
                Linker linker = Linker.nativeLinker();
                return new Calls(
                        linker.downcallHandle(
                                linker.defaultLookup().findOrThrow("getsockopt"),
                                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS)),
                        linker.downcallHandle(
                                linker.defaultLookup().findOrThrow("poll"),
                                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT)));
            } catch (RuntimeException | LinkageError e) {
                return null;
            }
        }
    }

    private LinuxSocket() {}

    /** Whether {@link #hungUp} can tell. */
    static boolean available() {
        return Calls.LOADED != null;
    }

    /** The supplementary groups of who connected, as they were then; none where the kernel does not tell (before Linux 4.13). */
    static List<Long> peerGroups(int descriptor) {
        Calls calls = Calls.LOADED;
        if (calls == null) {
            return List.of();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment length = arena.allocate(JAVA_INT);
            for (int room = USUAL_GROUPS; room <= MOST_GROUPS; room = MOST_GROUPS) {
                MemorySegment groups = arena.allocate(JAVA_INT, room);
                length.set(JAVA_INT, 0, (int) groups.byteSize());
                int failed = (int) calls.getsockopt.invokeExact(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups, length);
                if (failed == 0) {
                    List<Long> gids = new ArrayList<>();
                    for (int at = 0; at < length.get(JAVA_INT, 0); at += Integer.BYTES) {
                        gids.add(groups.get(JAVA_INT, at) & 0xffff_ffffL);
                    }
                    return gids;
                }
                if (room == MOST_GROUPS) {
                    break;
                }
            }
            return List.of();
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whether the peer takes no byte any more; one that only sends none (SHUT_WR) does. */
    static boolean hungUp(int descriptor) {
        Calls calls = Calls.LOADED;
        if (calls == null) {
            return true;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment asked = arena.allocate(POLLFD_BYTES, ValueLayout.JAVA_INT.byteAlignment());
            asked.set(JAVA_INT, 0, descriptor);
            int ready = (int) calls.poll.invokeExact(asked, 1L, 0);
            return ready != 0 && (asked.get(JAVA_SHORT, POLLFD_REVENTS) & (POLLERR | POLLHUP)) != 0;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
