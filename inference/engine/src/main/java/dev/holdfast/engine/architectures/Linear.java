package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.Kernels;
import dev.holdfast.engine.kernels.Weights;
import java.util.Arrays;

/**
 * {@code y = scale * W x + bias}.
 *
 * @param scale 1 where the file has none
 * @param bias empty where the file has none
 */
record Linear(Weights weights, float scale, float[] bias) {
    /** The part that makes the elements from {@code first} on, {@code count} of them. */
    Linear rows(int first, int count) {
        float[] part = bias.length == 0 ? bias : Arrays.copyOfRange(bias, first, first + count);
        return new Linear(weights.rows(first, count), scale, part);
    }

    /** Makes of {@code W x}, which is in {@code y}, the whole. */
    void complete(Kernels kernels, float[] y, int stride) {
        if (scale != 1) {
            kernels.scale(y, scale, weights.rows() * stride);
        }
        kernels.addBias(y, bias, stride);
    }
}
