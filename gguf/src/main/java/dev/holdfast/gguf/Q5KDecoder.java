package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;

/**
 * As {@link Q4KDecoder}, with 32 bytes of fifth bits before the pairs: bit {@code sub} of byte i belongs to weight i of
 * sub-block {@code sub}.
 */
record Q5KDecoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int done = from; done < from + elements; done += 256, at += 176) {
            float d = LittleEndian.half(bytes, at);
            float m = LittleEndian.half(bytes, at + 2);
            for (int sub = 0; sub < 8; sub++) {
                float scale = d * Q4KDecoder.scale(bytes, at + 4, sub);
                float minimum = m * Q4KDecoder.minimum(bytes, at + 4, sub);
                long pairs = at + 48 + 32 * (sub / 2);
                for (int i = 0; i < 32; i++) {
                    int low = LittleEndian.unsigned(bytes, pairs + i) >> 4 * (sub & 1) & 15;
                    int high = LittleEndian.unsigned(bytes, at + 16 + i) >> sub & 1;
                    out[done + 32 * sub + i] = scale * (low | high << 4) - minimum;
                }
            }
        }
    }
}
