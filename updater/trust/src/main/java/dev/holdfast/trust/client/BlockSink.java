package dev.holdfast.trust.client;

import dev.holdfast.wire.Binary;
import java.io.IOException;

/** Takes blocks as they arrive; checks each before it keeps it. Called by one thread at a time. */
@FunctionalInterface
public interface BlockSink {
    /** @throws IOException where the device's own disk failed; the source passes it on */
    void accept(int index, Binary block) throws IOException;
}
