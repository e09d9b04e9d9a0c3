package dev.holdfast.engine.architectures;

/**
 * What a text became.
 *
 * @param vector of length one, or all zero
 * @param norm the length that the vector had before
 * @param tokens how many tokens the text has, its frame included
 */
public record Embedding(float[] vector, double norm, int tokens) {
    public static Embedding of(float[] pooled, int tokens) {
        double squares = 0;
        for (float value : pooled) {
            squares += (double) value * value;
        }
        double norm = Math.sqrt(squares);
        float[] unit = new float[pooled.length];
        for (int i = 0; i < unit.length && norm > 0; i++) {
            unit[i] = (float) (pooled[i] / norm);
        }
        return new Embedding(unit, norm, tokens);
    }
}
