package dev.holdfast.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.engine.kernels.Workers;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryNeedsTest {
    @TempDir
    Path folder;

    @Test
    void theHeadAloneSaysWhatALoadedModelTakes() throws Exception {
        Path file = folder.resolve("tiny.gguf");
        TinyModel.write(file, 1, TinyModel.Flaw.NONE);
        MemoryNeeds needs = MemoryNeeds.of(file, 128, 3, CacheType.F16).orThrow();
        assertThat(needs.fileBytes()).isEqualTo(Files.size(file));
        // Two layers, 128 positions, keys and values of 32 elements of 2 bytes.
        assertThat(needs.cacheBytes()).isEqualTo(3 * 2 * 128 * 2 * 32 * 2);
        assertThat(needs.totalBytes()).isEqualTo(needs.fileBytes() + needs.heapBytes());
        assertThat(needs.heapBytes()).isEqualTo(needs.cacheBytes() + needs.bufferBytes() + needs.sharedBytes());
    }

    @Test
    void theContextOfTheModelIsALimitToo() throws Exception {
        Path file = folder.resolve("tiny.gguf");
        TinyModel.write(file, 1, TinyModel.Flaw.NONE);
        MemoryNeeds own =
                MemoryNeeds.of(file, TinyModel.CONTEXT, 1, CacheType.F16).orThrow();
        assertThat(MemoryNeeds.of(file, 1 << 20, 1, CacheType.F16)).isEqualTo(Verdict.accepted(own));
        assertThat(MemoryNeeds.of(file, TinyModel.CONTEXT, 1, CacheType.F32)
                        .orThrow()
                        .cacheBytes())
                .isEqualTo(2 * own.cacheBytes());
    }

    /** What is counted and what is made must not drift apart: all arrays of a sequence are found by reflection. */
    @Test
    void theBuffersOfASequenceAreThoseThatAreCounted() throws Exception {
        Path file = folder.resolve("tiny.gguf");
        TinyModel.write(file, 1, TinyModel.Flaw.NONE);
        MemoryNeeds needs = MemoryNeeds.of(file, 200, 1, CacheType.F16).orThrow();
        try (Workers workers = Workers.of(1);
                LoadedModel model =
                        LoadedModel.load(file, workers, 200, CacheType.F16).orThrow()) {
            Object sequence = model.newSequence();
            long bytes = 0;
            for (var field : sequence.getClass().getDeclaredFields()) {
                field.setAccessible(true);
                bytes += switch (field.get(sequence)) {
                    case float[] floats -> 4L * floats.length;
                    case int[] ints -> 4L * ints.length;
                    default -> 0;
                };
            }
            assertThat(needs.bufferBytes()).isEqualTo(bytes);
        }
    }

    @Test
    void anEncoderTakesActivationsAndOneLayersKeysPerText() throws Exception {
        Path file = folder.resolve("encoder.gguf");
        ModelShape shape = new ModelShape(128, 3, 96, 4, 4, 24, 160, 300);
        new RandomModel("bert", shape, GgmlType.F32, 8).put("pooling_type", 1).writeEncoder(file);
        MemoryNeeds one = MemoryNeeds.of(file, 2048, 1, CacheType.F16).orThrow();
        MemoryNeeds four = MemoryNeeds.of(file, 2048, 4, CacheType.F16).orThrow();
        assertThat(four.cacheBytes()).isEqualTo(4 * one.cacheBytes()).isPositive();
        assertThat(four.bufferBytes()).isEqualTo(4 * one.bufferBytes()).isPositive();
        assertThat(four.sharedBytes()).isEqualTo(one.sharedBytes());
        assertThat(MemoryNeeds.of(file, 2048, 1, CacheType.Q8_0)).isEqualTo(Verdict.accepted(one));
    }

    @Test
    void whatIsNoModelIsRefused() throws Exception {
        Path file = Files.write(folder.resolve("garbage"), new byte[4096]);
        assertThat(refusal(file)).isEqualTo(Code.GGUF_FORMAT);
        assertThat(refusal(folder.resolve("absent"))).isEqualTo(Code.INS_STORAGE);
    }

    private static Code refusal(Path file) {
        return switch (MemoryNeeds.of(file, 2048, 4, CacheType.DEFAULT)) {
            case Verdict.Rejected<MemoryNeeds>(Rejection why) -> why.code();
            case Verdict.Accepted<MemoryNeeds>(MemoryNeeds needs) -> throw new AssertionError(needs);
        };
    }
}
