package dev.holdfast.delta;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.gguf.GgufWriter;
import dev.holdfast.gguf.RowSource;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;

/** A patch's head, plan and payloads of any content, behind right hashes, are read or refused as {@code DLT-...}. */
class PatchFuzzTest {
    private static @Nullable Patch sound;

    @TempDir
    static Path folder = Path.of("");

    /** A real patch, made once: its plan, and the segments of its first block with what they read. */
    private record Patch(byte[] head, PatchPlan plan, List<Segment> segments) {}

    private static Patch sound() throws Exception {
        Patch known = sound;
        if (known == null) {
            Path base = model("base", 0);
            Path next = model("next", 0.02f);
            Path patch = folder.resolve("patch");
            DeltaProducer.create(base, next, patch);
            PatchHeader header = PatchHeader.read(patch).orThrow();
            known = new Patch(
                    Files.readAllBytes(patch), header.plan(), header.block(0).segments());
            sound = known;
        }
        return Objects.requireNonNull(known);
    }

    private static Path model(String name, float move) throws IOException {
        Random weights = new Random(1);
        float[] values = new float[256 * 24];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (weights.nextGaussian() * (1 + (i % 7 == 0 ? move : 0)));
        }
        Path file = folder.resolve(name);
        GgufWriter writer = new GgufWriter();
        for (GgmlType type : new GgmlType[] {GgmlType.Q8_0, GgmlType.Q4_0, GgmlType.Q4_K, GgmlType.F16}) {
            writer.tensor(type.name(), type, RowSource.of(values), 256, 24);
        }
        writer.write(file);
        return file;
    }

    /** Head and table as they come, the hash over them made right. */
    @FuzzTest(maxDuration = "1m")
    void head(byte[] bytes) throws Exception {
        byte[] file = bytes.clone();
        if (file.length >= PatchHeader.HEAD_BYTES) {
            ByteBuffer head = ByteBuffer.wrap(file);
            head.putInt(0, PatchHeader.MAGIC).putInt(4, PatchHeader.VERSION << 16);
            long body = PatchHeader.HEAD_BYTES + (long) head.getInt(88) * PatchHeader.ENTRY_BYTES + head.getInt(92);
            if (head.getInt(88) >= 0 && head.getInt(92) >= 0 && body + Sha256.BYTES <= file.length) {
                head.put((int) body, Sha256.of(Arrays.copyOf(file, (int) body)).toArray());
            }
        }
        Path patch = Files.write(folder.resolve("fuzzed"), file);
        switch (PatchHeader.read(patch)) {
            case Verdict.Accepted<PatchHeader>(PatchHeader header) ->
                assertThat(header.plan()).isNotNull();
            case Verdict.Rejected<PatchHeader> rejected ->
                refused(rejected.reason().code());
        }
    }

    @FuzzTest(maxDuration = "1m")
    void plan(byte[] bytes) {
        try {
            assertThat(PatchPlan.read(bytes).segments()).isNotNull();
        } catch (RejectedException e) {
            refused(e.rejection().code());
        }
    }

    /** The first two bytes choose a segment of a real patch; the rest is its payload. */
    @FuzzTest(maxDuration = "1m")
    void payload(byte[] bytes) throws Exception {
        if (bytes.length < 2) {
            return;
        }
        Patch patch = sound();
        int index = (Byte.toUnsignedInt(bytes[0]) << 8 | Byte.toUnsignedInt(bytes[1])) % patch.segments.size();
        Segment real = patch.segments.get(index);
        byte[] payload = Arrays.copyOfRange(bytes, 2, bytes.length);
        Segment segment = new Segment(
                real.op(), real.model(), real.label(), real.outputBytes(), payload.length, real.source(), real.first());
        byte[] source = new byte[(int) patch.plan.sourceBytes(real)];
        new Random(2).nextBytes(source);
        try {
            assertThat(new SegmentDecoder(patch.plan).decode(segment, source, payload, 0))
                    .hasSize(real.outputBytes());
        } catch (RejectedException e) {
            refused(e.rejection().code());
        }
    }

    private static void refused(Code code) {
        assertThat(code.id()).startsWith("DLT-");
    }
}
