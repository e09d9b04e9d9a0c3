package dev.holdfast.trust.bundle;

import java.nio.ByteBuffer;

/** A bundle in memory. */
public final class MemoryBytes {
    private MemoryBytes() {}

    public static SeekableBytes of(byte[] bundle) {
        return new SeekableBytes() {
            @Override
            public long size() {
                return bundle.length;
            }

            @Override
            public void read(ByteBuffer into, long offset) {
                int at = (int) Math.min(offset, bundle.length);
                into.put(bundle, at, Math.min(into.remaining(), bundle.length - at));
            }
        };
    }
}
