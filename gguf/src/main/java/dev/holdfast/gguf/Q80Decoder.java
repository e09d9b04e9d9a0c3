package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** {@code f16 d, 32 signed bytes q: w = d q}. */
record Q80Decoder() implements RowDecoder {
    @Override
    public void decode(MemorySegment bytes, long at, float[] out, int from, int elements) {
        for (int done = 0; done < elements; done += 32, at += 34) {
            float d = LittleEndian.half(bytes, at);
            for (int i = 0; i < 32; i++) {
                out[from + done + i] = d * bytes.get(ValueLayout.JAVA_BYTE, at + 2 + i);
            }
        }
    }
}
