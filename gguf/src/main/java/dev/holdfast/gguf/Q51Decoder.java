package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;

/** {@code f16 d, f16 m, u32 of fifth bits, 16 bytes of pairs (j, j + 16): w = d q + m}. */
record Q51Decoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int done = from; done < from + elements; done += 32, at += 24) {
            float d = LittleEndian.half(bytes, at);
            float m = LittleEndian.half(bytes, at + 2);
            int high = bytes.get(LittleEndian.INT, at + 4);
            for (int j = 0; j < 16; j++) {
                int pair = LittleEndian.unsigned(bytes, at + 8 + j);
                out[done + j] = d * (pair & 15 | (high >>> j & 1) << 4) + m;
                out[done + j + 16] = d * (pair >> 4 | (high >>> j + 16 & 1) << 4) + m;
            }
        }
    }
}
