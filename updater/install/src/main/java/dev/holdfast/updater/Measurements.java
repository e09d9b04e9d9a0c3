package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.SlotId;
import java.io.IOException;
import java.util.Set;

/**
 * The attestation log as the installer sees it: nothing serves before it is measured.
 *
 * <p>After a crash the installer may call {@link #beforeServe} again with the slot of the call before; one event is
 * then enough. Installs of different models call it in any order among each other. Thread-safe.
 */
public interface Measurements {
    /** Writes the write-ahead record, extends the register, appends and fsyncs the event. */
    void beforeServe(Slot slot) throws IOException, TeeException;

    /** The slot of the last {@link #beforeServe} of this model serves now: clears the write-ahead record. */
    void afterServe(String model) throws IOException, TeeException;

    /** Records that {@code slot} was taken out of service. {@link #beforeServe} of its successor follows. */
    void rolledBack(Slot slot) throws IOException, TeeException;

    /** Records that a model serves no more because an order dropped it; nothing where the log does not name it. */
    void retired(String model) throws IOException, TeeException;

    /** A release answers to its pinned name from now on, whatever else serves; nothing where the log names it so already. */
    void graced(Slot slot) throws IOException, TeeException;

    /** Records that it does so no more; nothing where the log does not name it so. */
    void graceEnded(SlotId slot) throws IOException, TeeException;

    /** The releases in their grace that the log names. */
    Set<SlotId> graces();

    /** The models that the log names. */
    Set<String> named();
}
