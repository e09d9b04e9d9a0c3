package dev.holdfast.tee.tpm;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;

/** Small changes to bytes, for fuzzing from a seed. */
public final class ByteChanges {
    /** Numbers at which lengths and sums break. */
    private static final long[] EDGES = {
        0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffffL, 0x80000000L, 0xffffffffL
    };

    private ByteChanges() {}

    /** A copy of {@code good} that differs from it. */
    public static byte[] change(byte[] good, Random random) {
        if (good.length == 0) {
            return new byte[1 + random.nextInt(20)];
        }
        byte[] bad = good.clone();
        switch (random.nextInt(6)) {
            case 0 -> bad = Arrays.copyOf(good, random.nextInt(good.length + 20));
            case 1 -> {
                int from = random.nextInt(good.length);
                int length = Math.min(good.length - from, 1 + random.nextInt(32));
                System.arraycopy(good, from, bad, random.nextInt(good.length - length + 1), length);
            }
            case 2 -> bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            case 3 -> {
                byte[] edge = ByteBuffer.allocate(Long.BYTES)
                        .putLong(EDGES[random.nextInt(EDGES.length)])
                        .array();
                int length = Math.min(bad.length, 1 << random.nextInt(3));
                System.arraycopy(edge, edge.length - length, bad, random.nextInt(bad.length - length + 1), length);
            }
            default -> {
                for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
                    bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
                }
            }
        }
        // A change that falls on the same bytes is none.
        if (Arrays.equals(bad, good)) {
            bad[bad.length / 2] ^= 1;
        }
        return bad;
    }
}
