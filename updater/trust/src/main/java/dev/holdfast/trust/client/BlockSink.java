package dev.holdfast.trust.client;

import dev.holdfast.wire.Binary;
import java.io.IOException;

/** Takes blocks as they arrive; checks each before it keeps it. Called by one thread at a time. */
@FunctionalInterface
public interface BlockSink {
    /**
     * @return whether the block is here now, so that no other answer for it need be waited for
     * @throws IOException where the device's own disk failed, or too many answers do not hold; the source passes it on, and asks no more
     */
    boolean accept(int index, Binary block) throws IOException;
}
