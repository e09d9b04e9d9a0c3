package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Rejection;
import java.io.IOException;

/**
 * The attestation log as the installer sees it: nothing serves before it is measured.
 *
 * <p>After a crash the installer may call {@link #beforeServe} again with the slot of the call before; one event is
 * then enough.
 */
public interface Measurements {
    /** Writes the write-ahead record, extends the register, appends and fsyncs the event. */
    void beforeServe(Slot slot) throws IOException, TeeException;

    /** The slot of the last {@link #beforeServe} serves now: clears the write-ahead record. */
    void afterServe() throws IOException, TeeException;

    /** Records that {@code slot} was taken out of service and why. {@link #beforeServe} of its successor follows. */
    void rolledBack(Slot slot, Rejection reason) throws IOException, TeeException;
}
