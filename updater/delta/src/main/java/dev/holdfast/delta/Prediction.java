package dev.holdfast.delta;

import dev.holdfast.gguf.GgmlType;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * How one tensor is predicted from its counterpart in the base, and which context a residual is coded in.
 *
 * <p>A quant is predicted by the old weight's place on the new grid; the context is how far that place is from the nearest
 * grid point, in sixteenths, since a weight that is near the border between two quants is likelier to cross it. What
 * crosses also depends on how far weights move: optimizers move whole rows and columns of a matrix by like amounts. So a
 * class, in half octaves, of the expected move over the grid's step can join the context.
 *
 * @param from type of the counterpart
 * @param to type of the tensor
 * @param columns weights of a row
 * @param activity which class joins the context
 * @param quantOffset class of a quant whose row, column and step are average
 * @param floatOffset the same for floats and block scales, by their exponent
 * @param rows classes of the rows, -8 to 7; empty unless {@link Activity#FULL}
 * @param cols classes of the columns, likewise
 */
record Prediction(
        GgmlType from,
        GgmlType to,
        int columns,
        Activity activity,
        int quantOffset,
        int floatOffset,
        byte[] rows,
        byte[] cols) {
    /** Sixteenths of a grid step, and what has no place on the grid. */
    static final int FRACTIONS = 19;

    static final int CLASSES = 12;
    static final int FLOAT_CLASSES = 24;

    /** What the class is made of. */
    enum Activity {
        /** There is one class. */
        NONE,
        /** The step of the new grid, or the exponent. */
        STEP,
        /** Step, row and column. */
        FULL
    }

    /** The streams of a tensor, in order: contexts of each. */
    List<Integer> streams() {
        int numbers = activity == Activity.NONE ? 1 : FLOAT_CLASSES;
        Optional<BlockLayout> layout = BlockLayout.of(to);
        List<Integer> streams = new ArrayList<>();
        streams.add(numbers);
        if (layout.isEmpty()) {
            return streams;
        }
        if (layout.get().mAt >= 0) {
            streams.add(numbers);
        }
        if (layout.get().scales > 0) {
            streams.add(FRACTIONS);
        }
        if (layout.get().hasMinima()) {
            streams.add(FRACTIONS);
        }
        streams.add(activity == Activity.NONE ? FRACTIONS : FRACTIONS * CLASSES);
        return streams;
    }

    int row(long element) {
        return activity == Activity.FULL ? rows[(int) (element / columns)] : 0;
    }

    Prediction with(Activity other) {
        return new Prediction(from, to, columns, other, quantOffset, floatOffset, rows, cols);
    }
}
