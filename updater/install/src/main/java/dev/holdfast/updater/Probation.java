package dev.holdfast.updater;

import dev.holdfast.control.InferenceStatus;
import dev.holdfast.control.Slot;
import dev.holdfast.wire.Code;
import java.io.IOException;
import java.util.Optional;

/**
 * The time in which a release that serves is watched. Where it is cut off, because device or inference process began anew or something
 * else serves, it begins again; a release whose probation was cut off {@value #MAX_CUTS} times is suspect and goes. Belongs to one install.
 */
final class Probation {
    static final int MAX_CUTS = OrderHistory.MAX_LOSSES;
    /** Notes a probation before which another model was on trial, so that this one is not to blame for the cut. */
    static final String EXCUSED = "again: another model was on trial";

    private static final String RESTARTED = "the inference process was restarted";

    private final InstallContext context;
    private final ProcessWatch process;
    private final long orderVersion;
    private final Slot slot;
    private boolean excused;
    private String lastCut = "by restarts of the device";
    private int absences;

    Probation(InstallContext context, ProcessWatch process, long orderVersion, Slot slot) {
        this.context = context;
        this.process = process;
        this.orderVersion = orderVersion;
        this.slot = slot;
    }

    /** Whether it passed; false where it was cut off and is to be begun again with the release in service. */
    boolean passed() throws IOException, InstallStop {
        long begun = new OrderHistory(context.journal(), orderVersion, slot.slotId()).probations();
        if (begun >= MAX_CUTS && !excused) {
            throw InstallStop.failed(Code.INS_PROBATION, "cut off " + begun + " times: " + lastCut);
        }
        Trials trials = context.sets().trials();
        trials.begin(context.model(), Trials.Stage.PROBATION);
        try {
            InferenceStatus baseline = process.await(InstallState.PROBATION);
            Optional<String> cut;
            if (baseline.serves(slot.slotId())) {
                context.enter(InstallState.PROBATION, orderVersion, slot, Optional.empty(), excused ? EXCUSED : "");
                cut = watch(baseline);
            } else {
                // A process that has just begun may be loading it; one that never serves it must not hold the install
                // up.
                cut = Optional.of("another release serves");
                if (++absences >= MAX_CUTS) {
                    throw InstallStop.failed(Code.INS_PROBATION, "another release serves");
                }
            }
            excused = cut.equals(Optional.of(RESTARTED)) && trials.othersOnTrial(context.model());
            lastCut = cut.orElse(lastCut);
            return cut.isEmpty();
        } finally {
            trials.end(context.model());
        }
    }

    /** Empty where it served to the end; else how it was cut off. */
    private Optional<String> watch(InferenceStatus baseline) throws InstallStop {
        Cancellation.Deadline end =
                context.cancellation().deadline(context.config().probation().lasts());
        do {
            context.cancellation().sleep(context.config().probation().check());
            // A process that is busy is still the one that serves.
            InferenceStatus status = process.look(InstallState.PROBATION);
            if (!status.process().equals(baseline.process())) {
                return Optional.of(RESTARTED);
            }
            if (!status.serves(slot.slotId())) {
                return Optional.of("another release serves");
            }
        } while (!end.passed());
        return Optional.empty();
    }
}
