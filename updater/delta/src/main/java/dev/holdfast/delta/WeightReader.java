package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import java.util.Optional;

/** The weights of a piece of a tensor, whatever its type. Not thread-safe. */
final class WeightReader {
    private final GgmlType type;
    private final byte[] bytes;
    private final Optional<BlockLayout> layout;
    private final BlockScales scales;
    private final int[] quants = new int[256];

    WeightReader(GgmlType type, byte[] bytes) {
        this.type = type;
        this.bytes = bytes;
        this.layout = BlockLayout.of(type);
        if (layout.isPresent()) {
            scales = new BlockScales(layout.get(), bytes.length / type.blockBytes());
            scales.read(bytes);
        } else {
            scales = new BlockScales(BlockLayout.of(GgmlType.Q8_0).orElseThrow(), 0);
        }
    }

    static boolean supports(GgmlType type) {
        return Floats.isFloat(type) || BlockLayout.of(type).isPresent();
    }

    BlockScales scales() {
        return scales;
    }

    /** Reads {@code n} weights from index {@code from} on. */
    void read(int from, int n, double[] weights) {
        if (layout.isEmpty()) {
            for (int i = 0; i < n; i++) {
                weights[i] = Floats.value(type, Floats.read(type, bytes, (from + i) * type.blockBytes()));
            }
            return;
        }
        BlockLayout of = layout.get();
        int elements = type.blockElements();
        for (int at = 0; at < n; ) {
            int block = (from + at) / elements;
            of.unpack(bytes, block * type.blockBytes(), quants, 0);
            for (int i = (from + at) % elements; i < elements && at < n; i++, at++) {
                int index = block * of.subBlocks() + i / of.subElements;
                int quant = type == GgmlType.IQ4_NL ? NonLinear.VALUES[quants[i]] : quants[i];
                weights[at] = scales.step(index) * quant - scales.shift(index);
            }
        }
    }
}
