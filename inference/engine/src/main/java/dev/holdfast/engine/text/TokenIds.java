package dev.holdfast.engine.text;

import java.util.Arrays;

/** A growing list of token ids. */
final class TokenIds {
    private int[] ids = new int[64];
    private int size;

    void add(int id) {
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, 2 * size);
        }
        ids[size++] = id;
    }

    int size() {
        return size;
    }

    /** Takes back everything behind the first {@code size} ids. */
    void cut(int size) {
        this.size = size;
    }

    int[] toArray() {
        return Arrays.copyOf(ids, size);
    }
}
