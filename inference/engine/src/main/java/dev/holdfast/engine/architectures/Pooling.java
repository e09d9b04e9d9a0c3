package dev.holdfast.engine.architectures;

/** How the vectors of all tokens make one ({@code <architecture>.pooling_type}). */
enum Pooling {
    MEAN,
    /** The first token's, which is the begin token. */
    FIRST,
    LAST
}
