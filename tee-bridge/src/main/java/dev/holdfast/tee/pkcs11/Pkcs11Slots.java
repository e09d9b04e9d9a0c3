package dev.holdfast.tee.pkcs11;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds a token by its label, which the JDK's provider cannot: it takes slot numbers, and those change. Four calls of PKCS
 * #11 2.40 (section 5) through the module's function list, on 64-bit Linux, where CK_ULONG has 8 bytes and structures
 * have their natural alignment. Not for two threads at once.
 *
 * <pre>
 * CK_FUNCTION_LIST   0 version   8 + 8 i  function i: 0 C_Initialize, 1 C_Finalize, 4 C_GetSlotList, 6 C_GetTokenInfo
 * CK_TOKEN_INFO      0 label (32)  32 manufacturer (32)  64 model (16)  80 serial (16)  96 flags (8)  ... 208 bytes
 * </pre>
 */
final class Pkcs11Slots {
    private static final long OK = 0;
    private static final long CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191;
    private static final int INITIALIZE = 0;
    private static final int FINALIZE = 1;
    private static final int GET_SLOT_LIST = 4;
    private static final int GET_TOKEN_INFO = 6;
    private static final int FUNCTIONS = 7;
    private static final int TOKEN_INFO_BYTES = 208;
    private static final int MAX_SLOTS = 256;
    private static final byte TOKEN_PRESENT = 1;

    /** CK_TOKEN_INFO.flags. */
    static final long USER_PIN_FINAL_TRY = 0x20000;

    static final long USER_PIN_LOCKED = 0x40000;

    /** A slot with a token in it. */
    record Slot(long id, String label, String manufacturer, String model, String serial, long flags) {}

    private final Path module;
    private final MemorySegment functions;

    private Pkcs11Slots(Path module, MemorySegment functions) {
        this.module = module;
        this.functions = functions;
    }

    /** The one token called {@code label}. {@code TEE-UNAVAILABLE} where module or token is not there. */
    static Slot find(Path module, String label) throws TeeException {
        Pkcs11Slots slots = load(module);
        long began = slots.call(INITIALIZE, MemorySegment.NULL);
        // Somebody in this process uses the module already, and goes on using it.
        boolean inUse = began == CKR_CRYPTOKI_ALREADY_INITIALIZED;
        if (began != OK && !inUse) {
            throw slots.failed("C_Initialize", began);
        }
        try {
            List<Slot> found = slots.list().stream()
                    .filter(slot -> slot.label().equals(label))
                    .toList();
            if (found.size() != 1) {
                throw new TeeException(
                        found.isEmpty() ? Code.TEE_UNAVAILABLE : Code.TEE_REFUSED,
                        found.size() + " tokens are called " + label + " in " + module);
            }
            return found.get(0);
        } finally {
            if (!inUse) {
                slots.call(FINALIZE, MemorySegment.NULL);
            }
        }
    }

    @SuppressWarnings("restricted")
    private static Pkcs11Slots load(Path module) throws TeeException {
        try (Arena arena = Arena.ofConfined()) {
            // Never unloaded: the JDK's provider does not unload a module either.
            MemorySegment entry = SymbolLookup.libraryLookup(module, Arena.global())
                    .find("C_GetFunctionList")
                    .orElseThrow(() -> new TeeException(Code.TEE_UNAVAILABLE, module + " is not a PKCS #11 module"));
            MemorySegment out = arena.allocate(ADDRESS);
            long result = (long) Linker.nativeLinker()
                    .downcallHandle(entry, FunctionDescriptor.of(JAVA_LONG, ADDRESS))
                    .invokeExact(out);
            if (result != OK || out.get(ADDRESS, 0).equals(MemorySegment.NULL)) {
                throw new TeeException(Code.TEE_UNAVAILABLE, module + " has no function list");
            }
            return new Pkcs11Slots(
                    module, out.get(ADDRESS, 0).reinterpret(ADDRESS.byteSize() + FUNCTIONS * ADDRESS.byteSize()));
        } catch (TeeException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw new TeeException(Code.TEE_UNAVAILABLE, module + " cannot be loaded", e);
        } catch (Throwable e) {
            throw fault(e);
        }
    }

    private List<Slot> list() throws TeeException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment count = arena.allocate(JAVA_LONG);
            // The first call refreshes the module's own list and says how long it is.
            require("C_GetSlotList", call(GET_SLOT_LIST, TOKEN_PRESENT, MemorySegment.NULL, count));
            count.set(JAVA_LONG, 0, MAX_SLOTS);
            MemorySegment ids = arena.allocate(JAVA_LONG, MAX_SLOTS);
            require("C_GetSlotList", call(GET_SLOT_LIST, TOKEN_PRESENT, ids, count));
            long present = Math.clamp(count.get(JAVA_LONG, 0), 0, MAX_SLOTS);
            List<Slot> slots = new ArrayList<>();
            for (long i = 0; i < present; i++) {
                long id = ids.getAtIndex(JAVA_LONG, i);
                MemorySegment info = arena.allocate(TOKEN_INFO_BYTES, JAVA_LONG.byteAlignment());
                if (call(GET_TOKEN_INFO, id, info) == OK) { // It can have been pulled out just now.
                    slots.add(new Slot(
                            id,
                            text(info, 0, 32),
                            text(info, 32, 32),
                            text(info, 64, 16),
                            text(info, 80, 16),
                            info.get(JAVA_LONG, 96)));
                }
            }
            return slots;
        }
    }

    /** Padded with blanks, not terminated; tpm2-pkcs11 pads the model with zero bytes. */
    private static String text(MemorySegment info, long offset, int length) {
        byte[] bytes = info.asSlice(offset, length).toArray(JAVA_BYTE);
        return new String(bytes, StandardCharsets.UTF_8).replace('\0', ' ').strip();
    }

    @SuppressWarnings("restricted")
    private long call(int function, Object... arguments) throws TeeException {
        MemoryLayout[] layouts = new MemoryLayout[arguments.length];
        for (int i = 0; i < arguments.length; i++) {
            layouts[i] = switch (arguments[i]) {
                case Long _ -> JAVA_LONG;
                case Byte _ -> JAVA_BYTE;
                default -> ADDRESS;
            };
        }
        MemorySegment address = functions.get(ADDRESS, ADDRESS.byteSize() * (1 + function));
        MethodHandle handle = Linker.nativeLinker().downcallHandle(address, FunctionDescriptor.of(JAVA_LONG, layouts));
        try {
            return (long) handle.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw fault(e);
        }
    }

    private void require(String what, long result) throws TeeException {
        if (result != OK) {
            throw failed(what, result);
        }
    }

    private TeeException failed(String what, long result) {
        return new TeeException(
                Code.TEE_UNAVAILABLE, what + " of " + module + " answers 0x" + Long.toHexString(result));
    }

    private static IllegalStateException fault(Throwable e) {
        return new IllegalStateException("native call", e);
    }
}
