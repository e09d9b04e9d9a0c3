package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Rotary;
import dev.holdfast.engine.kernels.RotaryPairs;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;

/**
 * Reads how positions turn: base and scaling. Scaling is linear (positions closer together), by divisors in the file (Llama
 * 3), or YaRN (Peng et al., arXiv 2309.00071): fast pairs stay, slow ones are scaled, those between are blended.
 */
final class RotaryKeys {
    private static final double USUAL_BASE = 10_000;
    private static final String DIVISORS = "rope_freqs.weight";
    private static final String SCALING = "rope.scaling.";

    private RotaryKeys() {}

    /**
     * The turning of layers that see everything.
     *
     * @param divisors whether the architecture divides by those in the file, if it has them
     */
    static Rotary rotary(TensorTable table, ModelShape shape, RotaryPairs pairs, boolean divisors)
            throws RejectedException {
        ArchitectureKeys keys = table.keys();
        int turned = turned(keys, shape);
        double base = keys.positive("rope.freq_base", USUAL_BASE);
        double[] frequencies = frequencies(base, turned);
        // The older name counts where the newer one is missing.
        double factor = factor(keys, SCALING + "factor", factor(keys, "rope.scale_linear", 1));
        double magnitude = magnitude(keys);
        keys.number(SCALING + "yarn_attn_factor", 1);
        keys.number(SCALING + "yarn_log_multiplier", 0);
        String scaling = keys.text(SCALING + "type", "linear");
        boolean yarn = scaling.equals("yarn");
        // How much of YaRN's extrapolation is used; converters write -1 for "as the type says".
        double extrapolation = keys.real(SCALING + "yarn_ext_factor", -1.0);
        if (extrapolation != -1 && extrapolation != (yarn ? 1 : 0)) {
            throw keys.unsupported(SCALING + "yarn_ext_factor");
        }
        switch (scaling) {
            case "none" -> {}
            case "linear" -> scale(frequencies, 1 / factor);
            case "yarn" -> {
                yarn(keys, shape, base, factor, frequencies);
                // Attention grows sharper by the paper's equation 22, where positions are scaled at all.
                magnitude *= factor > 1 ? 1 + 0.1 * Math.log(factor) : 1;
            }
            default -> throw keys.unsupported(SCALING + "type");
        }
        keys.noEffect(SCALING + "yarn_beta_fast", SCALING + "yarn_beta_slow");
        if (divisors && table.has(DIVISORS)) {
            divide(frequencies, table.vector(DIVISORS, turned / 2));
        }
        return new Rotary(pairs, frequencies, magnitude);
    }

    private static void divide(double[] frequencies, float[] divisors) throws RejectedException {
        for (int i = 0; i < divisors.length; i++) {
            if (!(divisors[i] > 0) || Float.isInfinite(divisors[i])) {
                throw new RejectedException(Code.GGUF_TENSOR, DIVISORS + " has the divisor " + divisors[i]);
            }
            frequencies[i] /= divisors[i];
        }
    }

    /** A factor that is zero is none, as converters write it. */
    private static double factor(ArchitectureKeys keys, String name, double absent) throws RejectedException {
        return keys.real(name, 0.0) == 0 ? absent : keys.positive(name, absent);
    }

    /** What a turned pair is multiplied with, in every kind of scaling. */
    private static double magnitude(ArchitectureKeys keys) throws RejectedException {
        return keys.positive(SCALING + "attn_factor", 1.0);
    }

    /** The turning of layers with a window, which is never scaled. */
    static Rotary windowRotary(ArchitectureKeys keys, ModelShape shape, RotaryPairs pairs) throws RejectedException {
        double base = keys.positive("rope.freq_base_swa", USUAL_BASE);
        return new Rotary(pairs, frequencies(base, turned(keys, shape)), magnitude(keys));
    }

    private static int turned(ArchitectureKeys keys, ModelShape shape) throws RejectedException {
        int turned = keys.sizeOfEachLayer("rope.dimension_count", ModelSizes.MAX_WIDTH, shape.headSize());
        if (turned % 2 != 0 || turned > shape.headSize()) {
            throw new RejectedException(Code.GGUF_TENSOR, "rope.dimension_count is " + turned);
        }
        keys.number("rope.dimension_count_swa", turned);
        return turned;
    }

    private static double[] frequencies(double base, int turned) {
        double[] frequencies = new double[turned / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = Math.pow(base, -2.0 * i / turned);
        }
        return frequencies;
    }

    private static void scale(double[] frequencies, double by) {
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] *= by;
        }
    }

    private static void yarn(ArchitectureKeys keys, ModelShape shape, double base, double factor, double[] frequencies)
            throws RejectedException {
        double trained = keys.size(SCALING + "original_context_length", ModelSizes.MAX_CONTEXT, shape.contextTokens());
        int turned = 2 * frequencies.length;
        double fast = pairWith(keys.positive(SCALING + "yarn_beta_fast", 32.0), trained, base, turned);
        double slow = pairWith(keys.positive(SCALING + "yarn_beta_slow", 1.0), trained, base, turned);
        double low = Math.max(0, Math.floor(fast));
        double high = Math.min(turned - 1, Math.ceil(slow));
        for (int i = 0; i < frequencies.length; i++) {
            double scaled = Math.clamp((i - low) / Math.max(0.001, high - low), 0, 1);
            frequencies[i] *= scaled / factor + 1 - scaled;
        }
    }

    /** The pair that turns {@code rotations} times over the context that the model was trained with. */
    private static double pairWith(double rotations, double trained, double base, int turned) {
        return turned * Math.log(trained / (rotations * 2 * Math.PI)) / (2 * Math.log(base));
    }
}
