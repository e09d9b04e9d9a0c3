package dev.holdfast.delta;

import java.util.Optional;

/** How a segment is made. Numbers are for good; those that are not listed are reserved and refused. */
public enum DeltaOp {
    /** The payload is the output. */
    RAW(0),
    /** The output is the source range; there is no payload. */
    COPY(1),
    /** The payload is one zstd frame of the output (RFC 8878). */
    ZSTD(2),
    /** Quantized weights: residuals on the new grid, entropy-coded by the tensor's own tables. */
    QDIFF(3),
    /** Floats: differences of their order, entropy-coded by the tensor's own tables. */
    FDIFF(4),
    /** Bytes: differences modulo 256 from the source range, as one zstd frame. */
    DIFF(5),
    /** The source range with some runs of bytes replaced. */
    SPARSE(6);
    // 7 is kept free for updates of low rank.

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
            case COPY, QDIFF, FDIFF, DIFF, SPARSE -> true;
        };
    }

    /** Whether a tensor's tables are needed. */
    boolean isTensor() {
        return this == QDIFF || this == FDIFF;
    }

    static Optional<DeltaOp> byNumber(int number) {
        return number >= 0 && number < values().length ? Optional.of(values()[number]) : Optional.empty();
    }
}
