package dev.holdfast.updater;

/** What a signature's strength rests on: keys of one family fall together. */
enum KeyFamily {
    /** Discrete logarithms and factoring, which a large quantum computer solves. */
    CLASSICAL,
    /** Module lattices. */
    LATTICE
}
