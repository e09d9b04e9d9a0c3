package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;

/** IEEE 754 half-precision floats. */
record F16Decoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int i = 0; i < elements; i++) {
            out[from + i] = LittleEndian.half(bytes, at + 2L * i);
        }
    }
}
