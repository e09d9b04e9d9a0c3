package dev.holdfast.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufReaderTest {
    @TempDir
    Path folder;

    @Test
    void readsBackWhatTheWriterWrote() throws Exception {
        GgufFile file = read(sample()).orThrow();

        assertThat(file.text("general.architecture", null)).isEqualTo(Verdict.accepted("llama"));
        assertThat(file.whole("llama.block_count", 1, 9, null)).isEqualTo(Verdict.accepted(7L));
        assertThat(file.flag("some.flag", false)).isEqualTo(Verdict.accepted(true));
        GgufValue.Texts words = file.texts("words").orThrow();
        assertThat(List.of(words.text(0), words.text(1), words.text(2))).containsExactly("", "ä", "ccc");
        assertThat(file.numbers("scores").orThrow().real(1)).isEqualTo(-2.5);
        assertThat(file.tensors()).extracting(GgufTensor::name).containsExactly("a", "b", "c");
        GgufTensor quantised = file.tensor("c").orElseThrow();
        assertThat(quantised.type()).isEqualTo(GgmlType.Q8_0);
        assertThat(quantised.dims()).containsExactly(64L, 3L);
        assertThat(quantised.byteLength()).isEqualTo(3 * 2 * 34);
        assertThat(quantised.offset() % 32).isZero();
    }

    @Test
    void writesTheSameBytesTwice() throws Exception {
        assertThat(sample()).isEqualTo(sample());
    }

    @Test
    void quantisesToQ8WithAboutHalfAStepOfError() throws Exception {
        byte[] bytes = sample();
        GgufTensor tensor = read(bytes).orThrow().tensor("c").orElseThrow();
        float[] source = values(192);
        ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).position((int) tensor.offset());
        for (int block = 0; block < 6; block++) {
            float scale = Float.float16ToFloat(in.getShort());
            for (int i = 0; i < 32; i++) {
                assertThat(in.get() * scale).isCloseTo(source[block * 32 + i], within(0.55f * scale));
            }
        }
    }

    @Test
    void refusesEveryTruncation() throws Exception {
        byte[] whole = sample();
        // The last bytes are padding after the last tensor.
        for (int length = 0; length < whole.length - 32; length += 1) {
            assertThat(read(Arrays.copyOf(whole, length)).isAccepted()).isFalse();
        }
    }

    @Test
    void neverThrowsOnMutatedFiles() throws Exception {
        byte[] whole = sample();
        Random random = new Random(42);
        for (int round = 0; round < 30_000; round++) {
            byte[] mutated = whole.clone();
            for (int flips = random.nextInt(1, 5); flips > 0; flips--) {
                mutated[random.nextInt(400)] = (byte) random.nextInt();
            }
            Verdict<GgufFile> verdict = read(mutated);
            if (verdict instanceof Verdict.Accepted<GgufFile>(GgufFile file)) {
                for (GgufTensor tensor : file.tensors()) {
                    assertThat(tensor.offset() + tensor.byteLength()).isLessThanOrEqualTo(mutated.length);
                }
            }
        }
    }

    @Test
    void refusesHugeCounts() {
        assertRejected(head(0, 1L << 61), Code.GGUF_LIMIT);
        assertRejected(head(1L << 61, 0), Code.GGUF_LIMIT);
        assertRejected(head(-1, 0), Code.GGUF_LIMIT);
        assertRejected(head(0, 4096), Code.GGUF_FORMAT);
    }

    @Test
    void refusesAnArrayThatClaimsMoreThanTheFileHas() {
        byte[] bytes = join(head(0, 1), text("words"), i32(9), i32(8), i64(1 << 20));
        assertRejected(bytes, Code.GGUF_FORMAT);
        assertRejected(join(head(0, 1), text("words"), i32(9), i32(8), i64(1L << 40)), Code.GGUF_LIMIT);
        assertRejected(join(head(0, 1), text("words"), i32(9), i32(9), i64(1)), Code.GGUF_UNSUPPORTED);
    }

    @Test
    void refusesDimensionsWhoseProductOverflows() {
        assertRejected(tensors(new long[][] {{1L << 32, 1L << 32}}, 0, 0), Code.GGUF_TENSOR);
        assertRejected(tensors(new long[][] {{-4}}, 0, 0), Code.GGUF_TENSOR);
        assertRejected(tensors(new long[][] {{0}}, 0, 0), Code.GGUF_TENSOR);
        assertRejected(tensors(new long[][] {{33}}, 8, 0), Code.GGUF_TENSOR);
    }

    @Test
    void refusesTensorsThatOverlapLeaveTheFileOrShareAName() {
        assertThat(read(tensors(new long[][] {{8}, {8}}, 0, 32)).isAccepted()).isTrue();
        assertRejected(tensors(new long[][] {{16}, {8}}, 0, 32), Code.GGUF_TENSOR);
        assertRejected(tensors(new long[][] {{8}, {8}}, 0, 16), Code.GGUF_TENSOR);
        assertRejected(tensors(new long[][] {{8}, {8}}, 0, 1L << 40), Code.GGUF_TENSOR);
        assertRejected(tensors(new long[][] {{8}, {8}}, 0, Long.MIN_VALUE), Code.GGUF_TENSOR);
        assertRejected(join(head(2, 0), tensor("x", 0, 0, 8), tensor("x", 0, 32, 8), new byte[128]), Code.GGUF_TENSOR);
    }

    @Test
    void refusesUnknownTypesVersionsAndDoubledKeys() {
        assertRejected(tensors(new long[][] {{256}}, 4, 0), Code.GGUF_UNSUPPORTED);
        assertRejected(tensors(new long[][] {{256}}, 1000, 0), Code.GGUF_UNSUPPORTED);
        byte[] old = head(0, 0);
        old[4] = 2;
        assertRejected(old, Code.GGUF_FORMAT);
        byte[] key = join(text("k"), i32(4), i32(1));
        assertRejected(join(head(0, 2), key, key), Code.GGUF_FORMAT);
        assertRejected(join(head(0, 1), text("general.alignment"), i32(4), i32(24)), Code.GGUF_FORMAT);
    }

    private static org.assertj.core.data.Offset<Float> within(float value) {
        return org.assertj.core.data.Offset.offset(value);
    }

    private static void assertRejected(byte[] bytes, Code code) {
        try {
            read(bytes).orThrow();
            org.assertj.core.api.Assertions.fail("accepted");
        } catch (RejectedException e) {
            assertThat(e.rejection().code()).as(e.getMessage()).isEqualTo(code);
        }
    }

    private static Verdict<GgufFile> read(byte[] bytes) {
        return GgufReader.read(MemorySegment.ofArray(bytes));
    }

    private byte[] sample() throws IOException {
        Path path = folder.resolve("sample.gguf");
        new GgufWriter()
                .put("general.architecture", "llama")
                .put("llama.block_count", 7)
                .put("llama.rope.freq_base", 10000f)
                .put("some.flag", true)
                .put("words", GgufValue.Texts.of(List.of("", "ä", "ccc")))
                .put("scores", GgufValue.Numbers.ofFloats(1f, -2.5f))
                .tensor("a", GgmlType.F32, RowSource.of(values(10)), 5, 2)
                .tensor("b", GgmlType.F16, RowSource.of(values(7)), 7)
                .tensor("c", GgmlType.Q8_0, RowSource.of(values(192)), 64, 3)
                .write(path);
        return Files.readAllBytes(path);
    }

    private static float[] values(int count) {
        Random random = new Random(count);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        return values;
    }

    /** A file with tensors of the given shapes, the first at offset 0, each other one at {@code step} more. */
    private static byte[] tensors(long[][] shapes, int type, long step) {
        byte[] bytes = head(shapes.length, 0);
        for (int i = 0; i < shapes.length; i++) {
            bytes = join(bytes, tensor("t" + i, type, i * step, shapes[i]));
        }
        return join(bytes, new byte[256]);
    }

    private static byte[] tensor(String name, int type, long offset, long... dims) {
        byte[] bytes = join(text(name), i32(dims.length));
        for (long dim : dims) {
            bytes = join(bytes, i64(dim));
        }
        return join(bytes, i32(type), i64(offset));
    }

    private static byte[] head(long tensors, long keys) {
        return join("GGUF".getBytes(StandardCharsets.US_ASCII), i32(3), i64(tensors), i64(keys));
    }

    private static byte[] text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        return join(i64(utf8.length), utf8);
    }

    private static byte[] i32(int value) {
        return ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array();
    }

    private static byte[] i64(long value) {
        return ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array();
    }

    private static byte[] join(byte[]... parts) {
        ByteBuffer all = ByteBuffer.allocate(
                Arrays.stream(parts).mapToInt(part -> part.length).sum());
        Arrays.stream(parts).forEach(all::put);
        return all.array();
    }
}
