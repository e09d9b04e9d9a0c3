package dev.holdfast.delta;

/**
 * A piece of the result that one operation makes.
 *
 * @param op the operation
 * @param model number of the tensor model, -1 where the operation needs none
 * @param label number of the tensor's name in the plan, for people
 * @param outputBytes bytes it makes
 * @param payloadBytes bytes of the patch that it takes
 * @param source where its source range begins in the base
 * @param first index of its first weight in the tensor
 */
record Segment(DeltaOp op, int model, int label, int outputBytes, int payloadBytes, long source, long first) {
    static final int STORED_BYTES = 33;
}
