package dev.holdfast.trust.bundle;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Bytes that can be read from any place: a file, or a file that another process holds open. Belongs to one thread at a time. */
public interface SeekableBytes {
    long size() throws IOException;

    /** Reads from {@code offset} until {@code into} is full or the bytes end. */
    void read(ByteBuffer into, long offset) throws IOException;

    /** A file; whoever opened the channel closes it. */
    static SeekableBytes of(FileChannel file) {
        return new SeekableBytes() {
            @Override
            public long size() throws IOException {
                return file.size();
            }

            @Override
            public void read(ByteBuffer into, long offset) throws IOException {
                long start = into.position();
                while (into.hasRemaining() && file.read(into, offset + into.position() - start) >= 0) {
                    // Until full or at the end.
                }
            }
        };
    }
}
