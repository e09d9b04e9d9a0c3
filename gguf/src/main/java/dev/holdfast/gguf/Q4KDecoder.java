package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;

/**
 * {@code f16 d, f16 m, 12 bytes of scales s and minima n, 128 bytes of pairs: w = d s q - m n}. Eight sub-blocks of 32
 * weights have a scale and a minimum of six bits each; a pair holds weight i of one sub-block and of the next.
 */
record Q4KDecoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int done = from; done < from + elements; done += 256, at += 144) {
            float d = LittleEndian.half(bytes, at);
            float m = LittleEndian.half(bytes, at + 2);
            for (int sub = 0; sub < 8; sub++) {
                float scale = d * scale(bytes, at + 4, sub);
                float minimum = m * minimum(bytes, at + 4, sub);
                long pairs = at + 16 + 32 * (sub / 2);
                for (int i = 0; i < 32; i++) {
                    int quant = LittleEndian.unsigned(bytes, pairs + i) >> 4 * (sub & 1) & 15;
                    out[done + 32 * sub + i] = scale * quant - minimum;
                }
            }
        }
    }

    /** The first four scales are in the low bits of bytes 0 to 3; the others in halves of bytes 8 to 11 and upper bits of 0 to 3. */
    static int scale(MemorySegment bytes, long at, int sub) {
        return sub < 4
                ? LittleEndian.unsigned(bytes, at + sub) & 63
                : LittleEndian.unsigned(bytes, at + sub + 4) & 15
                        | LittleEndian.unsigned(bytes, at + sub - 4) >> 6 << 4;
    }

    /** The first four minima are in the low bits of bytes 4 to 7; the others in halves of bytes 8 to 11 and upper bits of 4 to 7. */
    static int minimum(MemorySegment bytes, long at, int sub) {
        return sub < 4
                ? LittleEndian.unsigned(bytes, at + sub + 4) & 63
                : LittleEndian.unsigned(bytes, at + sub + 4) >> 4 | LittleEndian.unsigned(bytes, at + sub) >> 6 << 4;
    }
}
