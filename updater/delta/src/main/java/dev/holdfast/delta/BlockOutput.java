package dev.holdfast.delta;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Takes reconstructed blocks, each verified before it comes, and remembers which it has. */
public interface BlockOutput {
    /** Whether this block is there already and need not be made again. */
    boolean has(int block);

    void write(int block, long offset, ByteBuffer bytes) throws IOException;
}
