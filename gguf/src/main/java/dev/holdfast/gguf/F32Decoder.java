package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;

/** Single-precision floats. */
record F32Decoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        MemorySegment.copy(bytes, LittleEndian.FLOAT, at, out, from, elements);
    }
}
