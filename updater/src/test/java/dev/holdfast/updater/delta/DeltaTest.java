package dev.holdfast.updater.delta;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Code;
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
            assertThat(DeltaApplier.apply(old, patch, dir.resolve("made")))
                    .isEqualTo(Verdict.accepted(Sha256.of(next)));
            assertThat(Files.readAllBytes(dir.resolve("made"))).isEqualTo(next);
            DeltaInspection seen = DeltaInspection.of(patch).orThrow();
            assertThat(seen.resultBytes()).isEqualTo(next.length);
            assertThat(seen.blocks()).isEqualTo(summary.blocks());
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
    void everyDifferenceOperationIsExact() throws Exception {
        for (DeltaOp op : new DeltaOp[] {DeltaOp.QDIFF_Q8_0, DeltaOp.DIFF_16, DeltaOp.DIFF_32}) {
            byte[] source = noise(34 * 4 * 100, 5);
            byte[] next = noise(34 * 4 * 100, 6);
            assertThat(BlockCodec.decode(op, source, BlockCodec.encode(op, source, next), next.length))
                    .isEqualTo(next);
        }
    }

    @Test
    void refusesAnotherBase() throws Exception {
        byte[] base = noise(100_000, 1);
        Path patch = dir.resolve("patch");
        DeltaProducer.create(file("base", base), file("next", nudged(base)), patch);
        assertThat(DeltaApplier.apply(file("other", noise(100_000, 9)), patch, dir.resolve("made")))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.DLT_BASE));
        assertThat(dir.resolve("made")).doesNotExist();
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
        byte[] base = noise(60_000, 1);
        byte[] next = nudged(base);
        Path old = file("base", base);
        Path patch = dir.resolve("patch");
        DeltaProducer.create(old, file("next", next), patch);
        byte[] sound = Files.readAllBytes(patch);
        Random random = new Random(11);
        for (int i = 0; i < 2000; i++) {
            byte[] bytes = sound.clone();
            // Half of the flips go to head and table, where a parser has most to lose.
            int at = random.nextInt(i % 2 == 0 ? bytes.length : Math.min(bytes.length, 212));
            bytes[at] ^= (byte) (1 << random.nextInt(8));
            Files.write(patch, bytes);
            assertThat(refused(old, patch, next)).as("flip at " + at).isTrue();
        }
    }

    @Test
    void refusesAHostileTableEvenWithARightHash() throws Exception {
        byte[] base = noise(60_000, 1);
        Path old = file("base", base);
        Path patch = dir.resolve("patch");
        DeltaProducer.create(old, file("next", nudged(base)), patch);
        byte[] sound = Files.readAllBytes(patch);
        int body = PatchHeader.HEAD_BYTES + PatchHeader.ENTRY_BYTES;
        Random random = new Random(12);
        for (int i = 0; i < 2000; i++) {
            byte[] bytes = sound.clone();
            bytes[random.nextInt(body)] ^= (byte) (1 << random.nextInt(8));
            byte[] hash = Sha256.of(Arrays.copyOf(bytes, body)).toArray();
            System.arraycopy(hash, 0, bytes, body, hash.length);
            Files.write(patch, bytes);
            refused(old, patch, nudged(base));
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
