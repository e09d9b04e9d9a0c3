package dev.holdfast.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class RowDecoderTest {
    private static final int BLOCKS = 64;

    /**
     * SHA-256 over the floats that the Python reference of GGML ({@code gguf.quants}, llama.cpp b9749) makes of the same 64
     * pseudo-random blocks.
     */
    @ParameterizedTest
    @CsvSource({
        "F16, 92efc82fcad37ef01b3f8746003fc32890ffba5f7d127898f4d1b26363e143cf",
        "BF16, 7eca635a8e18c077cfef58ffa14e504695f1ae6ddb98fbeaa32b907e44890367",
        "Q8_0, a2282abbafdd154495b3510b24645f89da837bc69ec9af1c422ec500989271f7",
        "Q4_0, 22bb8a97542ab47b8f209e3bb398435a1cd6dd0eaeb439535eb6d963d07cc4ed",
        "Q4_1, 93f2b1cf868011a8c6f95dacee0b654e761408667af2bd2b4e47100adc023faa",
        "Q5_0, 758763a3c5ba98b4b7440909deb2be15362a55e5f704e6b25b7e75a236149f04",
        "Q5_1, 63244245b07ae5c3a9ffe7ac211579d08a4166e66cf2fa9442c1b91da1ea6300",
        "Q4_K, 7b1f81df5a8b38bde879d62c93ad7a740dc5eb3f4ca9943ab2f7abcba17ac306",
        "Q5_K, 87ac51fc61c1de9be16e22d46e80f5dd574d4865beca0833be64bf9913a8cbc1",
        "Q6_K, 51e30f59b012749ac717c65d06b6a1783734f12b2673876023725ee2c60a4c50",
        "IQ4_NL, 12fb2672ccaeeff74b3ddaa6f7eaa1ee93e8bd0a05c43c87e7216c951552d95f"
    })
    void givesTheReferencesFloatsBitForBit(GgmlType type, String sha256) throws Exception {
        float[] out = new float[BLOCKS * type.blockElements()];
        RowDecoder.of(type).orElseThrow().decode(MemorySegment.ofArray(blocks(type)), 0, out, 0, out.length);
        ByteBuffer floats = ByteBuffer.allocate(4 * out.length).order(ByteOrder.LITTLE_ENDIAN);
        floats.asFloatBuffer().put(out);
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(floats.array());
        assertThat(HexFormat.of().formatHex(digest)).isEqualTo(sha256);
    }

    /** Pseudo-random bytes, whose half-precision scales are kept finite. */
    private static byte[] blocks(GgmlType type) {
        byte[] bytes = new byte[BLOCKS * type.blockBytes()];
        long state = type.blockBytes();
        for (int i = 0; i < bytes.length; i++) {
            state = state * 6364136223846793005L + 1442695040888963407L;
            bytes[i] = (byte) (state >>> 56);
        }
        int[] scales = switch (type) {
            case Q4_1, Q5_1, Q4_K, Q5_K -> new int[] {0, 2};
            case Q6_K -> new int[] {208};
            default -> new int[] {0};
        };
        for (int block = 0; block < bytes.length; block += type.blockBytes()) {
            for (int scale : scales) {
                bytes[block + scale + 1] &= (byte) 0xbf;
            }
        }
        return bytes;
    }

    @ParameterizedTest
    @EnumSource
    void unpacksWhatTheEncoderPacks(GgmlType type) {
        if (!RowEncoder.supports(type)) {
            assertThat(RowDecoder.of(type)).isEmpty();
            return;
        }
        Random random = new Random(type.id());
        float[] row = new float[1024];
        double power = 0;
        for (int i = 0; i < row.length; i++) {
            row[i] = (float) (random.nextGaussian() * 0.05);
            power += row[i] * (double) row[i];
        }
        int bytes = (int) type.bytesFor(row.length);
        ByteBuffer packed = ByteBuffer.allocate(bytes + 7).order(ByteOrder.LITTLE_ENDIAN);
        RowEncoder.encode(type, row, packed.position(7));
        float[] out = new float[row.length + 3];
        RowDecoder.of(type).orElseThrow().decode(MemorySegment.ofArray(packed.array()), 7, out, 3, row.length);

        double error = 0;
        for (int i = 0; i < row.length; i++) {
            error += (out[i + 3] - row[i]) * (double) (out[i + 3] - row[i]);
        }
        // Root-mean-square error of Gaussian weights relative to themselves; a type's own figure plus a tenth.
        double most = switch (type) {
            case F32 -> 1e-12;
            case F16 -> 3e-4;
            case BF16 -> 2e-3;
            case Q8_0 -> 6e-3;
            case Q6_K -> 0.02;
            case Q5_K -> 0.04;
            case Q5_0, Q5_1 -> 0.05;
            case Q4_K, IQ4_NL -> 0.085;
            default -> 0.1;
        };
        assertThat(Math.sqrt(error / power)).isLessThan(most);
        assertThat(Arrays.copyOf(out, 3)).containsOnly(0);
    }

    @ParameterizedTest
    @EnumSource(
            names = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL"})
    void readsNothingBehindTheLastByte(GgmlType type) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[2 * type.blockBytes() - 1]);
        float[] out = new float[2 * type.blockElements()];
        assertThatThrownBy(() -> RowDecoder.of(type).orElseThrow().decode(bytes, 0, out, 0, out.length))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void theEncoderTakesWhateverFloatsThereAre() {
        float[] row = new float[512];
        float[] hostile = {
            Float.NaN, Float.POSITIVE_INFINITY, -0f, Float.MIN_VALUE, Float.MAX_VALUE, -Float.MAX_VALUE, 65520f
        };
        Random random = new Random(3);
        for (int round = 0; round < 300; round++) {
            for (int i = 0; i < row.length; i++) {
                row[i] = random.nextInt(8) == 0
                        ? hostile[random.nextInt(hostile.length)]
                        : (float) random.nextGaussian();
            }
            for (GgmlType type : GgmlType.values()) {
                if (RowEncoder.supports(type)) {
                    ByteBuffer out =
                            ByteBuffer.allocate((int) type.bytesFor(row.length)).order(ByteOrder.LITTLE_ENDIAN);
                    RowEncoder.encode(type, row, out);
                    assertThat(out.hasRemaining()).isFalse();
                }
            }
        }
    }
}
