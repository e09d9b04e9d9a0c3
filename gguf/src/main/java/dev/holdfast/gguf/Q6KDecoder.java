package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * {@code 128 bytes of low halves, 64 of upper pairs of bits, 16 signed scales s, f16 d: w = d s (q - 32)}. Sixteen
 * sub-blocks of 16 weights. Each half of the block has 64 bytes of low halves (weights i and i + 64) and 32 bytes of upper
 * bits (weights i, i + 32, i + 64 and i + 96).
 */
record Q6KDecoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int done = from; done < from + elements; done += 256, at += 210) {
            float d = LittleEndian.half(bytes, at + 208);
            for (int i = 0; i < 256; i++) {
                int half = i / 128;
                int in = i % 128;
                int low = LittleEndian.unsigned(bytes, at + 64 * half + in % 64) >> 4 * (in / 64) & 15;
                int high = LittleEndian.unsigned(bytes, at + 128 + 32 * half + in % 32) >> 2 * (in / 32) & 3;
                byte scale = bytes.get(ValueLayout.JAVA_BYTE, at + 192 + i / 16);
                out[done + i] = d * scale * ((low | high << 4) - 32);
            }
        }
    }
}
