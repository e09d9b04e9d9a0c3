package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;

/** The upper halves of single-precision floats. */
record Bf16Decoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int i = 0; i < elements; i++) {
            out[from + i] = Float.intBitsToFloat(bytes.get(LittleEndian.SHORT, at + 2L * i) << 16);
        }
    }
}
