package dev.holdfast.updater;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/** What is free of the store's disk, and what installs under way set aside of it. Thread-safe. */
final class DiskSpace {
    private final LongSupplier usableBytes;
    private final Map<String, Long> reserved = new HashMap<>();

    DiskSpace(LongSupplier usableBytes) {
        this.usableBytes = usableBytes;
    }

    /**
     * Sets {@code bytes} more aside for an install of {@code model}, until it is released: {@code INS-DISK} where they do not fit
     * beside {@code keepFree}. What its partial files hold already is given as {@code present}; an install that writes nothing asks for
     * nothing.
     */
    synchronized Verdict<Long> reserve(String model, long bytes, long present, long keepFree) {
        long needed = Math.max(0, bytes - present);
        if (needed == 0) {
            reserved.remove(model);
            return Verdict.accepted(0L);
        }
        long usable = usableBytes.getAsLong();
        if (needed + keepFree > usable) {
            return Verdict.rejected(
                    Code.INS_DISK,
                    needed + " bytes and " + keepFree + " in reserve are needed, " + usable + " are free");
        }
        reserved.put(model, needed);
        return Verdict.accepted(needed);
    }

    /** Whether what is set aside for all installs still fits; where it does not, one of them waits for another's end. */
    synchronized boolean fits(long keepFree) {
        long sum = reserved.values().stream().mapToLong(Long::longValue).sum();
        return sum == 0 || sum + keepFree <= usableBytes.getAsLong();
    }

    /** The bytes that were set aside for {@code model} are on the disk now, or not wanted any more. */
    synchronized void release(String model) {
        reserved.remove(model);
    }
}
