package dev.holdfast.updater;

import dev.holdfast.control.Slot;
import dev.holdfast.wire.Json;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * What of a journal stays when it is made shorter: what decisions are made from, whatever its age, and beside it the newest records, for
 * people.
 *
 * <table>
 * <caption>What stays at any age</caption>
 * <tr><td>the last record of a model that is not retired</td><td>whether an install goes on</td></tr>
 * <tr><td>the last records of its newest order</td><td>whether the order may be tried again, and by what</td></tr>
 * <tr><td>of each release in use the last record, and the last that committed it</td><td>whose order it is, and what may serve</td></tr>
 * <tr><td>the operator's last word</td><td>whether updates are paused</td></tr>
 * </table>
 *
 * @param keepBytes how much of the newest stays
 * @param inUse whether a release is named by the pointer, or waits for its repair
 */
record JournalSelection(long keepBytes, Predicate<Slot> inUse) {
    /** More than the attempts that an order can need; the newest of them count. */
    private static final int MAX_OF_ORDER = 500;

    /** The sequence numbers that stay. */
    Set<Long> of(List<InstallRecord> records, List<OperatorRecord> operator) {
        Set<Long> kept = new TreeSet<>();
        if (!operator.isEmpty()) {
            kept.add(operator.getLast().sequence());
        }
        if (!records.isEmpty()) {
            // The next number follows it.
            kept.add(records.getLast().sequence());
        }
        kept.addAll(needed(records.reversed()));
        long size = 0;
        long oldest = Long.MAX_VALUE;
        Set<Slot> named = new HashSet<>();
        for (InstallRecord record : records.reversed()) {
            size += Json.write(JournalLine.body(record, named.add(record.slot()))).length;
            if (size > keepBytes) {
                break;
            }
            oldest = record.sequence();
            kept.add(oldest);
        }
        long since = oldest;
        operator.stream()
                .map(OperatorRecord::sequence)
                .filter(number -> number >= since)
                .forEach(kept::add);
        return kept;
    }

    private Set<Long> needed(List<InstallRecord> newestFirst) {
        Set<Long> needed = new HashSet<>();
        Map<String, Long> orders = new HashMap<>();
        Map<String, Integer> ofOrder = new HashMap<>();
        Set<String> retired = new HashSet<>();
        Set<String> named = new HashSet<>();
        Set<String> committed = new HashSet<>();
        for (InstallRecord record : newestFirst) {
            String model = record.slot().model();
            String slot = record.slot().slotId().hex();
            if (!orders.containsKey(model) && record.state() == InstallState.RETIRED) {
                retired.add(model);
            }
            long newest = orders.computeIfAbsent(model, first -> record.orderVersion());
            int before = ofOrder.getOrDefault(model, 0);
            boolean isOfOrder = record.orderVersion() == newest && before < MAX_OF_ORDER;
            ofOrder.put(model, isOfOrder ? before + 1 : before);
            if (isOfOrder && !retired.contains(model)) {
                needed.add(record.sequence());
            }
            if (inUse.test(record.slot())) {
                boolean isLast = named.add(slot);
                boolean isCommit = record.state() == InstallState.COMMITTED && committed.add(slot);
                if (isLast || isCommit) {
                    needed.add(record.sequence());
                }
            }
        }
        return needed;
    }
}
