package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Looks at tensors and their counterparts and makes the model that codes them in the fewest bytes, tables included. Tensors
 * are read in strides, never as a whole. Not thread-safe.
 */
final class ModelBuilder {
    /** Strides on which the kinds of context are compared; a tensor's parts are alike. */
    private static final int TRIAL_STRIDES = 3;

    /** A kind of context that takes the device longer must save at least this share for each step in kind. */
    private static final double MIN_SAVING = 0.004;

    private static final double LOG_2 = Math.log(2);

    private final FileChannel base;
    private final FileChannel next;

    ModelBuilder(FileChannel base, FileChannel next) {
        this.base = base;
        this.next = next;
    }

    /** A model of one large tensor, with the plainest contexts if asked; empty where every byte is as before. */
    Optional<PatchPlan.Model> of(Piece.Pair pair, boolean plain) throws IOException {
        Moves moves = new Moves(pair);
        boolean changed = false;
        for (Stride stride : strides(pair)) {
            changed |= moves.add(stride);
        }
        if (!changed) {
            return Optional.empty();
        }
        Prediction full = moves.prediction();
        if (plain) {
            return Optional.of(
                    count(full.with(Prediction.Activity.NONE), strides(pair)).model());
        }
        List<Stride> trial = sample(strides(pair));
        double share = (double) trial.stream().mapToLong(Stride::weights).sum()
                / pair.newer().elements();
        PatchPlan.Model best = null;
        double fewest = Double.MAX_VALUE;
        for (Prediction.Activity activity : Prediction.Activity.values()) {
            Counts counts = count(full.with(activity), trial);
            double bytes = (counts.bits() / 8 / share + counts.modelBytes()) * (1 + MIN_SAVING * activity.ordinal());
            if (bytes < fewest) {
                fewest = bytes;
                best = new PatchPlan.Model(counts.prediction, List.of());
            }
        }
        Prediction chosen = best == null ? full : best.prediction();
        return Optional.of(count(chosen, strides(pair)).model());
    }

    /** One model for many small tensors of one pair of types. */
    PatchPlan.Model shared(List<Piece.Pair> pairs) throws IOException {
        Moves moves = new Moves(pairs.getFirst());
        List<Stride> all = new ArrayList<>();
        for (Piece.Pair pair : pairs) {
            all.addAll(strides(pair));
        }
        for (Stride stride : all) {
            moves.steps(stride);
        }
        Prediction step = moves.prediction().with(Prediction.Activity.STEP);
        // Columns are of no account without classes of columns, but rows of a tensor must be whole blocks.
        Prediction any = new Prediction(
                step.from(),
                step.to(),
                step.to().blockElements(),
                step.activity(),
                step.quantOffset(),
                step.floatOffset(),
                step.rows(),
                step.cols());
        return count(any, all).model();
    }

    private Counts count(Prediction prediction, List<Stride> strides) throws IOException {
        Counts counts = new Counts(prediction);
        walk(prediction, strides, counts);
        return counts;
    }

    /** Hands over the residuals of a whole tensor. */
    void walk(Piece.Pair pair, Prediction prediction, TensorCodec.Residuals visitor) throws IOException {
        walk(prediction, strides(pair), visitor);
    }

    private static void walk(Prediction prediction, List<Stride> strides, TensorCodec.Residuals visitor)
            throws IOException {
        TensorCodec codec = new TensorCodec(prediction, false, visitor);
        for (Stride stride : strides) {
            walk(codec, stride.older(), stride.newer(), stride.first);
        }
    }

    static void walk(TensorCodec codec, byte[] older, byte[] newer, long first) {
        try {
            codec.walk(older, newer, first);
        } catch (RejectedException e) {
            throw new IllegalStateException("counting rejects nothing", e);
        }
    }

    private List<Stride> strides(Piece.Pair pair) {
        int unit = pair.unitWeights();
        long most = Math.min(
                PatchHeader.MAX_OUTPUT_BYTES / pair.newer().type().bytesFor(unit),
                PatchHeader.MAX_SOURCE_BYTES / 2 / pair.older().type().bytesFor(unit));
        long weights = most * unit;
        List<Stride> strides = new ArrayList<>();
        for (long first = 0; first < pair.newer().elements(); first += weights) {
            strides.add(
                    new Stride(pair, first, (int) Math.min(weights, pair.newer().elements() - first)));
        }
        return strides;
    }

    private static List<Stride> sample(List<Stride> strides) {
        if (strides.size() <= TRIAL_STRIDES) {
            return strides;
        }
        List<Stride> some = new ArrayList<>();
        for (int i = 0; i < TRIAL_STRIDES; i++) {
            some.add(strides.get(strides.size() * (2 * i + 1) / (2 * TRIAL_STRIDES)));
        }
        return some;
    }

    /** A run of weights of a pair. */
    private final class Stride {
        private final Piece.Pair pair;
        private final long first;
        private final int count;

        Stride(Piece.Pair pair, long first, int count) {
            this.pair = pair;
            this.first = first;
            this.count = count;
        }

        long weights() {
            return count;
        }

        byte[] older() throws IOException {
            return read(base, pair.older());
        }

        byte[] newer() throws IOException {
            return read(next, pair.newer());
        }

        private byte[] read(FileChannel file, GgufTensor tensor) throws IOException {
            return Ranges.read(
                    file,
                    tensor.offset() + tensor.type().bytesFor(first),
                    Math.toIntExact(tensor.type().bytesFor(count)));
        }
    }

    /** How far rows and columns of a tensor move, and how wide its grid is. */
    private final class Moves {
        private final Piece.Pair pair;
        private final double[] rows;
        private final double[] cols;
        private double stepSum;
        private double exponentSum;
        private long steps;
        private long exponents;

        Moves(Piece.Pair pair) {
            this.pair = pair;
            this.rows = new double[Math.toIntExact(pair.newer().rows())];
            this.cols = new double[Math.toIntExact(pair.newer().columns())];
        }

        /** Whether anything differs. */
        boolean add(Stride stride) throws IOException {
            byte[] older = stride.older();
            byte[] newer = stride.newer();
            steps(newer, stride.count);
            if (pair.older().type() == pair.newer().type() && Arrays.equals(older, newer)) {
                return false;
            }
            WeightReader a = new WeightReader(pair.older().type(), older);
            WeightReader b = new WeightReader(pair.newer().type(), newer);
            double[] before = new double[TensorCodec.TILE];
            double[] after = new double[TensorCodec.TILE];
            for (int at = 0; at < stride.count; at += TensorCodec.TILE) {
                int n = Math.min(TensorCodec.TILE, stride.count - at);
                a.read(at, n, before);
                b.read(at, n, after);
                for (int i = 0; i < n; i++) {
                    double move = Math.abs(after[i] - before[i]);
                    if (move < Double.MAX_VALUE) {
                        long element = stride.first + at + i;
                        rows[(int) (element / cols.length)] += move;
                        cols[(int) (element % cols.length)] += move;
                    }
                }
            }
            return true;
        }

        void steps(Stride stride) throws IOException {
            steps(stride.newer(), stride.count);
        }

        private void steps(byte[] newer, int count) {
            GgmlType type = pair.newer().type();
            Optional<BlockLayout> layout = BlockLayout.of(type);
            if (layout.isEmpty()) {
                for (int i = 0; i < count; i += 7) {
                    exponentSum += Floats.exponent(type, Floats.read(type, newer, i * type.blockBytes()));
                    exponents++;
                }
                return;
            }
            BlockScales scales = new BlockScales(layout.get(), newer.length / type.blockBytes());
            scales.read(newer);
            for (short d : scales.d) {
                exponentSum += d >> 10 & 31;
                exponents++;
            }
            for (int i = 0; i < scales.d.length * layout.get().subBlocks(); i++) {
                double step = Math.abs(scales.step(i));
                if (step > 0 && step < Double.MAX_VALUE) {
                    stepSum += TensorCodec.halfOctaves(step);
                    steps++;
                }
            }
        }

        Prediction prediction() {
            int step = steps == 0 ? 0 : (int) Math.round(stepSum / steps);
            int exponent = exponents == 0 ? 0 : (int) Math.round(2 * exponentSum / exponents);
            return new Prediction(
                    pair.older().type(),
                    pair.newer().type(),
                    cols.length,
                    Prediction.Activity.FULL,
                    Prediction.CLASSES / 2 + step,
                    Prediction.FLOAT_CLASSES / 2 + exponent,
                    classes(rows),
                    classes(cols));
        }

        private static byte[] classes(double[] sums) {
            double mean = Arrays.stream(sums).sum() / sums.length;
            byte[] classes = new byte[sums.length];
            for (int i = 0; i < sums.length; i++) {
                double octaves = sums[i] > 0 && mean > 0 ? Math.log(sums[i] / mean) / LOG_2 : -8;
                classes[i] = (byte) Math.max(-8, Math.min(7, Math.round(2 * octaves)));
            }
            return classes;
        }
    }

    /** Counts symbols instead of coding them. */
    private static final class Counts implements TensorCodec.Residuals {
        private final Prediction prediction;
        private final List<int[][]> streams = new ArrayList<>();
        private long rawBits;

        Counts(Prediction prediction) {
            this.prediction = prediction;
            for (int contexts : prediction.streams()) {
                streams.add(new int[contexts][Frequencies.SYMBOLS]);
            }
        }

        @Override
        public void code(int stream, int[] contexts, int[] predicted, int[] residuals, int n) {
            int[][] counts = streams.get(stream);
            for (int i = 0; i < n; i++) {
                int token = Tokens.token(Tokens.zigZag(residuals[i]));
                counts[contexts[i]][token]++;
                rawBits += Tokens.rawBits(token);
            }
        }

        PatchPlan.Model model() {
            return new PatchPlan.Model(
                    prediction, streams.stream().map(Frequencies::of).toList());
        }

        double bits() {
            double bits = rawBits;
            for (int[][] counts : streams) {
                bits += Frequencies.of(counts).bits(counts);
            }
            return bits;
        }

        /** What the model adds to the plan, which is compressed as a whole. */
        int modelBytes() {
            ByteBuffer out = ByteBuffer.allocate(1 << 22);
            PatchPlan.Model model = model();
            if (prediction.rows().length + prediction.cols().length > 1 << 22) {
                return Integer.MAX_VALUE / 4;
            }
            PatchPlan.write(model, out);
            return Zstd.compress(Arrays.copyOf(out.array(), out.position())).length;
        }
    }
}
