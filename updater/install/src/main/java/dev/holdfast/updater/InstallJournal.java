package dev.holdfast.updater;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.storage.Disk;
import dev.holdfast.storage.DiskException;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The append-only record of installs: one JSON object per line, forced to the disk before anything relies on it.
 *
 * <p>{@code crc} is CRC-32C of the object without that field, {@code prev} the head of SHA-256 of the line before. A last
 * line without its end, or with a hole, was torn by a power cut: it never counted, and the next line takes its place. Any other line that does not hold is
 * damage: reported as {@code INS-JOURNAL}, skipped, and the last whole line counts. The slot is written in full only where
 * it is first named. Thread-safe.
 *
 * <p>A journal that has grown is made shorter: the lines of which something may still depend and the newest ones are written anew, in one
 * durable step ({@link JournalSelection}). They keep their numbers; the first of them follows nothing, as the first of a new journal does.
 */
public final class InstallJournal {
    private static final int MAX_LINE_BYTES = 1 << 20;
    private static final int ID_CHARS = 64;

    /**
     * When a journal is made shorter, and what is left of it.
     *
     * @param atBytes so long it may become
     * @param keepBytes so much of the newest stays
     */
    record Limits(long atBytes, long keepBytes) {
        /** Some three months of daily updates stay, of a model whose template has a few kilobytes. */
        static final Limits DEFAULT = new Limits(1 << 20, 1 << 19);
    }

    private final Path file;
    private final Disk disk;
    private final Limits limits;
    private final JournalSelection selection;
    private volatile List<InstallRecord> records = new CopyOnWriteArrayList<>();
    private volatile List<OperatorRecord> operator = new CopyOnWriteArrayList<>();
    private final Map<String, Slot> slots = new HashMap<>();
    private Optional<Rejection> damage = Optional.empty();
    private String previous = "";
    private long sequence;
    /** Where the next line begins; what is beyond is what a failed write left. */
    private long end;
    /** How long the journal was when it was made shorter last. */
    private long shortest;
    /** Whether this process made the name of the file durable: one that was killed may have left it before it was. */
    private boolean named;

    private InstallJournal(Path file, Disk disk, Limits limits, Predicate<Slot> inUse) {
        this.file = file;
        this.disk = disk;
        this.limits = limits;
        this.selection = new JournalSelection(limits.keepBytes(), inUse);
    }

    /** Reads what is there, and writes nothing; to look at, since it knows no release in use. */
    public static InstallJournal open(Path file, Disk disk) throws IOException {
        return open(file, disk, new Limits(Long.MAX_VALUE, Long.MAX_VALUE), slot -> true);
    }

    /**
     * Reads what is there, and writes nothing.
     *
     * @param inUse whether a release is named by the pointer, or set aside until its repair; asked while the journal is locked
     */
    static InstallJournal open(Path file, Disk disk, Limits limits, Predicate<Slot> inUse) throws IOException {
        InstallJournal journal = new InstallJournal(file, disk, limits, inUse);
        if (Files.exists(file)) {
            journal.read(Files.readAllBytes(file));
        }
        return journal;
    }

    private void read(byte[] bytes) {
        int start = 0;
        for (int at = 0; at < bytes.length; at++) {
            if (bytes[at] == '\n') {
                byte[] line = Arrays.copyOfRange(bytes, start, at);
                if (at + 1 == bytes.length && hasHole(line)) {
                    break;
                }
                try {
                    accept(line);
                } catch (RejectedException e) {
                    damaged(e.rejection().detail(), start);
                }
                start = at + 1;
            }
        }
        // What is beyond is cut off by the next line; here a full disk must not be in the way.
        end = start;
    }

    /** What the power took out of the middle of a write reads as zeros, which no line has. */
    private static boolean hasHole(byte[] line) {
        for (byte b : line) {
            if (b == 0) {
                return true;
            }
        }
        return false;
    }

    private void accept(byte[] line) throws RejectedException {
        Fields fields = Fields.read(line, MAX_LINE_BYTES, Code.UPD_FORMAT);
        long crc = fields.integer("crc", 0);
        ObjectNode body = ((ObjectNode) fields.node()).deepCopy();
        body.remove("crc");
        if (JournalLine.crc(Json.write(body)) != crc) {
            throw new RejectedException(Code.INS_JOURNAL, "checksum");
        }
        if (!fields.node().path("prev").asText().equals(previous)) {
            damaged("a line is missing", Rejection.NO_OFFSET);
        }
        if (fields.has("operator")) {
            previous = JournalLine.link(line);
            sequence = fields.integer("n", 1);
            operator.add(new OperatorRecord(
                    sequence,
                    Instant.ofEpochMilli(fields.integer("at", Long.MIN_VALUE)),
                    action(fields.text("operator", 32)),
                    fields.node().path("note").asText()));
            return;
        }
        if (fields.has("slot")) {
            remember(Slot.read(fields.object("slot").node()).orThrow());
        }
        previous = JournalLine.link(line);
        Slot slot = slots.get(fields.has("id") ? fields.text("id", ID_CHARS) : fields.text("digest", ID_CHARS));
        if (slot == null) {
            throw new RejectedException(Code.INS_JOURNAL, "a model was never named");
        }
        Optional<Rejection> reason = fields.has("code")
                ? Code.byId(fields.text("code", 64))
                        .map(code ->
                                new Rejection(code, fields.node().path("detail").asText()))
                : Optional.empty();
        Optional<TrialLog> trial =
                fields.has("trial") ? Optional.of(TrialLog.fromJson(fields.object("trial"))) : Optional.empty();
        sequence = fields.integer("n", 1);
        records.add(new InstallRecord(
                sequence,
                Instant.ofEpochMilli(fields.integer("at", Long.MIN_VALUE)),
                fields.integer("order", 0),
                state(fields.text("state", 32)),
                slot,
                reason,
                fields.node().path("note").asText(),
                trial));
    }

    /** Lines of the time before slots named a model by its digest. */
    private void remember(Slot slot) {
        slots.put(slot.slotId().hex(), slot);
        slots.put(slot.digest().hex(), slot);
    }

    private static OperatorRecord.Action action(String name) throws RejectedException {
        for (OperatorRecord.Action action : OperatorRecord.Action.values()) {
            if (action.name().equals(name)) {
                return action;
            }
        }
        throw new RejectedException(Code.INS_JOURNAL, "unknown action " + name);
    }

    private static InstallState state(String name) throws RejectedException {
        for (InstallState state : InstallState.values()) {
            if (state.name().equals(name)) {
                return state;
            }
        }
        throw new RejectedException(Code.INS_JOURNAL, "unknown state " + name);
    }

    private void damaged(String detail, long offset) {
        if (damage.isEmpty()) {
            damage = Optional.of(new Rejection(Code.INS_JOURNAL, detail, offset));
        }
    }

    /** Durable when it returns. */
    public synchronized InstallRecord append(
            Instant at,
            long orderVersion,
            InstallState state,
            Slot slot,
            Optional<Rejection> reason,
            String note,
            Optional<TrialLog> trial)
            throws IOException {
        InstallRecord record = new InstallRecord(sequence + 1, at, orderVersion, state, slot, reason, note, trial);
        write(JournalLine.body(record, !slots.containsValue(slot)));
        remember(slot);
        records.add(record);
        shorten();
        return record;
    }

    /** Durable when it returns. */
    synchronized OperatorRecord append(Instant at, OperatorRecord.Action action, String reason) throws IOException {
        OperatorRecord record = new OperatorRecord(sequence + 1, at, action, reason);
        write(JournalLine.body(record));
        operator.add(record);
        shorten();
        return record;
    }

    private void write(ObjectNode body) throws IOException {
        byte[] line = JournalLine.line(body, previous);
        byte[] ended = JournalLine.ended(line);
        try (Disk.OpenFile open = disk.open(file)) {
            if (open.size() > end) {
                open.truncate(end);
            }
            open.write(ByteBuffer.wrap(ended), end);
            open.force();
        }
        if (!named) {
            disk.syncDirectory(Disk.directoryOf(file));
            named = true;
        }
        end += ended.length;
        previous = JournalLine.link(line);
        sequence++;
    }

    /** Where the disk refuses, the long journal is as good, and the next line tries again. */
    private void shorten() throws IOException {
        if (end <= Math.max(limits.atBytes(), 2 * shortest)) {
            return;
        }
        Set<Long> kept = selection.of(records, operator);
        List<InstallRecord> keptRecords = records.stream()
                .filter(record -> kept.contains(record.sequence()))
                .toList();
        List<OperatorRecord> keptOperator = operator.stream()
                .filter(record -> kept.contains(record.sequence()))
                .toList();
        JournalLine.Written written = JournalLine.all(keptRecords, keptOperator);
        try {
            disk.replace(file, written.bytes());
        } catch (DiskException e) {
            return;
        }
        end = written.bytes().length;
        shortest = end;
        previous = written.previous();
        slots.clear();
        keptRecords.forEach(record -> remember(record.slot()));
        records = new CopyOnWriteArrayList<>(keptRecords);
        operator = new CopyOnWriteArrayList<>(keptOperator);
    }

    /** Every slot that was ever named. */
    synchronized Set<Slot> slots() {
        return Set.copyOf(slots.values());
    }

    /** Every model that was ever named. */
    Set<String> models() {
        return records.stream().map(record -> record.slot().model()).collect(Collectors.toCollection(TreeSet::new));
    }

    List<OperatorRecord> operatorRecords() {
        return List.copyOf(operator);
    }

    /** Whether the last word of the operator was to pause. */
    boolean isPaused() {
        return !operator.isEmpty() && operator.getLast().action() == OperatorRecord.Action.PAUSED;
    }

    public List<InstallRecord> records() {
        return List.copyOf(records);
    }

    Optional<Rejection> damage() {
        return damage;
    }

    /** The records of one model. */
    List<InstallRecord> records(String model) {
        return records.stream()
                .filter(record -> record.slot().model().equals(model))
                .toList();
    }

    /** The order that named this slot last; 0 where none did. */
    long orderOf(Slot slot) {
        return records.reversed().stream()
                .filter(record -> record.slot().slotId().equals(slot.slotId()))
                .findFirst()
                .map(InstallRecord::orderVersion)
                .orElse(0L);
    }

    /** The last record of a model where nothing final follows it. */
    Optional<InstallRecord> unfinished(String model) {
        List<InstallRecord> own = records(model);
        return own.isEmpty() || own.getLast().state().isFinal() ? Optional.empty() : Optional.of(own.getLast());
    }

    /** The same of each model. */
    List<InstallRecord> unfinished() {
        return models().stream().flatMap(model -> unfinished(model).stream()).toList();
    }
}
