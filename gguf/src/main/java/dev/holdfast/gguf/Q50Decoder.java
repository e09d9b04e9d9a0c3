package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;

/** {@code f16 d, u32 of fifth bits, 16 bytes of pairs (j, j + 16): w = d (q - 16)}. */
record Q50Decoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int done = from; done < from + elements; done += 32, at += 22) {
            float d = LittleEndian.half(bytes, at);
            int high = bytes.get(LittleEndian.INT, at + 2);
            for (int j = 0; j < 16; j++) {
                int pair = LittleEndian.unsigned(bytes, at + 6 + j);
                out[done + j] = d * ((pair & 15 | (high >>> j & 1) << 4) - 16);
                out[done + j + 16] = d * ((pair >> 4 | (high >>> j + 16 & 1) << 4) - 16);
            }
        }
    }
}
