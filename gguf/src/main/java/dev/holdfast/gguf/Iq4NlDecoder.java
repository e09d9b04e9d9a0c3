package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;

/** {@code f16 d, 16 bytes of pairs (j, j + 16): w = d VALUES[q]}; the values are closer around zero. */
record Iq4NlDecoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int done = from; done < from + elements; done += 32, at += 18) {
            float d = LittleEndian.half(bytes, at);
            for (int j = 0; j < 16; j++) {
                int pair = LittleEndian.unsigned(bytes, at + 2 + j);
                out[done + j] = d * SmallBlocks.VALUES[pair & 15];
                out[done + j + 16] = d * SmallBlocks.VALUES[pair >> 4];
            }
        }
    }
}
