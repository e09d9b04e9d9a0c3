package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.control.Slot;
import dev.holdfast.storage.CutMatrix;
import dev.holdfast.storage.CutMatrix.End;
import dev.holdfast.storage.Disk;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The power-cut matrix of a journal that is made shorter again and again: whatever was acknowledged and still decides something is there
 * afterwards, the journal is whole, and it goes on.
 */
class JournalPowerCutTest {
    /** Every few lines. */
    private static final InstallJournal.Limits SHORT = new InstallJournal.Limits(4_000, 1_200);

    private static final int DAYS = 4;
    private static final int TWICE = 40;

    private static Path root = Path.of("");
    private static CutMatrix matrix = new CutMatrix("the journal", root);

    private final Path file = root.resolve("journal.jsonl");
    private final Set<Slot> inUse = new HashSet<>();
    /** Numbers of the lines that were acknowledged, by what they say. */
    private final List<InstallRecord> acknowledged = new ArrayList<>();

    private boolean paused;

    @BeforeAll
    static void begin() throws IOException {
        root = CutMatrix.directory();
        matrix = new CutMatrix("the journal", root);
    }

    @AfterAll
    static void print() throws IOException {
        matrix.print();
        Files.delete(root);
    }

    @AfterEach
    void clear() throws IOException {
        CutMatrix.clear(root);
    }

    private static Slot slot(String model, String version) {
        return new Slot(
                "models/" + model + "/" + version + "/model.gguf",
                model,
                version,
                3,
                1,
                Sha256.of((model + version).getBytes(StandardCharsets.US_ASCII)),
                10,
                4096,
                Json.object().put("bos", 1),
                Json.object().put("minPassRatio", 0.9));
    }

    private InstallJournal open(Disk disk) throws IOException {
        return InstallJournal.open(file, disk, SHORT, inUse::contains);
    }

    private void append(InstallJournal journal, long day, InstallState state, Slot slot, Optional<Rejection> why)
            throws IOException {
        Instant at = Instant.EPOCH.plusSeconds(86_400 * day);
        acknowledged.add(journal.append(at, day, state, slot, why, "", Optional.empty()));
    }

    /** A device that updates two models every day; one order of each fails. */
    private void live(Disk disk) throws IOException {
        InstallJournal journal = open(disk);
        // A process that comes back goes on: the numbers of orders never fall.
        long before = journal.records().stream()
                .mapToLong(InstallRecord::orderVersion)
                .max()
                .orElse(0);
        for (long day = before + 1; day <= before + DAYS; day++) {
            for (String model : List.of("chat", "embed")) {
                Slot slot = slot(model, day + ".0.0");
                append(journal, day, InstallState.ANNOUNCED, slot, Optional.empty());
                append(journal, day, InstallState.STAGED, slot, Optional.empty());
                if (day == before + DAYS && model.equals("embed")) {
                    append(journal, day, InstallState.FAILED, slot, Optional.of(new Rejection(Code.GATE_CANARY, "no")));
                } else {
                    inUse.removeIf(other -> other.model().equals(model));
                    inUse.add(slot);
                    append(journal, day, InstallState.COMMITTED, slot, Optional.empty());
                }
            }
            if (day == before + 2) {
                journal.append(Instant.EPOCH, OperatorRecord.Action.PAUSED, "");
                paused = true;
            }
        }
    }

    private final class Cut implements CutMatrix.Scenario {
        @Override
        public void restore() throws Exception {
            CutMatrix.clear(root);
            inUse.clear();
            acknowledged.clear();
            paused = false;
        }

        @Override
        public void run(Disk disk) throws Exception {
            try {
                live(disk);
            } catch (IOException e) {
                // The disk failed once: the agent goes on with the next day.
                InstallJournal journal = open(disk);
                long next = 1000 + acknowledged.size();
                append(journal, next, InstallState.ANNOUNCED, slot("chat", "9.0.0"), Optional.empty());
            }
        }

        @Override
        public void comesBack(End end) throws Exception {
            InstallJournal journal = open(Disk.LOCAL);
            assertThat(journal.damage()).isEmpty();
            for (String model : List.of("chat", "embed")) {
                List<InstallRecord> told = acknowledged.stream()
                        .filter(record -> record.slot().model().equals(model))
                        .toList();
                if (told.isEmpty()) {
                    continue;
                }
                // At least what was acknowledged last; a line that was written and not yet acknowledged may be there,
                // too.
                assertThat(journal.records(model).getLast().sequence())
                        .isGreaterThanOrEqualTo(told.getLast().sequence());
                assertThat(journal.records(model)).contains(told.getLast());
            }
            for (Slot slot : inUse) {
                acknowledged.reversed().stream()
                        .filter(record -> record.slot().equals(slot) && record.state() == InstallState.COMMITTED)
                        .findFirst()
                        .ifPresent(committed -> assertThat(journal.records()).contains(committed));
            }
            acknowledged.stream()
                    .filter(record -> record.state() == InstallState.FAILED)
                    .filter(failed -> acknowledged.stream()
                            .filter(record ->
                                    record.slot().model().equals(failed.slot().model()))
                            .noneMatch(record -> record.orderVersion() > failed.orderVersion()))
                    .forEach(failed -> assertThat(new OrderHistory(
                                            journal,
                                            failed.orderVersion(),
                                            failed.slot().slotId())
                                    .failed(true))
                            .isTrue());
            if (paused) {
                assertThat(journal.isPaused()).isTrue();
            }
            InstallRecord next = journal.append(
                    Instant.EPOCH,
                    99,
                    InstallState.ANNOUNCED,
                    slot("chat", "99.0.0"),
                    Optional.empty(),
                    "",
                    Optional.empty());
            InstallJournal again = open(Disk.LOCAL);
            assertThat(again.damage()).isEmpty();
            assertThat(again.records().getLast()).isEqualTo(next);
            assertThat(Files.size(file)).isLessThan(3 * SHORT.atBytes());
        }
    }

    @Test
    void everyOperationMayBeTheLast() throws Exception {
        matrix.everyOperation("journal", new Cut());
    }

    @Test
    void thePowerMayGoAgainWhileItRecovers() throws Exception {
        matrix.twice("journal", TWICE, new Cut());
    }
}
