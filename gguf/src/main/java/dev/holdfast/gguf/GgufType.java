package dev.holdfast.gguf;

import java.util.Optional;

/** The types of a metadata value, in the order of their numbers in the file (GGUF specification, gguf_metadata_value_type). */
public enum GgufType {
    UINT8(1),
    INT8(1),
    UINT16(2),
    INT16(2),
    UINT32(4),
    INT32(4),
    FLOAT32(4),
    BOOL(1),
    STRING(0),
    ARRAY(0),
    UINT64(8),
    INT64(8),
    FLOAT64(8);

    private final int bytes;

    GgufType(int bytes) {
        this.bytes = bytes;
    }

    /** Bytes of one value, or 0 where the length varies. */
    public int bytes() {
        return bytes;
    }

    /** Whether the value is a whole number. */
    public boolean isWhole() {
        return switch (this) {
            case UINT8, INT8, UINT16, INT16, UINT32, INT32, UINT64, INT64 -> true;
            case FLOAT32, FLOAT64, BOOL, STRING, ARRAY -> false;
        };
    }

    static Optional<GgufType> byId(int id) {
        return id >= 0 && id < values().length ? Optional.of(values()[id]) : Optional.empty();
    }
}
