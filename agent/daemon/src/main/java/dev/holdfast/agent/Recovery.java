package dev.holdfast.agent;

import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.util.function.Consumer;

/**
 * Finishes what the process before left: the pointer names verified releases, and the log what serves. Where the disk is full or the TEE
 * is away, it is tried again with each look. One thread.
 */
final class Recovery {
    private final UpdateParts parts;
    private final Consumer<Rejection> note;
    private boolean repaired;
    private boolean measured;

    /** @param note told of what could not be done */
    Recovery(UpdateParts parts, Consumer<Rejection> note) {
        this.parts = parts;
        this.note = note;
    }

    /** Whether anything is left to do; what serves is not measured while an install is between measurement and flip. */
    boolean isDone(boolean installing) {
        return repaired && (measured || installing);
    }

    /** False where the disk refuses it, and nothing may be carried out yet. */
    boolean run() {
        try {
            if (!repaired) {
                parts.installer().recover().ifPresent(note);
                repaired = true;
            }
            parts.measurements().ensure(parts.store().pointer());
            measured = true;
        } catch (IOException | TeeException e) {
            note.accept(Faults.reasonOf(e));
        }
        if (repaired) {
            parts.works().start();
        }
        return repaired;
    }

    static boolean isOfDisk(Rejection reason) {
        return reason.code() == Code.INS_DISK || reason.code() == Code.INS_STORAGE;
    }
}
