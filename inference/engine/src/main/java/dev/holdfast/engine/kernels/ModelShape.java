package dev.holdfast.engine.kernels;

/**
 * The sizes of a transformer.
 *
 * @param contextTokens the longest sequence that the model was trained for
 * @param width elements of a token's vector
 * @param heads query heads
 * @param keyHeads key and value heads; a divisor of {@code heads}
 * @param headSize elements of one head
 * @param feedForward width of the feed-forward layer
 * @param vocabulary number of tokens
 */
public record ModelShape(
        int contextTokens,
        int layers,
        int width,
        int heads,
        int keyHeads,
        int headSize,
        int feedForward,
        int vocabulary) {
    public ModelShape {
        if (contextTokens < 1 || layers < 1 || keyHeads < 1 || heads % keyHeads != 0 || headSize % 2 != 0) {
            throw new IllegalArgumentException("impossible shape");
        }
    }

    public int queryWidth() {
        return heads * headSize;
    }

    public int keyWidth() {
        return keyHeads * headSize;
    }
}
