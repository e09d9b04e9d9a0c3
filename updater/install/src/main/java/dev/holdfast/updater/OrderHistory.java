package dev.holdfast.updater;

import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What the journal says about one wish for a model: whether it was tried to its end, and how far a delta got. */
final class OrderHistory {
    /** So often may the inference process be lost, or take too long, under one order; then the model is to blame. */
    static final int MAX_LOSSES = 3;

    /** What one loss is recorded with: on the way to the swap beside STAGED, after it beside ROLLED_BACK. */
    private static final Set<Code> LOSSES = EnumSet.of(Code.INS_CANDIDATE_LOST, Code.GATE_LOAD_TIME, Code.API_INTERNAL);

    /** For these, agents before this one gave an order up, though it can be carried out when the weather has changed. */
    private static final Set<Code> WEATHER = EnumSet.of(Code.INS_DISK, Code.INS_DEADLINE, Code.INS_MEMORY);

    private final List<InstallRecord> records;

    OrderHistory(InstallJournal journal, ModelOrder order) {
        this(journal, order.version(), TargetSlot.of(order.model()).slotId());
    }

    OrderHistory(InstallJournal journal, long orderVersion, SlotId slot) {
        this.records = journal.records().stream()
                .filter(record -> record.orderVersion() == orderVersion
                        && record.slot().slotId().equals(slot))
                .toList();
    }

    /**
     * Whether the order must not be tried again. A file that went bad on the disk afterwards is not the order's fault, nor is what an
     * agent of today can do and the one before could not.
     *
     * @param compatible whether this agent can do what the order asks for
     */
    boolean failed(boolean compatible) {
        return losses() >= MAX_LOSSES
                || records.stream()
                        .anyMatch(record -> (record.state() == InstallState.FAILED
                                        && !(compatible && is(record, EnumSet.of(Code.UPD_INCOMPATIBLE)))
                                        && !is(record, WEATHER)
                                        && !is(record, LOSSES))
                                || (record.state() == InstallState.ROLLED_BACK
                                        && !is(record, EnumSet.of(Code.INS_DIGEST))
                                        && !is(record, LOSSES)));
    }

    /** How often the inference process was lost under this order while no other model was on trial. */
    int losses() {
        return (int) records.stream()
                .filter(record ->
                        (record.state() == InstallState.STAGED || record.state().isFinal()) && is(record, LOSSES))
                .count();
    }

    private static boolean is(InstallRecord record, Set<Code> codes) {
        return record.reason().map(Rejection::code).filter(codes::contains).isPresent();
    }

    /** Not after this install turned from a delta to the whole model. */
    boolean mayUseDelta() {
        List<String> plans = records.stream()
                .filter(record -> record.state() == InstallState.PLANNED)
                .map(InstallRecord::note)
                .toList();
        boolean triedDelta = plans.stream().anyMatch(plan -> !plan.startsWith(InstallPlan.FULL));
        return !(triedDelta && plans.getLast().startsWith(InstallPlan.FULL));
    }

    /** Probations that were begun and did not end, but for those that another model may have cut off. */
    long probations() {
        return records.stream()
                .filter(record -> record.state() == InstallState.PROBATION
                        && !record.note().equals(Probation.EXCUSED))
                .count();
    }
}
