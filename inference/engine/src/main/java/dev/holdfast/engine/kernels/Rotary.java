package dev.holdfast.engine.kernels;

/**
 * Rotary position embedding (Su et al., arXiv 2104.09864): pair {@code i} of a head at position {@code p} is turned by
 * {@code p * frequencies[i]}. Angles are computed in double precision once, at load, for as many positions as a sequence may
 * have.
 */
public final class Rotary {
    private final RotaryPairs pairs;
    private final double[] frequencies;
    private final double magnitude;
    private float[] cosines = new float[0];
    private float[] sines = new float[0];
    private int positions;

    /**
     * A turning.
     *
     * @param frequencies one for each pair; elements of a head behind the pairs stay as they are
     * @param magnitude what a turned pair is multiplied with
     */
    public Rotary(RotaryPairs pairs, double[] frequencies, double magnitude) {
        this.pairs = pairs;
        this.frequencies = frequencies.clone();
        this.magnitude = magnitude;
    }

    /** Fills the tables {@code [pair][position]}; called once, before any turning. */
    public void prepare(int contextTokens) {
        // A batch may begin just before the end of the context, and its unused columns reach beyond it.
        positions = contextTokens + Kernels.BATCH;
        cosines = new float[Math.multiplyExact(frequencies.length, positions)];
        sines = new float[cosines.length];
        for (int i = 0; i < frequencies.length; i++) {
            for (int p = 0; p < positions; p++) {
                cosines[i * positions + p] = (float) (Math.cos(p * frequencies[i]) * magnitude);
                sines[i * positions + p] = (float) (Math.sin(p * frequencies[i]) * magnitude);
            }
        }
    }

    /** Bytes of the tables of heads of {@code headSize}. */
    public static long tableBytes(int headSize, int contextTokens) {
        return 2L * Float.BYTES * (headSize / 2) * (contextTokens + Kernels.BATCH);
    }

    /** Turns all heads of {@code x} ({@code [feature][token]}), whose first token is at {@code position}. */
    public void turn(float[] x, int heads, int headSize, int position, int stride) {
        int half = frequencies.length;
        for (int head = 0; head < heads; head++) {
            int at = head * headSize;
            for (int i = 0; i < half; i++) {
                int first = pairs == RotaryPairs.NEIGHBOURS ? at + 2 * i : at + i;
                int second = pairs == RotaryPairs.NEIGHBOURS ? first + 1 : first + half;
                turnPair(x, first * stride, second * stride, i * positions + position, stride);
            }
        }
    }

    private void turnPair(float[] x, int a, int b, int angle, int tokens) {
        for (int t = 0; t < tokens; t++) {
            float first = x[a + t];
            float second = x[b + t];
            float cosine = cosines[angle + t];
            float sine = sines[angle + t];
            x[a + t] = first * cosine - second * sine;
            x[b + t] = first * sine + second * cosine;
        }
    }
}
