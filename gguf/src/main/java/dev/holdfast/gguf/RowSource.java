package dev.holdfast.gguf;

import java.io.IOException;

/** Gives a writer the rows of a tensor one after another, so that no tensor need be in memory as a whole. */
@FunctionalInterface
public interface RowSource {
    /** Fills {@code into} (one row) with row {@code index}; called once for each row, in order. */
    void row(long index, float[] into) throws IOException;

    /** Rows out of one array, the row running fastest. */
    static RowSource of(float[] values) {
        return (index, into) -> System.arraycopy(values, Math.toIntExact(index * into.length), into, 0, into.length);
    }
}
