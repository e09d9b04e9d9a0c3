package dev.holdfast.tee;

/** Counts up by one and never back, across power cuts. A {@link Provisioner} makes it; nothing else does. */
public interface MonotonicCounter {
    /**
     * Where the counter is; it begins anywhere.
     *
     * @throws TeeException {@code TEE-STATE} where there is none, or another one than provisioning made
     */
    long read() throws TeeException;

    /** Moves the counter up to {@code value} in single steps; does nothing when it is there already. */
    void advanceTo(long value) throws TeeException;

    /**
     * What a record that is bound to this counter names, so that a counter of a weaker kind cannot take its place; empty where
     * there is only one kind. At most 128 characters.
     */
    default String identity() throws TeeException {
        return "";
    }
}
