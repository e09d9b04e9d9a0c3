package dev.holdfast.attestation;

import dev.holdfast.attestation.LoggedEvent.Cause;
import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;

/** The event that is being extended and appended, on disk before either happens. Not thread-safe. */
final class WriteAhead {
    private static final int MAX_BYTES = Event.MAX_BYTES + EventLog.MAX_NAMED * 2 * ModelName.MAX_CHARS + 256;

    /**
     * @param resetCount the reset of the TEE in which it was written
     * @param before the register before the event is extended
     * @param event the event
     * @param underWay the models whose events are in the log already and whose pointers may not have flipped yet
     */
    record Pending(long resetCount, Sha256 before, LoggedEvent event, SortedSet<String> underWay) {
        Pending {
            underWay = Collections.unmodifiableSortedSet(new TreeSet<>(underWay));
        }
    }

    private final Path path;
    private final Disk disk;
    private final Steps steps;
    /** Known to be gone for good; a file that is absent may have been deleted in memory only. */
    private boolean cleared;

    WriteAhead(Path dir, Disk disk, Steps steps) {
        this.path = dir.resolve("write-ahead");
        this.disk = disk;
        this.steps = steps;
    }

    void write(Pending pending) throws IOException {
        steps.before("write-ahead record");
        cleared = false;
        disk.replace(
                path,
                CborWriter.write(Cbor.dict()
                        .put("resetCount", Cbor.of(pending.resetCount()))
                        .put("before", Cbor.of(pending.before().value()))
                        .put("content", Cbor.of(pending.event().content()))
                        .put("probe", Cbor.of(pending.event().cause() == Cause.PROBE))
                        .put(
                                "underWay",
                                new Cbor.Array(pending.underWay().stream()
                                        .map(Cbor::of)
                                        .toList()))
                        .build()),
                Disk.Access.PRIVATE);
    }

    /** The record, or nothing where there is none or where it cannot be read (the register then tells the truth). */
    Optional<Pending> read() throws IOException {
        if (!Files.exists(path) || Files.size(path) > MAX_BYTES) {
            return Optional.empty();
        }
        byte[] bytes = Files.readAllBytes(path);
        Verdict<Pending> read = Verdict.of(() -> {
            Cbor.Fields fields =
                    Cbor.Fields.of(CborReader.read(bytes, MAX_BYTES).orThrow());
            return new Pending(
                    fields.integer("resetCount", 0, Long.MAX_VALUE),
                    fields.sha256("before"),
                    new LoggedEvent(
                            fields.bytes("content", 1, Event.MAX_BYTES),
                            fields.bool("probe") ? Cause.PROBE : Cause.AGENT),
                    names(fields.array("underWay", EventLog.MAX_NAMED)));
        });
        return read instanceof Verdict.Accepted<Pending>(Pending pending) ? Optional.of(pending) : Optional.empty();
    }

    private static SortedSet<String> names(List<Cbor> items) throws RejectedException {
        SortedSet<String> names = new TreeSet<>();
        for (Cbor item : items) {
            if (!(item instanceof Cbor.Text(String name)) || !ModelName.isName(name)) {
                throw new RejectedException(Code.WIRE_FIELD, "underWay must hold names of models");
            }
            names.add(name);
        }
        return names;
    }

    void clear() throws IOException {
        steps.before("clear the write-ahead record");
        if (!cleared) {
            disk.delete(path);
            cleared = true;
        }
    }
}
