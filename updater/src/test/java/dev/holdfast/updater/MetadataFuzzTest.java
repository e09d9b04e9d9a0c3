package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Metadata, orders, signed blocks and journals of any content are read or refused with a code; nothing else is thrown. */
class MetadataFuzzTest {
    private static final int MAX_BYTES = 1 << 20;
    private static final int MANY = 200_000;
    private static final int SOME = 1_000;
    private static final String[] TYPES = {"root", "targets", "snapshot", "timestamp"};
    /** What stands where a value was. */
    private static final String[] VALUES = {
        "null",
        "true",
        "-1",
        "0",
        "9223372036854775808",
        "1e999",
        "0.5",
        "\"\"",
        "\"\\u0000\"",
        "[]",
        "{}",
        "[[[[]]]]",
        "{\"a\":{\"a\":1}}"
    };

    @TempDir
    Path folder;

    @FuzzTest(maxDuration = "1m")
    void metadata(byte[] bytes) {
        isRead(bytes);
    }

    @FuzzTest(maxDuration = "1m")
    void custom(byte[] bytes) {
        block(bytes);
    }

    @FuzzTest(maxDuration = "1m")
    void journalLine(byte[] bytes) throws IOException {
        journal(bytes);
    }

    /** Whether any role could be read. */
    private static boolean isRead(byte[] bytes) {
        boolean any = false;
        for (String type : TYPES) {
            try {
                Envelope envelope = Envelope.parse(bytes, type, MAX_BYTES);
                switch (type) {
                    case "root" -> RootDocument.parse(bytes);
                    case "targets" -> TargetsRole.parse(envelope);
                    default -> envelope.version();
                }
                any = true;
            } catch (RejectedException e) {
                assertThat(e.rejection().code()).isNotNull();
            }
        }
        return any;
    }

    private static boolean block(byte[] bytes) {
        if (!(Json.readObject(bytes, MAX_BYTES) instanceof Verdict.Accepted<?> read)) {
            return false;
        }
        JsonNode node = (JsonNode) read.value();
        TargetFile file = new TargetFile("models/m/1/model.gguf", 1000, Sha256.of(bytes), node);
        CustomBlock.delta(file);
        Slot.fromJson(node);
        return CustomBlock.model(file).isAccepted();
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
            return !InstallJournal.open(file, new LocalDisk()).records().isEmpty();
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void someChangedFilesAreReadOrRefused() throws Exception {
        change(SOME, 20261125);
    }

    @Tag("soak")
    @Test
    void manyChangedFilesAreReadOrRefused() throws Exception {
        change(MANY, 1);
    }

    private void change(int count, long seed) throws Exception {
        RepositorySimulator repository = new RepositorySimulator();
        List<byte[]> files = new ArrayList<>();
        for (String name : new String[] {"1.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"}) {
            files.add(repository.file(name));
        }
        ObjectNode custom =
                RepositorySimulator.modelCustom("1.0.0", 1, 1, new BlockTree(32768, Sha256.of(new byte[0])));
        Random random = new Random(seed);
        int[] read = new int[3];
        for (int i = 0; i < count; i++) {
            read[0] += isRead(changed(files.get(i % files.size()), random)) ? 1 : 0;
            read[1] += block(changed(Json.write(custom), random)) ? 1 : 0;
            read[2] += journal(changed(line(custom), random)) ? 1 : 0;
        }
        System.out.printf(
                "%d changed files of each kind: metadata read %d, blocks %d, journals %d, the others refused%n",
                count, read[0], read[1], read[2]);
        // Neither all nor none: else the changes would be too small or too large to test anything.
        for (int n : read) {
            assertThat(n).isBetween(1, count - 1);
        }
    }

    private byte[] line(ObjectNode custom) throws IOException {
        TargetFile target = new TargetFile("models/intent/1.0.0/model.gguf", 1000, Sha256.of(new byte[1]), custom);
        Path file = Files.createTempFile(folder, "sound", ".jsonl");
        try {
            InstallJournal journal = InstallJournal.open(file, new LocalDisk());
            Slot slot = ((Verdict.Accepted<ModelTarget>) CustomBlock.model(target))
                    .value()
                    .slot();
            journal.append(Instant.EPOCH, 1, InstallState.ANNOUNCED, slot, Optional.empty(), "note", Optional.empty());
            byte[] bytes = Files.readAllBytes(file);
            return Arrays.copyOf(bytes, bytes.length - 1);
        } finally {
            Files.delete(file);
        }
    }

    /** Bytes changed, or a value of the JSON replaced by another kind of value. */
    private static byte[] changed(byte[] good, Random random) {
        if (random.nextBoolean()) {
            byte[] bad = good.clone();
            for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
                bad[random.nextInt(bad.length)] =
                        (byte) (random.nextBoolean() ? random.nextInt() : random.nextInt(32, 127));
            }
            return bad;
        }
        String text = new String(good, StandardCharsets.UTF_8);
        List<Integer> colons = new ArrayList<>();
        for (int at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
            colons.add(at + 1);
        }
        int from = colons.get(random.nextInt(colons.size()));
        int to = from;
        while (to < text.length() && ",}]".indexOf(text.charAt(to)) < 0) {
            to++;
        }
        String value = VALUES[random.nextInt(VALUES.length)];
        return (text.substring(0, from) + value + text.substring(to)).getBytes(StandardCharsets.UTF_8);
    }
}
