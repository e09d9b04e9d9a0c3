package dev.holdfast.engine.architectures;

import dev.holdfast.gguf.GgufValue;
import java.util.Set;

/**
 * Keys of an architecture that change nothing in what this engine computes, so that a file may have them. Whatever is not here and
 * is not read is refused.
 */
final class NeutralKeys {
    /** They describe the file, or belong to a norm or a scaling that the architecture does not have. */
    private static final Set<String> DESCRIBING = Set.of(
            "vocab_size",
            "rope.scaling.finetuned",
            "rope.scaling.original_context_length",
            "attention.layer_norm_epsilon",
            "attention.layer_norm_rms_epsilon",
            "attention.group_norm_epsilon");

    /** Factors that are off at zero and change nothing at one. */
    private static final Set<String> FACTORS = Set.of(
            "logit_scale",
            "embedding_scale",
            "residual_scale",
            "attention.value_scale",
            "attention.output_scale",
            "rope.scaling.yarn_attn_factor");

    /** How the parts of query and key are ordered; what converters have written for llama since the first. */
    private static final String LAYOUT = "Meta AI original pth";

    private NeutralKeys() {}

    static boolean isNeutral(String name, GgufValue value) {
        return DESCRIBING.contains(name)
                || isOff(value)
                || FACTORS.contains(name) && value instanceof GgufValue.Real(var type, double factor) && factor == 1
                // How experts are chosen: a file with experts was refused for its expert_count.
                || name.startsWith("expert_") && !name.equals("expert_count")
                || name.equals("tensor_data_layout") && value.equals(new GgufValue.Text(LAYOUT));
    }

    /** Converters say so that a model has no such thing. */
    private static boolean isOff(GgufValue value) {
        return switch (value) {
            case GgufValue.Whole(var type, long number) -> number == 0;
            case GgufValue.Real(var type, double number) -> number == 0;
            case GgufValue.Flag(boolean flag) -> !flag;
            case GgufValue.Text(String text) -> text.isEmpty();
            case GgufValue.Numbers numbers -> {
                for (int i = 0; i < numbers.size(); i++) {
                    if (numbers.real(i) != 0) {
                        yield false;
                    }
                }
                yield true;
            }
            case GgufValue.Texts texts -> texts.size() == 0;
        };
    }
}
