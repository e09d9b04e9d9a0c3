package dev.holdfast.tee;

/** Counts up by one and never back, across power cuts. */
public interface MonotonicCounter {
    /** How far the counter has moved since provisioning; 0 at first. */
    long read() throws TeeException;

    /** Moves the counter up to {@code value} in single steps; does nothing when it is there already. */
    void advanceTo(long value) throws TeeException;
}
