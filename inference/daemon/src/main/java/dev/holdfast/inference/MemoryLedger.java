package dev.holdfast.inference;

import dev.holdfast.control.InferenceStatus;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.gate.HealthGate;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.HashMap;
import java.util.Map;

/**
 * Who has reserved how much of the memory for models. A model reserves its file before it is mapped, and the rest once its head was
 * read; what does not fit beside all others is refused. The file of several slots of one digest counts once, because its pages are
 * the same. Thread-safe: two models that would fit only one at a time never both get room.
 */
final class MemoryLedger {
    private static final long MIB = 1 << 20;

    /** A file that is mapped, or about to be. */
    private static final class File {
        private long bytes;
        private int shares;
    }

    private long budgetBytes;
    private final Map<Sha256, File> files = new HashMap<>();
    private long usedBytes;

    MemoryLedger(long budgetBytes) {
        this.budgetBytes = budgetBytes;
    }

    /** Another budget from now on; what has its room keeps it. */
    synchronized void budget(long bytes) {
        budgetBytes = bytes;
    }

    synchronized InferenceStatus.Memory status() {
        return new InferenceStatus.Memory(usedBytes, budgetBytes);
    }

    /** Room for the file of a model; {@code INS-MEMORY} where there is none. */
    synchronized Verdict<Share> reserve(Sha256 digest, long fileBytes) {
        File known = files.get(digest);
        long more = Math.max(0, fileBytes - (known == null ? 0 : known.bytes));
        if (more > budgetBytes - usedBytes) {
            return refused("its file alone", more, usedBytes);
        }
        File file = known == null ? new File() : known;
        files.put(digest, file);
        file.bytes += more;
        file.shares++;
        usedBytes += more;
        return Verdict.accepted(new Share(digest, file));
    }

    private <T> Verdict<T> refused(String what, long neededBytes, long othersBytes) {
        return Verdict.rejected(
                Code.INS_MEMORY,
                what + " needs " + mib(neededBytes) + " MiB, the models that are loaded take " + mib(othersBytes)
                        + " MiB, and the budget is " + budgetBytes / MIB + " MiB");
    }

    private static long mib(long bytes) {
        return bytes / MIB + (bytes % MIB == 0 ? 0 : 1);
    }

    /** What one loaded model has reserved, from before it is mapped until it is unmapped. */
    final class Share implements HealthGate.Admission {
        private final Sha256 digest;
        private final File file;
        private long heapBytes;
        private boolean released;

        private Share(Sha256 digest, File file) {
            this.digest = digest;
            this.file = file;
        }

        /** Reserves what the model takes beside its file. */
        @Override
        public Verdict<MemoryNeeds> admit(MemoryNeeds needs) {
            synchronized (MemoryLedger.this) {
                if (needs.heapBytes() > budgetBytes - usedBytes) {
                    long own = file.shares == 1 ? file.bytes : 0;
                    return refused("it", own + needs.heapBytes(), usedBytes - own);
                }
                heapBytes += needs.heapBytes();
                usedBytes += needs.heapBytes();
                return Verdict.accepted(needs);
            }
        }

        /** Gives everything back; once. */
        void release() {
            synchronized (MemoryLedger.this) {
                if (released) {
                    return;
                }
                released = true;
                usedBytes -= heapBytes;
                if (--file.shares == 0) {
                    usedBytes -= file.bytes;
                    files.remove(digest);
                }
            }
        }
    }
}
