package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.RejectedException;
import java.util.Arrays;
import java.util.Optional;

/**
 * Walks a piece of a tensor and its counterpart, predicting each field. Both directions are this one walk: what differs is
 * whether residuals are taken from the new bytes or put into them. All arithmetic is on integers and on IEEE 754 doubles by
 * multiplication, division and rounding, which every machine does alike. Not thread-safe.
 */
final class TensorCodec {
    /** Weights that are predicted at once: a whole number of blocks of every type, and of lanes of the coder. */
    static final int TILE = 1024;

    private static final int SIXTEENTHS = 1 << 20;
    private static final int CLAMPED = 16;
    private static final int NO_GRID = 17;
    private static final int SAME_GRID = 18;
    private static final double MAX_SHIFT = 512;
    private static final long SQRT_2_MANTISSA = 0x6a09e667f3bcdL;

    /**
     * Takes or gives residuals of one stream in order, which are distances from what was {@code predicted}; {@code n} is a
     * multiple of eight but at a piece's end.
     */
    interface Residuals {
        void code(int stream, int[] contexts, int[] predicted, int[] residuals, int n) throws RejectedException;
    }

    private final Prediction prediction;
    private final Optional<BlockLayout> layout;
    private final boolean decoding;
    private final Residuals residuals;
    private final int[] contexts = new int[TILE];
    private final int[] predicted = new int[TILE];
    private final int[] coded = new int[TILE];
    private final int[] old = new int[TILE];
    private final int[] fresh = new int[TILE];
    private final int[] ratios = new int[TILE];
    private final int[] offsets = new int[TILE];
    private final int[] special = new int[3 * TILE / 8];
    private final int[] bases = new int[TILE];
    private final int[] cols;
    private final double[] weights = new double[TILE];

    TensorCodec(Prediction prediction, boolean decoding, Residuals residuals) {
        this.prediction = prediction;
        this.layout = BlockLayout.of(prediction.to());
        this.decoding = decoding;
        this.cols = new int[prediction.cols().length];
        for (int i = 0; i < cols.length; i++) {
            cols[i] = prediction.cols()[i];
        }
        this.residuals = residuals;
    }

    /**
     * Walks one piece.
     *
     * @param source the counterpart's bytes, as many weights as {@code output} has
     * @param output the new bytes: read when encoding, written when decoding, then zero at first
     * @param first index of the piece's first weight in its tensor
     */
    void walk(byte[] source, byte[] output, long first) throws RejectedException {
        if (layout.isPresent()) {
            quants(layout.get(), source, output, first);
        } else {
            floats(source, output, first);
        }
    }

    // --- floats ---

    private void floats(byte[] source, byte[] output, long first) throws RejectedException {
        GgmlType type = prediction.to();
        int width = type.blockBytes();
        int n = output.length / width;
        WeightReader reader = new WeightReader(prediction.from(), source);
        for (int at = 0; at < n; at += TILE) {
            int count = Math.min(TILE, n - at);
            oldFloats(reader, type, source, at, count);
            for (int i = 0; i < count; i++) {
                long element = first + at + i;
                contexts[i] = floatClass(Floats.exponent(type, old[i]), element, column(element));
                predicted[i] = Floats.ordered(type, old[i]);
                if (!decoding) {
                    coded[i] = Floats.ordered(type, Floats.read(type, output, (at + i) * width)) - predicted[i];
                }
            }
            residuals.code(0, contexts, predicted, coded, count);
            for (int i = 0; decoding && i < count; i++) {
                Floats.write(type, Floats.unordered(type, predicted[i] + coded[i]), output, (at + i) * width);
            }
        }
    }

    private void oldFloats(WeightReader reader, GgmlType type, byte[] source, int at, int count) {
        if (prediction.from() == type) {
            for (int i = 0; i < count; i++) {
                old[i] = Floats.read(type, source, (at + i) * type.blockBytes());
            }
            return;
        }
        reader.read(at, count, weights);
        for (int i = 0; i < count; i++) {
            old[i] = Floats.of(type, weights[i]);
        }
    }

    private int floatClass(int exponent, long element, int column) {
        return switch (prediction.activity()) {
            case NONE -> 0;
            case STEP -> clamp(prediction.floatOffset() - 2 * exponent, Prediction.FLOAT_CLASSES - 1);
            case FULL ->
                clamp(
                        prediction.floatOffset()
                                - 2 * exponent
                                + prediction.row(element)
                                + (column < 0 ? 0 : prediction.cols()[column]),
                        Prediction.FLOAT_CLASSES - 1);
        };
    }

    private int column(long element) {
        return (int) (element % prediction.columns());
    }

    // --- quants ---

    private void quants(BlockLayout to, byte[] source, byte[] output, long first) throws RejectedException {
        int blocks = output.length / to.type.blockBytes();
        BlockScales next = new BlockScales(to, blocks);
        if (!decoding) {
            next.read(output);
        }
        boolean same = prediction.from() == prediction.to();
        WeightReader reader = new WeightReader(prediction.from(), source);
        BlockScales before = same ? reader.scales() : BlockScales.expected(to, reader, blocks, weights);
        int stream = 0;
        number(stream++, before.d, next.d, blocks, first, to);
        if (to.mAt >= 0) {
            number(stream++, before.m, next.m, blocks, first, to);
        }
        if (to.scales > 0) {
            subScales(stream++, to, before.d, next.d, before.scale, next.scale, blocks);
        }
        if (to.hasMinima()) {
            subScales(stream++, to, before.m, next.m, before.minimum, next.minimum, blocks);
        }
        if (decoding) {
            next.write(output);
        }
        int tileBlocks = TILE / to.type.blockElements();
        for (int block = 0; block < blocks; block += tileBlocks) {
            int count = Math.min(tileBlocks, blocks - block);
            if (same) {
                predictSame(to, source, before, next, block, count, first);
            } else {
                predictOther(to, reader, next, block, count, first);
            }
            joinClasses(count * to.type.blockElements(), first + (long) block * to.type.blockElements());
            exchange(to, stream, output, block, count);
        }
    }

    private void exchange(BlockLayout to, int stream, byte[] output, int block, int count) throws RejectedException {
        int elements = to.type.blockElements();
        int bytes = to.type.blockBytes();
        int n = count * elements;
        if (!decoding) {
            for (int b = 0; b < count; b++) {
                to.unpack(output, (block + b) * bytes, fresh, b * elements);
            }
            for (int i = 0; i < n; i++) {
                coded[i] = fresh[i] - predicted[i];
            }
        }
        residuals.code(stream, contexts, predicted, coded, n);
        if (decoding) {
            for (int i = 0; i < n; i++) {
                fresh[i] = predicted[i] + coded[i];
            }
            for (int b = 0; b < count; b++) {
                to.pack(fresh, b * elements, output, (block + b) * bytes);
            }
        }
    }

    /** F16 numbers of the blocks. */
    private void number(int stream, short[] before, short[] next, int blocks, long first, BlockLayout to)
            throws RejectedException {
        for (int at = 0; at < blocks; at += TILE) {
            int count = Math.min(TILE, blocks - at);
            for (int i = 0; i < count; i++) {
                int bits = before[at + i] & 0xffff;
                contexts[i] = floatClass(bits >> 10 & 31, first + (long) (at + i) * to.type.blockElements(), -1);
                predicted[i] = Floats.ordered(GgmlType.F16, bits);
                coded[i] = decoding ? 0 : Floats.ordered(GgmlType.F16, next[at + i] & 0xffff) - predicted[i];
            }
            residuals.code(stream, contexts, predicted, coded, count);
            for (int i = 0; decoding && i < count; i++) {
                next[at + i] = (short) Floats.unordered(GgmlType.F16, predicted[i] + coded[i]);
            }
        }
    }

    /** Scales of sub-blocks, on the grid that the block's own number spans. */
    private void subScales(
            int stream, BlockLayout to, short[] dBefore, short[] dNext, int[] before, int[] next, int blocks)
            throws RejectedException {
        int tileBlocks = TILE / to.scales;
        for (int block = 0; block < blocks; block += tileBlocks) {
            int count = Math.min(tileBlocks, blocks - block);
            int n = count * to.scales;
            int from = block * to.scales;
            System.arraycopy(before, from, old, 0, n);
            Grid grid = new Grid(to.leastScale, to.greatestScale);
            for (int b = 0; b < count; b++) {
                double step = Float.float16ToFloat(dBefore[block + b]);
                grid.add(b * to.scales, to.scales, step, 0, Float.float16ToFloat(dNext[block + b]), 0);
            }
            grid.predict(n);
            for (int i = 0; i < n; i++) {
                coded[i] = decoding ? 0 : next[from + i] - predicted[i];
            }
            residuals.code(stream, contexts, predicted, coded, n);
            for (int i = 0; decoding && i < n; i++) {
                next[from + i] = predicted[i] + coded[i];
            }
        }
    }

    private void predictSame(
            BlockLayout to, byte[] source, BlockScales before, BlockScales next, int block, int count, long first) {
        int elements = to.type.blockElements();
        int subs = to.subBlocks();
        for (int b = 0; b < count; b++) {
            to.unpack(source, (block + b) * to.type.blockBytes(), old, b * elements);
        }
        if (to.type == GgmlType.IQ4_NL) {
            for (int b = 0; b < count; b++) {
                nonLinear(b * elements, before.step(block + b), next.step(block + b));
                classes(b * elements, elements, next.step(block + b), first + (long) (block + b) * elements);
            }
            return;
        }
        Grid grid = new Grid(to.least, to.greatest);
        for (int sub = 0; sub < count * subs; sub++) {
            int index = block * subs + sub;
            double step = next.step(index);
            grid.add(
                    sub * to.subElements,
                    to.subElements,
                    before.step(index),
                    before.shift(index),
                    step,
                    next.shift(index));
            classes(sub * to.subElements, to.subElements, step, first + (long) block * elements + sub * to.subElements);
        }
        grid.predict(count * elements);
    }

    private void predictOther(BlockLayout to, WeightReader reader, BlockScales next, int block, int count, long first) {
        int elements = to.type.blockElements();
        int subs = to.subBlocks();
        reader.read(block * elements, count * elements, weights);
        for (int sub = 0; sub < count * subs; sub++) {
            int at = sub * to.subElements;
            int index = block * subs + sub;
            double step = next.step(index);
            double shift = next.shift(index);
            for (int i = at; i < at + to.subElements; i++) {
                place(i, (weights[i] + shift) / step, to);
            }
            classes(at, to.subElements, step, first + (long) block * elements + at);
        }
    }

    private void place(int i, double x, BlockLayout to) {
        if (!(Math.abs(x) < MAX_SHIFT)) {
            predicted[i] = 0;
            contexts[i] = NO_GRID;
        } else if (to.type == GgmlType.IQ4_NL) {
            int place = clamp((int) Math.floor(x + 0.5) + 128, 255);
            predicted[i] = NonLinear.NEAREST[place];
            contexts[i] = NonLinear.FRACTION[place];
        } else {
            int sixteenths = (int) Math.floor(x * 16 + 8);
            int nearest = sixteenths >> 4;
            predicted[i] = Math.min(Math.max(nearest, to.least), to.greatest);
            contexts[i] = predicted[i] == nearest ? sixteenths & 15 : CLAMPED;
        }
    }

    /**
     * Where old quants {@code q}, each worth {@code step * q - shift}, fall on a new grid: quants and contexts of a tile. The
     * place is computed in 16.16 fixed point of sixteenths, so that one multiplication is left per weight, in one plain loop
     * over the tile, which the compiler vectorizes.
     */
    private final class Grid {
        private final int least;
        private final int greatest;
        private final int most;
        private int exceptions;

        Grid(int least, int greatest) {
            this.least = least;
            this.greatest = greatest;
            this.most = Math.max(-least, greatest);
        }

        /** Notes ratio and offset of the quants {@code old[at .. at + n]}. */
        void add(int at, int n, double step, double shift, double newStep, double newShift) {
            double ratio = step / newStep;
            double offset = (newShift - shift) / newStep;
            boolean same = step == newStep && shift == newShift;
            if (!same && Math.abs(ratio) * most < 1024 && Math.abs(offset) < MAX_SHIFT) {
                Arrays.fill(ratios, at, at + n, (int) Math.rint(ratio * SIXTEENTHS));
                Arrays.fill(offsets, at, at + n, (int) Math.rint(offset * SIXTEENTHS) + SIXTEENTHS / 2);
            } else {
                Arrays.fill(ratios, at, at + n, SIXTEENTHS);
                Arrays.fill(offsets, at, at + n, 0);
                special[3 * exceptions] = at;
                special[3 * exceptions + 1] = n;
                special[3 * exceptions + 2] = same ? SAME_GRID : NO_GRID;
                exceptions++;
            }
        }

        void predict(int n) {
            for (int i = 0; i < n; i++) {
                int sixteenths = offsets[i] + old[i] * ratios[i] >> 16;
                int nearest = sixteenths >> 4;
                int kept = Math.min(Math.max(nearest, least), greatest);
                int clamped = kept - nearest | nearest - kept;
                predicted[i] = kept;
                contexts[i] = sixteenths & 15 & ~(clamped >> 31) | CLAMPED & clamped >> 31;
            }
            for (int i = 0; i < 3 * exceptions; i += 3) {
                int at = special[i];
                System.arraycopy(old, at, predicted, at, special[i + 1]);
                Arrays.fill(contexts, at, at + special[i + 1], special[i + 2]);
            }
        }
    }

    private void nonLinear(int at, double step, double newStep) {
        double ratio = step / newStep;
        boolean grid = Math.abs(ratio) < 8;
        int r = grid ? (int) Math.rint(ratio * 65536) : 0;
        for (int i = at; i < at + 32; i++) {
            if (step == newStep || !grid) {
                predicted[i] = old[i];
                contexts[i] = grid ? SAME_GRID : NO_GRID;
            } else {
                int place = clamp((NonLinear.VALUES[old[i]] * r + 32768 >> 16) + 128, 255);
                predicted[i] = NonLinear.NEAREST[place];
                contexts[i] = NonLinear.FRACTION[place];
            }
        }
    }

    /** Notes the class of one sub-block, less what its columns add. */
    private void classes(int at, int n, double step, long element) {
        if (prediction.activity() != Prediction.Activity.NONE) {
            int base = prediction.quantOffset() - halfOctaves(step) + prediction.row(element);
            Arrays.fill(bases, at, at + n, base);
        }
    }

    /** Joins the classes to the contexts of a tile; plain loops over whole tiles, which the compiler vectorizes. */
    private void joinClasses(int n, long element) {
        if (prediction.activity() == Prediction.Activity.NONE) {
            return;
        }
        if (prediction.activity() == Prediction.Activity.FULL) {
            int column = column(element);
            for (int at = 0; at < n; ) {
                int run = Math.min(n - at, cols.length - column);
                for (int i = 0; i < run; i++) {
                    bases[at + i] += cols[column + i];
                }
                at += run;
                column = 0;
            }
        }
        for (int i = 0; i < n; i++) {
            contexts[i] += Prediction.FRACTIONS * Math.min(Math.max(bases[i], 0), Prediction.CLASSES - 1);
        }
    }

    /** Twice the logarithm to base two, rounded down. */
    static int halfOctaves(double value) {
        long bits = Double.doubleToRawLongBits(value);
        int exponent = (int) (bits >>> 52 & 0x7ff) - 1023;
        return 2 * exponent + ((bits & 0xfffffffffffffL) >= SQRT_2_MANTISSA ? 1 : 0);
    }

    private static int clamp(int value, int greatest) {
        return Math.min(Math.max(value, 0), greatest);
    }
}
