package dev.holdfast.inference;

/** What a model is loaded for. */
enum LoadPurpose {
    /** To serve at once. */
    SERVE,
    /** To be put to the test beside what serves. */
    CANDIDATE,
    /** To answer to its pinned name. */
    GRACE
}
