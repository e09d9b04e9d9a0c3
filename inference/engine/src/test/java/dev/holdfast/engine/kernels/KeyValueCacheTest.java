package dev.holdfast.engine.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What was written comes back, at sizes that fill no block, no vector and no page. */
class KeyValueCacheTest {
    private static final int PAGE = KeyValueCache.PAGE;
    private static final int CAPACITY = 150;

    private final Random random = new Random(3);

    @ParameterizedTest
    @CsvSource({
        "F32,8,1",
        "F32,24,2",
        "F32,80,3",
        "F16,2,1",
        "F16,24,3",
        "F16,128,2",
        "Q8_0,2,1",
        "Q8_0,24,3",
        "Q8_0,32,2",
        "Q8_0,80,2",
        "Q8_0,128,1"
    })
    void keysAndValuesComeBack(CacheType type, int headSize, int heads) {
        int features = heads * headSize;
        float[] key = random(features * CAPACITY); // [feature][token]
        float[] value = random(features * CAPACITY);
        KeyValueCache cache = new KeyValueCache(type, 2, heads, headSize, CAPACITY);
        int position = 0;
        for (int step : new int[] {1, 32, 31, 5, 1, 32, 48}) {
            write(cache, position, step, key, value, features);
            position += step;
        }
        assertThat(position).isEqualTo(CAPACITY);
        int valueStride = KeyValueCache.valueStride(headSize);
        float[] keys = new float[headSize * PAGE + 3];
        float[] values = new float[valueStride * PAGE + 3];
        for (int p = 0; p < CAPACITY; p++) {
            for (int head = 0; head < heads; head++) {
                cache.page(1, p).keys(new ScalarKernels(), head, keys, 3);
                cache.page(1, p).values(new ScalarKernels(), head, values, 3);
                for (int d = 0; d < headSize; d++) {
                    int feature = head * headSize + d;
                    assertThat(keys[3 + d * PAGE + p % PAGE])
                            .isCloseTo(key[feature * CAPACITY + p], within(error(type, key, feature, headSize, p)));
                    assertThat(values[3 + p % PAGE * valueStride + d])
                            .isCloseTo(value[feature * CAPACITY + p], within(error(type, value, feature, headSize, p)));
                }
            }
        }
    }

    /** As the engine does: a single token has stride one, a batch the stride of batches. */
    private static void write(KeyValueCache cache, int position, int count, float[] key, float[] value, int features) {
        int stride = count == 1 ? 1 : 64;
        float[] keys = new float[features * stride];
        float[] values = new float[features * stride];
        for (int f = 0; f < features; f++) {
            System.arraycopy(key, f * CAPACITY + position, keys, f * stride, count);
            System.arraycopy(value, f * CAPACITY + position, values, f * stride, count);
        }
        cache.write(1, position, count, keys, values, stride);
    }

    /** Half a step: of the last of eleven bits, or of a 127th of the largest in the block; and a hair for the arithmetic. */
    private static float error(CacheType type, float[] x, int feature, int headSize, int position) {
        return switch (type) {
            case F32 -> 0;
            case F16 ->
                Math.ulp(Float.float16ToFloat(Float.floatToFloat16(1f)))
                        * (1 << 12)
                        * Math.abs(at(x, feature, position));
            case Q8_0 -> {
                int first = feature - feature % headSize % 32;
                int end = Math.min(first + 32, feature - feature % headSize + headSize);
                float largest = 0;
                for (int f = first; f < end; f++) {
                    largest = Math.max(largest, Math.abs(at(x, f, position)));
                }
                yield largest / 254 * 1.0001f;
            }
        };
    }

    private static float at(float[] x, int feature, int position) {
        return x[feature * CAPACITY + position];
    }

    @ParameterizedTest
    @CsvSource({"F16,8,1", "F16,24,2", "Q8_0,2,1", "Q8_0,24,2", "Q8_0,64,3", "Q8_0,80,2"})
    void vectorKernelsUnpackWhatScalarOnesDo(CacheType type, int headSize, int heads) {
        KeyValuePage page = KeyValuePage.of(type, heads, headSize);
        page.put(0, PAGE, random(heads * headSize * PAGE), random(heads * headSize * PAGE), 0, PAGE);
        int floats = KeyValueCache.valueStride(headSize) * PAGE;
        for (int head = 0; head < heads; head++) {
            float[] expected = new float[floats + 5];
            float[] actual = new float[floats + 5];
            page.keys(new ScalarKernels(), head, expected, 5);
            page.keys(new VectorKernels(), head, actual, 5);
            assertThat(actual).isEqualTo(expected);
            page.values(new ScalarKernels(), head, expected, 5);
            page.values(new VectorKernels(), head, actual, 5);
            assertThat(actual).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @EnumSource(CacheType.class)
    void nothingIsLeftOfAnErasedSequence(CacheType type) {
        KeyValueCache cache = new KeyValueCache(type, 1, 2, 24, 2 * PAGE);
        float[] x = random(48 * PAGE);
        cache.write(0, 0, PAGE, x, x, PAGE);
        cache.write(0, PAGE, 3, x, x, PAGE);
        cache.erase();
        float[] out = new float[32 * PAGE];
        for (int position : new int[] {0, PAGE}) {
            cache.page(0, position).keys(new ScalarKernels(), 1, out, 0);
            assertThat(out).containsOnly(0);
            cache.page(0, position).values(new ScalarKernels(), 1, out, 0);
            assertThat(out).containsOnly(0);
        }
    }

    @Test
    void pagesAreMadeAsPositionsCome() {
        KeyValueCache cache = new KeyValueCache(CacheType.F16, 1, 1, 8, 3 * PAGE);
        cache.write(0, PAGE - 1, 1, random(8), random(8), 1);
        assertThat(cache.page(0, 0)).isNotNull();
        assertThatThrownBy(() -> cache.page(0, PAGE)).isInstanceOf(IllegalStateException.class);
    }

    /** The first two are what a model that computes no number is found by; the last is a model that works. */
    @ParameterizedTest
    @CsvSource({"Q8_0,NaN,NaN", "F16,NaN,NaN", "F16,1e6,65504", "F16,-1e6,-65504", "Q8_0,1e30,1e30", "Q8_0,0,0"})
    void extremesAreKept(CacheType type, float written, float read) {
        KeyValuePage page = KeyValuePage.of(type, 1, 2);
        page.put(7, 1, new float[] {0, written}, new float[] {0, written}, 0, 1);
        float[] out = new float[16 * PAGE];
        page.keys(new VectorKernels(), 0, out, 0);
        assertThat(Float.valueOf(out[PAGE + 7])).isEqualTo(Float.valueOf(read));
        page.values(new VectorKernels(), 0, out, 0);
        assertThat(Float.valueOf(out[7 * 16 + 1])).isEqualTo(Float.valueOf(read));
    }

    /** SmolLM2-135M at 2,048: what the page says of itself is what its arrays hold. */
    @ParameterizedTest
    @CsvSource({"F32,94371840", "F16,47185920", "Q8_0,26542080"})
    void aFullCacheTakes(CacheType type, long bytes) {
        assertThat(KeyValueCache.bytes(type, 30, 3, 64, 2048)).isEqualTo(bytes);
    }

    private float[] random(int length) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = random.nextFloat() * 2 - 1;
        }
        return values;
    }
}
