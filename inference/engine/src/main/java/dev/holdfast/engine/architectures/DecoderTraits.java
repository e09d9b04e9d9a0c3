package dev.holdfast.engine.architectures;

import dev.holdfast.engine.kernels.Activation;
import dev.holdfast.engine.kernels.RotaryPairs;

/**
 * What distinguishes the decoder of one architecture from that of llama. Everything else is in the file's metadata.
 *
 * @param pairs which elements of a head a rotation turns together
 * @param biases query, key and value have biases
 * @param headNorms each head of query and key is normalized before it is turned
 * @param postNorms the outputs of attention and feed-forward are normalized before they are added
 * @param activation the bend in the feed-forward layer
 * @param scaledEmbedding a token's vector is multiplied by the root of its width
 * @param windowPeriod every layer but the last of so many sees a window and turns by a base of its own; 0 for none
 */
record DecoderTraits(
        RotaryPairs pairs,
        boolean biases,
        boolean headNorms,
        boolean postNorms,
        Activation activation,
        boolean scaledEmbedding,
        int windowPeriod) {
    /** Llama with the given pairs. */
    static DecoderTraits llama(RotaryPairs pairs) {
        return new DecoderTraits(pairs, false, false, false, Activation.SILU, false, 0);
    }

    DecoderTraits withBiases() {
        return new DecoderTraits(pairs, true, headNorms, postNorms, activation, scaledEmbedding, windowPeriod);
    }

    DecoderTraits withHeadNorms() {
        return new DecoderTraits(pairs, biases, true, postNorms, activation, scaledEmbedding, windowPeriod);
    }
}
