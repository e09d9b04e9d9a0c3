package dev.holdfast.engine.kernels;

/** The bend in a feed-forward layer. */
public enum Activation {
    /** {@code x / (1 + exp(-x))}. */
    SILU,
    /** The usual approximation {@code x / (1 + exp(-2u))} with {@code u = sqrt(2/pi) (x + 0.044715 x^3)}. */
    GELU
}
