package dev.holdfast.inference;

/**
 * What one user may have of a model.
 *
 * @param sequences answers made at a time
 * @param queued requests that wait for their turn
 */
public record UserShare(int sequences, int queued) {
    /** Three quarters, so that places are left for the next user; of one or none that is all there is. */
    public static UserShare of(int sequences, int queued) {
        return new UserShare(threeQuarters(sequences), threeQuarters(queued));
    }

    /** At least one is left, and at least one taken. */
    static int threeQuarters(int all) {
        return all < 2 ? all : all - Math.max(1, all / 4);
    }
}
