package dev.holdfast.gguf;

/**
 * What a file may ask of this reader. The figures hold every published model below four billion parameters with room to
 * spare, and keep the heap that one head can claim below 32 MiB.
 */
final class GgufLimits {
    /** Version 2 differs in nothing that matters, but nobody writes it any more. */
    static final int VERSION = 3;

    static final int MAX_KEYS = 4096;
    static final int MAX_TENSORS = 16 * 1024;
    static final int MAX_KEY_BYTES = 256;
    /** GGML_MAX_NAME is 64 with its closing zero. */
    static final int MAX_NAME_BYTES = 63;

    static final int MAX_DIMS = 4;
    /** A chat template or licence text; the longest seen have some 30 KiB. */
    static final int MAX_TEXT_BYTES = 1 << 20;
    /** All single texts together, because they are copied to the heap. */
    static final int MAX_TEXT_BYTES_TOTAL = 4 << 20;
    /** Elements of one array; the largest vocabulary in use has 262 144 words. */
    static final int MAX_ARRAY = 1 << 20;
    /** Elements of all string arrays together: vocabulary and merges. */
    static final int MAX_TEXTS_TOTAL = 2 << 20;

    static final int DEFAULT_ALIGNMENT = 32;
    static final int MAX_ALIGNMENT = 1 << 16;

    private GgufLimits() {}
}
