package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.storage.Disk;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.JsonChanges;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Install journals of any content are read or refused with a code; nothing else is thrown. */
class JournalFuzzTest {
    private static final int MAX_BYTES = 1 << 20;
    private static final int MANY = 200_000;
    private static final int SOME = 1_000;

    @TempDir
    Path folder;

    @FuzzTest(maxDuration = "1m")
    void journalLine(byte[] bytes) throws IOException {
        journal(bytes);
    }

    /** A line behind a sound one, with a right checksum where it is an object: else nothing behind the checksum would be met. */
    private boolean journal(byte[] bytes) throws IOException {
        byte[] line = bytes;
        if (Json.readObject(bytes, MAX_BYTES) instanceof Verdict.Accepted<?> read) {
            ObjectNode body = ((ObjectNode) read.value()).deepCopy();
            body.remove("crc");
            CRC32C crc = new CRC32C();
            crc.update(Json.write(body));
            line = Json.write(body.put("crc", crc.getValue()));
        }
        Path file = Files.createTempFile(folder, "journal", ".jsonl");
        try {
            byte[] ended = Arrays.copyOf(line, line.length + 1);
            ended[line.length] = '\n';
            Files.write(file, ended);
            return !InstallJournal.open(file, Disk.LOCAL).records().isEmpty();
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void someChangedLinesAreReadOrRefused() throws Exception {
        change(SOME, 20261125);
    }

    @Tag("soak")
    @Test
    void manyChangedLinesAreReadOrRefused() throws Exception {
        change(MANY, 1);
    }

    private void change(int count, long seed) throws Exception {
        byte[] good = line();
        Random random = new Random(seed);
        int read = 0;
        for (int i = 0; i < count; i++) {
            read += journal(JsonChanges.changed(good, random)) ? 1 : 0;
        }
        System.out.printf("%d changed journals: read %d, the others refused%n", count, read);
        // Neither all nor none: else the changes would be too small or too large to test anything.
        assertThat(read).isBetween(1, count - 1);
    }

    private byte[] line() throws Exception {
        ObjectNode custom =
                RepositorySimulator.modelCustom("1.0.0", 1, 1, new BlockTree(32768, Sha256.of(new byte[0])));
        TargetFile target = new TargetFile("models/intent/1.0.0/model.gguf", 1000, Sha256.of(new byte[1]), custom);
        Path file = Files.createTempFile(folder, "sound", ".jsonl");
        try {
            InstallJournal journal = InstallJournal.open(file, Disk.LOCAL);
            journal.append(
                    Instant.EPOCH,
                    1,
                    InstallState.ANNOUNCED,
                    TargetSlot.of(ModelTarget.of(target).orThrow()),
                    Optional.empty(),
                    "note",
                    Optional.empty());
            byte[] bytes = Files.readAllBytes(file);
            return Arrays.copyOf(bytes, bytes.length - 1);
        } finally {
            Files.delete(file);
        }
    }
}
