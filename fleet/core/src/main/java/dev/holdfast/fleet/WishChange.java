package dev.holdfast.fleet;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.time.Duration;
import java.util.Optional;
import java.util.SortedMap;

/**
 * How a model is added to what a device shall run, or changed.
 *
 * @param byDefault whether it becomes the default; the first model becomes it anyway
 * @param after a number that the order's own is above; 0 where it is just the next one
 * @param grace how long the version before stays under its pinned name; see {@link GraceWish#following}
 * @param draft who guesses what the model will say
 */
public record WishChange(boolean byDefault, long after, Optional<Duration> grace, Draft draft) {
    /**
     * A change of who guesses what a model will say.
     *
     * @param change whether there is one
     * @param model the name of the model that guesses from now on; empty for none
     */
    public record Draft(boolean change, Optional<String> model) {
        public static final Draft AS_BEFORE = new Draft(false, Optional.empty());
        public static final Draft NONE = new Draft(true, Optional.empty());

        public static Draft of(String model) {
            return new Draft(true, Optional.of(model));
        }

        /** {@code CFG-INVALID} where it is no other one of the device's models. */
        void require(String of, SortedMap<String, DesiredModels.Wish> models) throws RejectedException {
            if (model.isPresent() && (model.get().equals(of) || !models.containsKey(model.get()))) {
                throw new RejectedException(
                        Code.CFG_INVALID,
                        model.get() + " cannot guess for " + of
                                + ": it must be another model that is desired of the device");
            }
        }

        Optional<String> following(Optional<DesiredModels.Wish> before) {
            return change ? model : before.flatMap(DesiredModels.Wish::draft);
        }
    }
}
