package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Rotary;
import dev.holdfast.engine.kernels.RotaryPairs;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;

/**
 * Reads how positions turn: base and scaling. Scaling is linear (positions closer together), by divisors in the file (Llama
 * 3), or YaRN (Peng et al., arXiv 2309.00071): fast pairs stay, slow ones are scaled, those between are blended.
 */
final class RotaryKeys {
    private static final double USUAL_BASE = 10_000;

    private RotaryKeys() {}

    static Rotary rotary(TensorTable table, ModelShape shape, RotaryPairs pairs) throws RejectedException {
        GgufFile file = table.file();
        String prefix = ModelSizes.prefix(file);
        int turned = turned(file, shape);
        double base = positive(file, prefix + "rope.freq_base", USUAL_BASE);
        double[] frequencies = frequencies(base, turned);
        double factor = positive(file, prefix + "rope.scaling.factor", positive(file, prefix + "rope.scale_linear", 1));
        double magnitude = 1;
        String scaling = file.text(prefix + "rope.scaling.type", "linear").orThrow();
        switch (scaling) {
            case "none" -> {}
            case "linear" -> scale(frequencies, 1 / factor);
            case "yarn" -> {
                yarn(file, shape, base, factor, frequencies);
                // Attention grows sharper by the paper's equation 22.
                magnitude = (1 + 0.1 * Math.log(factor)) * positive(file, prefix + "rope.scaling.attn_factor", 1);
            }
            default -> throw new RejectedException(Code.GGUF_UNSUPPORTED, "rope scaling " + scaling);
        }
        if (table.has("rope_freqs.weight")) {
            float[] divisors = table.vector("rope_freqs.weight", turned / 2);
            for (int i = 0; i < divisors.length; i++) {
                frequencies[i] /= divisors[i];
            }
        }
        return new Rotary(pairs, frequencies, magnitude);
    }

    /** The turning of layers with a window, which is never scaled. */
    static Rotary windowRotary(GgufFile file, ModelShape shape, RotaryPairs pairs) throws RejectedException {
        double base = positive(file, ModelSizes.prefix(file) + "rope.freq_base_swa", USUAL_BASE);
        return new Rotary(pairs, frequencies(base, turned(file, shape)), 1);
    }

    private static int turned(GgufFile file, ModelShape shape) throws RejectedException {
        int turned = ModelSizes.size(
                file, ModelSizes.prefix(file) + "rope.dimension_count", ModelSizes.MAX_WIDTH, shape.headSize());
        if (turned % 2 != 0 || turned > shape.headSize()) {
            throw new RejectedException(Code.GGUF_TENSOR, "rope.dimension_count is " + turned);
        }
        return turned;
    }

    private static double positive(GgufFile file, String key, double absent) throws RejectedException {
        double value = file.real(key, absent).orThrow();
        if (!(value > 0)) {
            throw new RejectedException(Code.GGUF_FORMAT, key + " is not positive");
        }
        return value;
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

    private static void yarn(GgufFile file, ModelShape shape, double base, double factor, double[] frequencies)
            throws RejectedException {
        String prefix = ModelSizes.prefix(file) + "rope.scaling.";
        if (file.metadata().containsKey(prefix + "yarn_log_multiplier")) {
            throw new RejectedException(Code.GGUF_UNSUPPORTED, "YaRN with a log multiplier");
        }
        double trained = ModelSizes.size(
                file, prefix + "original_context_length", ModelSizes.MAX_CONTEXT, shape.contextTokens());
        int turned = 2 * frequencies.length;
        double fast = pairWith(positive(file, prefix + "yarn_beta_fast", 32), trained, base, turned);
        double slow = pairWith(positive(file, prefix + "yarn_beta_slow", 1), trained, base, turned);
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
