package dev.holdfast.bench;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** How fast memory is read in whole vectors: the limit of decoding. */
final class ReadBandwidth {
    private static final VectorSpecies<Long> LANES = LongVector.SPECIES_PREFERRED;
    private static final long BYTES = 512L << 20;
    private static final int ROUNDS = 12;

    private ReadBandwidth() {}

    /** The best of some rounds over far more than any cache holds, all threads together. */
    static double bytesPerSecond(int threads) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(BYTES, 64).fill((byte) 1);
            double best = 0;
            for (int round = 0; round < ROUNDS; round++) {
                long begin = System.nanoTime();
                long part = BYTES / threads;
                long sum = IntStream.range(0, threads)
                        .parallel()
                        .mapToLong(i -> sum(memory.asSlice(i * part, part)))
                        .sum();
                if (sum == 0) {
                    throw new IllegalStateException("memory that was filled reads as zero");
                }
                best = Math.max(best, BYTES / ((System.nanoTime() - begin) / 1e9));
            }
            return best;
        }
    }

    private static long sum(MemorySegment part) {
        LongVector even = LongVector.zero(LANES);
        LongVector odd = even;
        int step = LANES.vectorByteSize();
        for (long at = 0; at + 2L * step <= part.byteSize(); at += 2L * step) {
            even = even.add(LongVector.fromMemorySegment(LANES, part, at, LITTLE_ENDIAN));
            odd = odd.add(LongVector.fromMemorySegment(LANES, part, at + step, LITTLE_ENDIAN));
        }
        return even.add(odd).reduceLanes(VectorOperators.ADD);
    }
}
