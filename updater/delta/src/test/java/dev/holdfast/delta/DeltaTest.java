package dev.holdfast.delta;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Progress;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DeltaTest {
    @TempDir
    Path dir;

    private Path file(String name, byte[] bytes) throws IOException {
        return Files.write(dir.resolve(name), bytes);
    }

    private static byte[] noise(int length, int seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static byte[] nudged(byte[] base) {
        byte[] next = base.clone();
        for (int i = 0; i < next.length; i += 2048) {
            next[i]++;
        }
        return next;
    }

    @Test
    void makesEveryKindOfFileAgain() throws Exception {
        byte[] base = noise(2_500_000, 1);
        byte[] longer = Arrays.copyOf(nudged(base), 3_000_001);
        byte[][] nexts = {base, nudged(base), longer, new byte[0], noise(70_000, 2), new byte[1_500_000]};
        Path old = file("base", base);
        for (byte[] next : nexts) {
            Path patch = dir.resolve("patch");
            DeltaSummary summary = DeltaProducer.create(old, file("next", next), patch);
            assertThat(DeltaFiles.apply(old, patch, dir.resolve("made"), 1, Progress.SILENT))
                    .isEqualTo(Verdict.accepted(Sha256.of(next)));
            assertThat(Files.readAllBytes(dir.resolve("made"))).isEqualTo(next);
            DeltaInspection seen = DeltaInspection.of(patch).orThrow();
            assertThat(seen.resultBytes()).isEqualTo(next.length);
            assertThat(seen.patchBytes()).isEqualTo(summary.patchBytes());
            assertThat(seen.parts().stream()
                            .mapToLong(DeltaInspection.Part::outputBytes)
                            .sum())
                    .isEqualTo(next.length);
        }
    }

    @Test
    void aSmallChangeCostsLittle() throws Exception {
        byte[] base = noise(2_000_000, 1);
        DeltaSummary summary =
                DeltaProducer.create(file("base", base), file("next", nudged(base)), dir.resolve("patch"));
        assertThat(summary.ratio()).isLessThan(0.05);
    }

    @Test
    void refusesAnotherBase() throws Exception {
        byte[] base = noise(100_000, 1);
        Path patch = dir.resolve("patch");
        DeltaProducer.create(file("base", base), file("next", nudged(base)), patch);
        assertThat(DeltaFiles.apply(file("other", noise(100_000, 9)), patch, dir.resolve("made"), 1, Progress.SILENT))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.DLT_BASE));
        assertThat(dir.resolve("made")).doesNotExist();
    }

    /** By its length, before a byte of it is read: one that begins with the right base, and one that ends too soon. */
    @Test
    void refusesABaseOfAnotherLength() throws Exception {
        byte[] base = noise(100_000, 1);
        Path patch = dir.resolve("patch");
        DeltaProducer.create(file("base", base), file("next", nudged(base)), patch);
        for (int length : new int[] {base.length - 1, base.length + 1}) {
            assertThat(DeltaApplier.open(file("other", Arrays.copyOf(base, length)), patch))
                    .isInstanceOfSatisfying(
                            Verdict.Rejected.class,
                            r -> assertThat(r.reason().code()).isEqualTo(Code.DLT_BASE));
        }
    }

    /** Takes only blocks that are right, and fails the test otherwise. */
    private record Checking(byte[] right) implements BlockOutput {
        @Override
        public boolean has(int block) {
            return false;
        }

        @Override
        public void write(int block, long offset, ByteBuffer bytes) {
            byte[] made = new byte[bytes.remaining()];
            bytes.get(made);
            assertThat(made).isEqualTo(Arrays.copyOfRange(right, (int) offset, (int) offset + made.length));
        }
    }

    @Test
    void refusesEveryFlippedBitBeforeAWrongBlockIsWritten() throws Exception {
        byte[] base = model(GgmlType.Q4_0, 1, 0);
        byte[] next = model(GgmlType.Q4_0, 1, 0.02f);
        Path old = file("base", base);
        Path patch = dir.resolve("patch");
        DeltaProducer.create(old, file("next", next), patch);
        byte[] sound = Files.readAllBytes(patch);
        int head = (int) DeltaInspection.of(patch).orThrow().headBytes();
        Random random = new Random(11);
        int flips = 10_000;
        for (int i = 0; i < flips; i++) {
            // Half of the flips go to head, table and plan, where a parser has most to lose.
            int at = random.nextInt(i % 2 == 0 ? sound.length : head);
            sound[at] ^= (byte) (1 << i % 8);
            Files.write(patch, sound);
            assertThat(refused(old, patch, next)).as("flip at " + at).isTrue();
            sound[at] ^= (byte) (1 << i % 8);
        }
        System.out.println("flipped bits: " + flips + " tried, " + flips + " refused before a wrong byte was written");
    }

    @Test
    void survivesAHostilePlanWithRightHashes() throws Exception {
        byte[] next = model(GgmlType.Q4_K, 1, 0.02f);
        Path old = file("base", model(GgmlType.Q4_K, 1, 0));
        Path patch = dir.resolve("patch");
        DeltaProducer.create(old, file("next", next), patch);
        ByteBuffer sound = ByteBuffer.wrap(Files.readAllBytes(patch));
        int blocks = sound.getInt(88);
        int table = PatchHeader.HEAD_BYTES + blocks * PatchHeader.ENTRY_BYTES;
        byte[] plan = Zstd.expand(sound.array(), table, sound.getInt(92), sound.getInt(96), Code.DLT_FORMAT);
        int payloads = table + sound.getInt(92) + Sha256.BYTES;
        Random random = new Random(12);
        for (int i = 0; i < 3000; i++) {
            byte[] hostile = plan.clone();
            for (int flips = 0; flips <= i % 3; flips++) {
                hostile[random.nextInt(i % 2 == 0 ? hostile.length : Math.min(400, hostile.length))] ^=
                        (byte) (1 << random.nextInt(8));
            }
            byte[] stored = Zstd.compress(hostile);
            ByteBuffer head = ByteBuffer.allocate(table + stored.length + Sha256.BYTES + sound.capacity() - payloads);
            head.put(sound.array(), 0, table).putInt(92, stored.length).put(stored);
            head.put(Sha256.of(Arrays.copyOf(head.array(), head.position())).toArray());
            head.put(sound.array(), payloads, sound.capacity() - payloads);
            Files.write(patch, head.array());
            refused(old, patch, next);
        }
    }

    @Test
    void survivesHostilePayloadsWithRightHashes() throws Exception {
        byte[] next = model(GgmlType.Q8_0, 1, 0.02f);
        Path old = file("base", model(GgmlType.Q8_0, 1, 0));
        Path patch = dir.resolve("patch");
        DeltaProducer.create(old, file("next", next), patch);
        byte[] sound = Files.readAllBytes(patch);
        DeltaApplier applier = DeltaApplier.open(old, patch).orThrow();
        PatchHeader.Block block = applier.header().block(0);
        byte[] payload = Arrays.copyOfRange(
                sound, (int) block.payloadOffset(), (int) block.payloadOffset() + block.payloadBytes());
        Random random = new Random(13);
        SegmentDecoder decoder = new SegmentDecoder(applier.header().plan());
        int rejected = 0;
        for (int i = 0; i < 3000; i++) {
            byte[] hostile = payload.clone();
            hostile[random.nextInt(i % 2 == 0 ? hostile.length : 200)] ^= (byte) (1 << random.nextInt(8));
            int from = 0;
            for (Segment segment : block.segments()) {
                byte[] source = new byte[(int) applier.header().plan().sourceBytes(segment)];
                try {
                    decoder.decode(segment, source, hostile, from);
                } catch (RejectedException e) {
                    rejected++;
                }
                from += segment.payloadBytes();
            }
        }
        applier.close();
        assertThat(rejected).isGreaterThan(1000);
    }

    @ParameterizedTest
    @EnumSource(
            value = GgmlType.class,
            names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "F16", "BF16", "F32"})
    void everyTypeComesOutExactAndSmallerThanGenericCompression(GgmlType type) throws Exception {
        byte[] base = model(type, 1, 0);
        byte[] next = model(type, 1, 0.01f);
        Path old = file("base", base);
        Path patch = dir.resolve("patch");
        DeltaProducer.create(old, file("next", next), patch);
        assertThat(DeltaFiles.apply(old, patch, dir.resolve("made"), 2, Progress.SILENT))
                .isEqualTo(Verdict.accepted(Sha256.of(next)));
        byte[] difference = next.clone();
        for (int i = 0; i < difference.length; i++) {
            difference[i] -= base[i];
        }
        assertThat(Files.size(patch)).isLessThan(Zstd.compress(difference).length * 95L / 100);
    }

    @Test
    void everyTypeIsMadeFromEveryOther() throws Exception {
        GgmlType[] types = {
            GgmlType.F32,
            GgmlType.F16,
            GgmlType.BF16,
            GgmlType.Q8_0,
            GgmlType.Q4_0,
            GgmlType.Q4_1,
            GgmlType.Q5_0,
            GgmlType.Q5_1,
            GgmlType.Q4_K,
            GgmlType.Q5_K,
            GgmlType.Q6_K,
            GgmlType.IQ4_NL
        };
        Path patch = dir.resolve("patch");
        for (GgmlType from : types) {
            Path old = file("base", model(from, 1, 0));
            for (GgmlType to : types) {
                byte[] next = model(to, 1, 0);
                DeltaSummary summary = DeltaProducer.create(old, file("next", next), patch);
                assertThat(DeltaFiles.apply(old, patch, dir.resolve("made"), 1, Progress.SILENT))
                        .as(from + " to " + to)
                        .isEqualTo(Verdict.accepted(Sha256.of(next)));
                assertThat(summary.ratio()).as(from + " to " + to).isLessThan(to == GgmlType.F32 ? 0.95 : 0.9);
            }
        }
    }

    @Test
    void findsTensorsThatWereRenamedAndReordered() throws Exception {
        byte[] base = model(GgmlType.Q8_0, 1, 0, "a", "b", "c");
        byte[] next = model(GgmlType.Q8_0, 1, 0.001f, "z.0", "b", "z.1");
        DeltaProducer.create(file("base", base), file("next", next), dir.resolve("patch"));
        assertThat(DeltaFiles.apply(dir.resolve("base"), dir.resolve("patch"), dir.resolve("made"), 1, Progress.SILENT))
                .isEqualTo(Verdict.accepted(Sha256.of(next)));
        assertThat(DeltaInspection.of(dir.resolve("patch")).orThrow().parts())
                .filteredOn(part -> part.name().startsWith("z."))
                .hasSize(2)
                .allSatisfy(part -> assertThat(part.operations()).containsKey(DeltaOp.QDIFF));
    }

    @Test
    void aThousandRandomMutationsComeOutExact() throws Exception {
        byte[] base = model(GgmlType.Q4_0, 1, 0);
        Path old = file("base", base);
        Random random = new Random(14);
        for (int i = 0; i < 1000; i++) {
            byte[] next = mutated(base, random);
            Path patch = dir.resolve("patch");
            DeltaProducer.create(old, file("next", next), patch);
            assertThat(DeltaFiles.apply(old, patch, dir.resolve("made"), 1, Progress.SILENT))
                    .as("mutation " + i)
                    .isEqualTo(Verdict.accepted(Sha256.of(next)));
        }
    }

    private static byte[] mutated(byte[] base, Random random) {
        byte[] next = base.clone();
        int changes = 1 + random.nextInt(20);
        for (int i = 0; i < changes; i++) {
            int at = random.nextInt(next.length);
            int length = Math.min(next.length - at, 1 + random.nextInt(2000));
            switch (random.nextInt(5)) {
                case 0 -> next[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> Arrays.fill(next, at, at + length, (byte) random.nextInt());
                case 2 -> System.arraycopy(base, random.nextInt(base.length - length), next, at, length);
                case 3 -> next = Arrays.copyOf(next, next.length - Math.min(length, next.length / 2));
                default -> {
                    byte[] longer = Arrays.copyOf(next, next.length + length);
                    System.arraycopy(next, at, longer, at + length, next.length - at);
                    next = longer;
                }
            }
        }
        return next;
    }

    /** A killed process: the file system stops taking writes after some number of progress calls. */
    @Test
    void inPlaceSurvivesAKillAfterAnyBlock() throws Exception {
        byte[] base = model(GgmlType.F32, 12, 0);
        byte[] next = model(GgmlType.F32, 12, 0.01f);
        Path patch = dir.resolve("patch");
        DeltaProducer.create(file("base", base), file("next", next), patch);
        int blocks = DeltaInspection.of(patch).orThrow().blocks();
        assertThat(blocks).isGreaterThan(2);
        for (int kill = 1; kill <= blocks; kill++) {
            Path file = file("model", base);
            Path undo = dir.resolve("undo");
            int[] left = {kill};
            try {
                InPlacePatch.apply(file, patch, undo, (done, total) -> {
                    if (--left[0] == 0) {
                        throw new IllegalStateException("killed");
                    }
                });
            } catch (IllegalStateException e) {
                // The last block may be half written; its old bytes are in the undo file.
                tearLastBlock(file, patch, undo);
            }
            assertThat(InPlacePatch.apply(file, patch, undo, Progress.SILENT))
                    .isEqualTo(Verdict.accepted(Sha256.of(next)));
            assertThat(undo).doesNotExist();
        }
    }

    private static void tearLastBlock(Path file, Path patch, Path undo) throws Exception {
        int index = ByteBuffer.wrap(Files.readAllBytes(undo)).getInt(Sha256.BYTES);
        PatchHeader.Block block = PatchHeader.read(patch).orThrow().block(index);
        byte[] bytes = Files.readAllBytes(file);
        int from = (int) block.outputOffset();
        Arrays.fill(bytes, from, from + block.outputBytes() / 2, (byte) 0x55);
        Files.write(file, bytes);
    }

    @Test
    void inPlaceRefusesWhatIsNotItsBase() throws Exception {
        Path patch = dir.resolve("patch");
        DeltaProducer.create(file("base", noise(5000, 1)), file("next", noise(5000, 2)), patch);
        Path other = file("other", noise(5000, 3));
        assertThat(InPlacePatch.apply(other, patch, dir.resolve("undo"), Progress.SILENT))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.DLT_BASE));
        assertThat(Files.readAllBytes(other)).isEqualTo(noise(5000, 3));
    }

    private static byte[] model(GgmlType type, int scale, float move) throws IOException {
        return model(type, scale, move, "a", "b", "c");
    }

    /** Three matrices and a vector of normal weights, moved by a share of their spread. */
    private static byte[] model(GgmlType type, int scale, float move, String... names) throws IOException {
        GgufWriter writer =
                new GgufWriter().put("general.architecture", "llama").put("some.name", "x".repeat(40));
        for (int i = 0; i < names.length; i++) {
            Random weights = new Random(i);
            Random moves = new Random(100 + i);
            float[] values = new float[256 * 96 * scale];
            for (int k = 0; k < values.length; k++) {
                values[k] = (float) (weights.nextGaussian() * 0.05 + moves.nextGaussian() * 0.05 * move);
            }
            writer.tensor(names[i], type, RowSource.of(values), 256, 96L * scale);
        }
        float[] norm = new float[256];
        Arrays.fill(norm, 1 + move);
        writer.tensor("norm", GgmlType.F32, RowSource.of(norm), 256);
        Path file = Files.createTempFile("model", ".gguf");
        try {
            writer.write(file);
            return Files.readAllBytes(file);
        } finally {
            Files.delete(file);
        }
    }

    private static boolean refused(Path old, Path patch, byte[] right) throws IOException {
        Verdict<DeltaApplier> opened = DeltaApplier.open(old, patch);
        if (opened instanceof Verdict.Accepted<DeltaApplier>(DeltaApplier applier)) {
            try (applier) {
                for (int i = 0; i < applier.blockCount(); i++) {
                    if (!applier.make(i, new Checking(right)).isAccepted()) {
                        return true;
                    }
                }
                return false;
            }
        }
        return true;
    }
}
