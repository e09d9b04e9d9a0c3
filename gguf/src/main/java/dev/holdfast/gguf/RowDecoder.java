package dev.holdfast.gguf;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * Unpacks the blocks of one type to floats: the definition of what the bits mean, which faster code is compared with. Each
 * weight is computed in single precision with the multiplications and the addition of GGML's reference in its order, never
 * fused, so each machine gets the same floats. Stateless.
 */
public sealed interface RowDecoder
        permits F32Decoder,
                F16Decoder,
                Bf16Decoder,
                Q80Decoder,
                Q40Decoder,
                Q41Decoder,
                Q50Decoder,
                Q51Decoder,
                Q4KDecoder,
                Q5KDecoder,
                Q6KDecoder,
                Iq4NlDecoder {
    /**
     * Unpacks {@code elements}, a whole number of blocks.
     *
     * @param at where the first block begins in {@code bytes}
     * @param out gets the weights from {@code out[from]} on
     * @throws IndexOutOfBoundsException when the blocks are not wholly inside {@code bytes}, or {@code out} is too short
     */
    void decode(MemorySegment bytes, long at, float[] out, int from, int elements);

    /** The decoder of a type that engine and quantizer know; other types can be stored and listed, not unpacked. */
    static Optional<RowDecoder> of(GgmlType type) {
        return switch (type) {
            case F32 -> Optional.of(new F32Decoder());
            case F16 -> Optional.of(new F16Decoder());
            case BF16 -> Optional.of(new Bf16Decoder());
            case Q8_0 -> Optional.of(new Q80Decoder());
            case Q4_0 -> Optional.of(new Q40Decoder());
            case Q4_1 -> Optional.of(new Q41Decoder());
            case Q5_0 -> Optional.of(new Q50Decoder());
            case Q5_1 -> Optional.of(new Q51Decoder());
            case Q4_K -> Optional.of(new Q4KDecoder());
            case Q5_K -> Optional.of(new Q5KDecoder());
            case Q6_K -> Optional.of(new Q6KDecoder());
            case IQ4_NL -> Optional.of(new Iq4NlDecoder());
            case Q8_1,
                    Q2_K,
                    Q3_K,
                    Q8_K,
                    IQ2_XXS,
                    IQ2_XS,
                    IQ3_XXS,
                    IQ1_S,
                    IQ3_S,
                    IQ2_S,
                    IQ4_XS,
                    I8,
                    I16,
                    I32,
                    I64,
                    F64,
                    IQ1_M,
                    TQ1_0,
                    TQ2_0,
                    MXFP4 -> Optional.empty();
        };
    }
}
