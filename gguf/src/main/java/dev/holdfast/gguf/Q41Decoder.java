package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;

/** {@code f16 d, f16 m, 16 bytes of pairs (j, j + 16): w = d q + m}. */
record Q41Decoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int done = from; done < from + elements; done += 32, at += 20) {
            float d = LittleEndian.half(bytes, at);
            float m = LittleEndian.half(bytes, at + 2);
            for (int j = 0; j < 16; j++) {
                int pair = LittleEndian.unsigned(bytes, at + 4 + j);
                out[done + j] = d * (pair & 15) + m;
                out[done + j + 16] = d * (pair >> 4) + m;
            }
        }
    }
}
