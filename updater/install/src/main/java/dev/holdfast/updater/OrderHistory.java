package dev.holdfast.updater;

import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.SlotId;
import java.util.List;
import java.util.Optional;

/** What the journal says about one wish for a model: whether it was tried to its end, and how far a delta got. */
final class OrderHistory {
    private final List<InstallRecord> records;

    OrderHistory(InstallJournal journal, ModelOrder order) {
        SlotId slot = TargetSlot.of(order.model()).slotId();
        this.records = journal.records().stream()
                .filter(record -> record.orderVersion() == order.version()
                        && record.slot().slotId().equals(slot))
                .toList();
    }

    /** Whether the order must not be tried again. A file that went bad on the disk afterwards is not the order's fault. */
    boolean failed() {
        return records.stream()
                .anyMatch(record -> record.state() == InstallState.FAILED
                        || (record.state() == InstallState.ROLLED_BACK && !wentBad(record)));
    }

    private static boolean wentBad(InstallRecord record) {
        return record.reason().map(Rejection::code).equals(Optional.of(Code.INS_DIGEST));
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
}
