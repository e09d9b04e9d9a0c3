package dev.holdfast.trust.schema;

/** What a signature's strength rests on: keys of one family fall together. */
public enum KeyFamily {
    /** Discrete logarithms and factoring, which a large quantum computer solves. */
    CLASSICAL,
    /** Module lattices. */
    LATTICE
}
