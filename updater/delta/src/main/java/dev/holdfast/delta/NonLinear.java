package dev.holdfast.delta;

/** The sixteen values of IQ4_NL and where a place between them belongs. */
final class NonLinear {
    static final int[] VALUES = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    /** For places -128 to 127, shifted by 128: the index of the nearest value. */
    static final int[] NEAREST = new int[256];
    /** And how far through that value's own stretch the place is, in sixteenths. */
    static final int[] FRACTION = new int[256];

    static {
        for (int place = -128; place < 128; place++) {
            int nearest = 0;
            while (nearest < 15 && 2 * place > VALUES[nearest] + VALUES[nearest + 1]) {
                nearest++;
            }
            // Twice the borders, to stay with whole numbers.
            int low = nearest == 0 ? -257 : VALUES[nearest - 1] + VALUES[nearest];
            int high = nearest == 15 ? 255 : VALUES[nearest] + VALUES[nearest + 1];
            NEAREST[place + 128] = nearest;
            FRACTION[place + 128] = Math.min(15, Math.max(0, (2 * place - low) * 16 / (high - low)));
        }
    }

    private NonLinear() {}
}
