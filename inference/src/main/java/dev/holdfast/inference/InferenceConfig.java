package dev.holdfast.inference;

import java.nio.file.Path;
import java.util.Set;

/**
 * How an inference daemon is set up. Start from {@link #of} and change what differs.
 *
 * @param storeDir the model store, with {@code blobs/} and {@code serving.json}; only read
 * @param apiSocket where applications connect
 * @param controlSocket where the agent connects
 * @param apiMode file mode of the API socket, such as {@code rw-rw----}
 * @param controlMode file mode of the control socket
 * @param apiPeers who may use the API
 * @param controlPeers who may change the model
 * @param maxSequences answers made at the same time
 * @param maxQueued requests that may wait for their turn
 * @param contextTokens the longest sequence; a model's own limit counts too
 * @param threads threads that share one product
 * @param cache how keys and values are kept
 */
public record InferenceConfig(
        Path storeDir,
        Path apiSocket,
        Path controlSocket,
        String apiMode,
        String controlMode,
        PeerPolicy apiPeers,
        PeerPolicy controlPeers,
        int maxSequences,
        int maxQueued,
        int contextTokens,
        int threads,
        CacheType cache) {
    public InferenceConfig {
        if (maxSequences < 1 || maxQueued < 0 || contextTokens < 16 || threads < 1) {
            throw new IllegalArgumentException("maxSequences, maxQueued, contextTokens or threads is out of range");
        }
    }

    /** The defaults: two answers at a time, eight waiting, sequences of 2048 tokens, one thread. */
    public static InferenceConfig of(Path storeDir, Path apiSocket, Path controlSocket) {
        return new InferenceConfig(
                storeDir,
                apiSocket,
                controlSocket,
                "rw-rw----",
                "rw-------",
                PeerPolicy.everyone(),
                PeerPolicy.onlyUsers(Set.of()),
                2,
                8,
                2048,
                1,
                CacheType.DEFAULT);
    }

    public InferenceConfig withLimits(int maxSequences, int maxQueued, int contextTokens, int threads) {
        return new InferenceConfig(
                storeDir,
                apiSocket,
                controlSocket,
                apiMode,
                controlMode,
                apiPeers,
                controlPeers,
                maxSequences,
                maxQueued,
                contextTokens,
                threads,
                cache);
    }

    public InferenceConfig withPeers(String apiMode, PeerPolicy apiPeers, String controlMode, PeerPolicy controlPeers) {
        return new InferenceConfig(
                storeDir,
                apiSocket,
                controlSocket,
                apiMode,
                controlMode,
                apiPeers,
                controlPeers,
                maxSequences,
                maxQueued,
                contextTokens,
                threads,
                cache);
    }

    public InferenceConfig withCache(CacheType cache) {
        return new InferenceConfig(
                storeDir,
                apiSocket,
                controlSocket,
                apiMode,
                controlMode,
                apiPeers,
                controlPeers,
                maxSequences,
                maxQueued,
                contextTokens,
                threads,
                cache);
    }
}
