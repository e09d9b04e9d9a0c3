package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * What the codec has to code of a pair of models: the residuals of every field that it predicts. Measures of the coding ask
 * for it; no patch is made. Stateless.
 */
public final class FieldStreams {
    /** Contexts of a quant are {@code FRACTIONS * class + place}: its place between grid points, and how far weights move. */
    public static final int FRACTIONS = Prediction.FRACTIONS;

    private FieldStreams() {}

    /** Is told of one tensor after the other; arrays are good during the call only. */
    public interface Visitor {
        /**
         * A tensor begins.
         *
         * @param type of its weights in the next file
         * @param columns weights of a row
         */
        void tensor(String name, GgmlType type, int columns);

        /**
         * The next fields of one stream of the tensor.
         *
         * @param stream number of the stream; the last stream of a quantized tensor are its quants
         * @param perRow fields of this stream in a row of the tensor
         * @param contexts what the codec knows of each field
         * @param predicted what it expects
         * @param residuals what it has to code
         * @param n number of fields
         */
        void fields(int stream, int perRow, int[] contexts, int[] predicted, int[] residuals, int n);
    }

    /** Walks all tensors that have a counterpart and differ from it. */
    public static void walk(Path base, Path next, Visitor visitor) throws IOException {
        try (FileChannel older = FileChannel.open(base, StandardOpenOption.READ);
                FileChannel newer = FileChannel.open(next, StandardOpenOption.READ)) {
            ModelBuilder builder = new ModelBuilder(older, newer);
            for (Piece piece : Pieces.of(older, newer)) {
                if (piece.tensors().isEmpty()) {
                    continue;
                }
                Piece.Pair pair = piece.tensors().get();
                Optional<PatchPlan.Model> model = builder.of(pair, false);
                if (model.isPresent()) {
                    Prediction full = model.get().prediction().with(Prediction.Activity.FULL);
                    visitor.tensor(piece.label(), full.to(), full.columns());
                    walk(builder, pair, full, visitor);
                }
            }
        }
    }

    private static void walk(ModelBuilder builder, Piece.Pair pair, Prediction prediction, Visitor visitor)
            throws IOException {
        int quants = prediction.streams().size() - 1;
        GgmlType type = prediction.to();
        Optional<BlockLayout> layout = BlockLayout.of(type);
        int blocks = prediction.columns() / type.blockElements();
        int numbers = layout.isPresent() && layout.get().mAt >= 0 ? 2 : 1;
        builder.walk(
                pair,
                prediction,
                (stream, contexts, predicted, residuals, n) -> visitor.fields(
                        stream,
                        stream == quants
                                ? prediction.columns()
                                : stream < numbers ? blocks : blocks * layout.orElseThrow().scales,
                        contexts,
                        predicted,
                        residuals,
                        n));
    }
}
