package dev.holdfast.engine.kernels;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.Verdict;
import java.util.Arrays;
import java.util.Locale;

/** How the keys and values of a sequence are kept; named as llama.cpp's {@code --cache-type-k} names them. */
public enum CacheType {
    /** 32-bit floats. */
    F32,
    /** 16-bit floats (IEEE 754 binary16); larger numbers than it has become its largest. */
    F16,
    /** Signed bytes with a 32-bit scale for each block of 32 elements of a head. */
    Q8_0;

    /** Half the memory of 32-bit floats, and logits that differ by less than other kernels' do. */
    public static final CacheType DEFAULT = F16;

    /** Reads a name, in either case. */
    public static Verdict<CacheType> of(String name) {
        for (CacheType type : values()) {
            if (type.name().equalsIgnoreCase(name)) {
                return Verdict.accepted(type);
            }
        }
        return Verdict.rejected(
                Code.API_REQUEST,
                "a cache is one of " + Arrays.toString(values()).toLowerCase(Locale.ROOT) + ", not " + name);
    }
}
