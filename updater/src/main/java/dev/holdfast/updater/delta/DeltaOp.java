package dev.holdfast.updater.delta;

import java.util.Optional;

/** How a block is made. Numbers are for good; those that are not listed are reserved and refused. */
public enum DeltaOp {
    /** The payload is the output. */
    RAW(0),
    /** The output is the source range; there is no payload. */
    COPY(1),
    /** The payload is one zstd frame of the output (RFC 8878). */
    ZSTD(2),
    /** Q8_0 blocks (2 bytes of f16 scale, 32 quants): differences modulo the width, as streams, zstd. */
    QDIFF_Q8_0(3),
    /** 16-bit little-endian elements: zig-zag differences modulo 2^16, byte planes, zstd. */
    DIFF_16(4),
    /** 32-bit little-endian elements: zig-zag differences modulo 2^32, byte planes, zstd. */
    DIFF_32(5);

    private final int number;

    DeltaOp(int number) {
        this.number = number;
    }

    int number() {
        return number;
    }

    boolean readsBase() {
        return switch (this) {
            case RAW, ZSTD -> false;
            case COPY, QDIFF_Q8_0, DIFF_16, DIFF_32 -> true;
        };
    }

    static Optional<DeltaOp> byNumber(int number) {
        return number >= 0 && number < values().length ? Optional.of(values()[number]) : Optional.empty();
    }
}
