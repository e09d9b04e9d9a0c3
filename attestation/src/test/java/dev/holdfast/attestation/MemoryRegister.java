package dev.holdfast.attestation;

import dev.holdfast.tee.MeasurementRegister;
import dev.holdfast.wire.Sha256;

/** A register in memory, which outlives a log that is closed and opened again. */
final class MemoryRegister implements MeasurementRegister {
    private Sha256 value = Event.ZERO;
    private long resets = 1;

    /** The machine starts anew. */
    void reset() {
        value = Event.ZERO;
        resets++;
    }

    @Override
    public int index() {
        return 14;
    }

    @Override
    public Sha256 read() {
        return value;
    }

    @Override
    public void extend(Sha256 digest) {
        value = Event.extend(value, digest);
    }

    @Override
    public boolean resettable() {
        return false;
    }

    @Override
    public long resetCount() {
        return resets;
    }
}
