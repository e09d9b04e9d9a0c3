package dev.holdfast.engine.kernels;

/** Which two elements of a head a rotary embedding turns together. */
public enum RotaryPairs {
    /** Elements 2i and 2i+1. */
    NEIGHBOURS,
    /** Elements i and i + half. */
    HALVES
}
