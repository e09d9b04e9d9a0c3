package dev.holdfast.engine.kernels;

import org.jspecify.annotations.Nullable;

/**
 * The keys and values of one sequence, in pages of {@value #PAGE} positions of a layer. A page is made when its first position
 * is written and kept for the next use, so a short sequence takes little memory and a token almost never allocates. Belongs to
 * one writer; several threads may read what was written before.
 */
public final class KeyValueCache {
    /** Positions of a page; a multiple of what the kernels take at a time. */
    static final int PAGE = Kernels.PADDING;
    /** Values of one position are whole vectors up to 512 bits. */
    private static final int VALUE_PADDING = 16;

    private final CacheType type;
    private final int heads;
    private final int headSize;
    private final int capacity;
    private final @Nullable KeyValuePage[][] pages; // [layer][position / PAGE]
    private int pagesWritten;

    /**
     * An empty cache.
     *
     * @param heads key heads of a layer
     * @param capacity the longest sequence
     */
    public KeyValueCache(CacheType type, int layers, int heads, int headSize, int capacity) {
        this.type = type;
        this.heads = heads;
        this.headSize = headSize;
        this.capacity = capacity;
        this.pages = new KeyValuePage[layers][pages(capacity)];
    }

    /** Bytes of a cache that is full; what the objects themselves take comes on top. */
    public static long bytes(CacheType type, int layers, int heads, int headSize, int capacity) {
        return (long) layers * pages(capacity) * KeyValuePage.bytes(type, heads, headSize);
    }

    private static int pages(int positions) {
        return (positions + PAGE - 1) / PAGE;
    }

    /** Floats between the values of two positions. */
    static int valueStride(int headSize) {
        return Kernels.padded(headSize, VALUE_PADDING);
    }

    public int capacity() {
        return capacity;
    }

    /**
     * Keeps {@code tokens} keys and values from {@code position} on.
     *
     * @param key {@code [feature][token]}, {@code stride} apart
     * @param value as {@code key}
     */
    public void write(int layer, int position, int tokens, float[] key, float[] value, int stride) {
        int done = 0;
        while (done < tokens) {
            int at = (position + done) % PAGE;
            int count = Math.min(PAGE - at, tokens - done);
            writable(layer, (position + done) / PAGE).put(at, count, key, value, done, stride);
            done += count;
        }
    }

    private KeyValuePage writable(int layer, int index) {
        pagesWritten = Math.max(pagesWritten, index + 1);
        KeyValuePage page = pages[layer][index];
        if (page == null) {
            page = KeyValuePage.of(type, heads, headSize);
            pages[layer][index] = page;
        }
        return page;
    }

    /** The page that holds {@code position}, which was written. */
    public KeyValuePage page(int layer, int position) {
        KeyValuePage page = pages[layer][position / PAGE];
        if (page == null) {
            throw new IllegalStateException("position " + position + " was never written");
        }
        return page;
    }

    /** Overwrites everything that was written with zeros; the pages stay for the next use. */
    public void erase() {
        for (@Nullable KeyValuePage[] layer : pages) {
            for (int i = 0; i < pagesWritten; i++) {
                KeyValuePage page = layer[i];
                if (page != null) {
                    page.erase();
                }
            }
        }
        pagesWritten = 0;
    }
}
