package dev.holdfast.bench;

import java.io.IOException;
import java.nio.file.Path;

/** How long {@code llama-server} takes from the start of its process to the first token. */
final class LlamaServerStart {
    private LlamaServerStart() {}

    static double secondsToFirstToken(Path model, int threads) throws IOException, InterruptedException {
        long begin = System.nanoTime();
        try (LlamaServer server = LlamaServer.start(model, threads, 1)) {
            server.oneToken();
            return (System.nanoTime() - begin) / 1e9;
        }
    }
}
