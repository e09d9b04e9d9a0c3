package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The scales of a run of blocks. Arrays that a type does not have are empty. Not thread-safe. */
final class BlockScales {
    private final BlockLayout layout;
    private final int blocks;
    final short[] d;
    final short[] m;
    final int[] scale;
    final int[] minimum;

    BlockScales(BlockLayout layout, int blocks) {
        this.layout = layout;
        this.blocks = blocks;
        d = new short[blocks];
        m = new short[layout.mAt < 0 ? 0 : blocks];
        scale = new int[blocks * layout.scales];
        minimum = new int[layout.hasMinima() ? scale.length : 0];
    }

    void read(byte[] bytes) {
        ByteBuffer view = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int step = layout.type.blockBytes();
        for (int block = 0; block < blocks; block++) {
            d[block] = view.getShort(block * step + layout.dAt);
            if (layout.mAt >= 0) {
                m[block] = view.getShort(block * step + layout.mAt);
            }
            layout.unpackScales(bytes, block * step, scale, minimum, block * layout.scales);
        }
    }

    void write(byte[] bytes) {
        ByteBuffer view = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int step = layout.type.blockBytes();
        for (int block = 0; block < blocks; block++) {
            view.putShort(block * step + layout.dAt, d[block]);
            if (layout.mAt >= 0) {
                view.putShort(block * step + layout.mAt, m[block]);
            }
            layout.packScales(scale, minimum, block * layout.scales, bytes, block * step);
        }
    }

    /** What one quant of the sub-block {@code index} is worth. */
    double step(int index) {
        if (layout.scales == 0) {
            return Float.float16ToFloat(d[index]);
        }
        return (double) Float.float16ToFloat(d[index / layout.scales]) * scale[index];
    }

    /** What is taken off the weights of the sub-block {@code index}. */
    double shift(int index) {
        if (layout.mAt < 0) {
            return 0;
        }
        return layout.scales == 0
                ? -(double) Float.float16ToFloat(m[index])
                : (double) Float.float16ToFloat(m[index / layout.scales]) * minimum[index];
    }

    /** What a quantizer would roughly make of weights of another type. */
    static BlockScales expected(BlockLayout layout, WeightReader reader, int blocks, double[] weights) {
        BlockScales out = new BlockScales(layout, blocks);
        int elements = layout.type.blockElements();
        for (int block = 0; block < blocks; block++) {
            reader.read(block * elements, elements, weights);
            double least = 0;
            double greatest = 0;
            for (int i = 0; i < elements; i++) {
                least = Math.min(least, weights[i]);
                greatest = Math.max(greatest, weights[i]);
            }
            boolean signed = layout.mAt < 0;
            double extreme = -least > greatest ? least : greatest;
            double step = signed
                    ? layout.type == GgmlType.Q8_0 ? Math.abs(extreme) / 127 : extreme / layout.least
                    : (greatest - least) / layout.greatest;
            if (layout.type == GgmlType.IQ4_NL) {
                step = extreme / NonLinear.VALUES[0];
            }
            if (layout.scales > 0) {
                step /= layout.greatestScale;
                java.util.Arrays.fill(out.scale, block * layout.scales, (block + 1) * layout.scales, 32);
            }
            out.d[block] = Float.floatToFloat16((float) step);
            if (!signed) {
                out.m[block] = Float.floatToFloat16((float) (layout.scales > 0 ? -least / 63 : least));
            }
        }
        return out;
    }
}
