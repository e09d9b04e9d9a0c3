package dev.holdfast.inference;

import dev.holdfast.control.MemoryBudget;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigKeys;
import dev.holdfast.control.config.ConfigReader;
import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.engine.kernels.CacheType;
import dev.holdfast.sockets.PeerPolicy;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;

/**
 * How an inference daemon is set up.
 *
 * @param storeDir the model store, with {@code blobs/} and {@code serving.json}; only read
 * @param sockets where it listens; the agent's own socket is not used
 * @param strict whether a request is refused for a field that nobody knows
 */
public record InferenceConfig(
        Path storeDir, SocketPaths sockets, Access api, Access control, Limits limits, boolean strict) {
    /**
     * Who may use a socket.
     *
     * @param mode file mode of the socket, such as {@code rw-rw----}
     * @param peers whom the kernel names at the other end
     */
    public record Access(String mode, PeerPolicy peers) {
        private static final Access OPEN_TO_GROUP = new Access("rw-rw----", PeerPolicy.everyone());
        static final Access OWNER_ONLY = new Access("rw-------", PeerPolicy.onlyUsers(Set.of()));
    }

    /**
     * How much may be done at once.
     *
     * @param sequences answers of one model made at the same time
     * @param queued requests of one model that may wait for their turn
     * @param contextTokens the longest sequence; a model's own limit counts too
     * @param threads threads that share one product
     * @param cache how keys and values are kept
     * @param memoryBytes what all models together may take; 0 for three quarters of what this process may have
     * @param share what one user may have of a model, besides root and this process's own user
     * @param request how long a request may take from its arrival to its end
     */
    public record Limits(
            int sequences,
            int queued,
            int contextTokens,
            int threads,
            CacheType cache,
            long memoryBytes,
            UserShare share,
            RequestClock.Limits request) {
        private static final Duration REQUEST = Duration.ofSeconds(600);
        private static final Duration FIRST_TOKEN = Duration.ofSeconds(300);
        private static final Duration GAP = Duration.ofSeconds(60);
        private static final int QUEUED = 16;

        /** Two answers of a model at a time, eight waiting, sequences of 2048 tokens, one thread. */
        public static final Limits DEFAULT =
                new Limits(2, 8, MemoryNeeds.DEFAULT_CONTEXT_TOKENS, 1, CacheType.DEFAULT, 0);

        /** Kernels share the work of one step; beyond this they would only wait for memory. */
        private static final int MAX_THREADS = 16;

        /** With the usual share and time. */
        public Limits(int sequences, int queued, int contextTokens, int threads, CacheType cache, long memoryBytes) {
            this(
                    sequences,
                    queued,
                    contextTokens,
                    threads,
                    cache,
                    memoryBytes,
                    UserShare.of(sequences, queued),
                    times(REQUEST, FIRST_TOKEN, GAP));
        }

        public Limits {
            if (sequences < 1 || queued < 0 || contextTokens < 16 || threads < 1 || memoryBytes < 0) {
                throw new IllegalArgumentException("a limit is out of range");
            }
        }

        private static Limits of(ConfigFile file) throws RejectedException {
            int cores = Math.min(Runtime.getRuntime().availableProcessors(), MAX_THREADS);
            int sequences = Math.toIntExact(file.get(ConfigKeys.MAX_SEQUENCES));
            UserShare usual = UserShare.of(sequences, QUEUED);
            return new Limits(
                    sequences,
                    QUEUED,
                    Math.toIntExact(file.get(ConfigKeys.CONTEXT_TOKENS)),
                    file.find(ConfigKeys.THREADS).map(Math::toIntExact).orElse(cores),
                    CacheType.of(file.get(ConfigKeys.KV_CACHE)).orThrow(),
                    file.get(ConfigKeys.MEMORY_BUDGET),
                    new UserShare(
                            file.find(ConfigKeys.MAX_SEQUENCES_PER_USER)
                                    .map(Math::toIntExact)
                                    .orElse(usual.sequences()),
                            usual.queued()),
                    times(
                            file.get(ConfigKeys.MAX_REQUEST_SECONDS),
                            file.get(ConfigKeys.MAX_FIRST_TOKEN_SECONDS),
                            file.get(ConfigKeys.MAX_GAP_SECONDS)));
        }

        private static RequestClock.Limits times(Duration whole, Duration first, Duration gap) {
            return new RequestClock.Limits(whole, first, gap, RequestClock.Limits.QUIET);
        }

        /** What all models together may take, in bytes. */
        long memoryBudget() {
            return memoryBytes > 0 ? memoryBytes : MemoryBudget.defaultOf(MemoryBudget.processBytes());
        }
    }

    /** The group of the sockets may ask, the own user and root may change the model. */
    public static InferenceConfig of(Path storeDir, SocketPaths sockets, Limits limits) {
        return new InferenceConfig(storeDir, sockets, Access.OPEN_TO_GROUP, Access.OWNER_ONLY, limits, false);
    }

    /** What the device's configuration file says. */
    public static Verdict<InferenceConfig> read(Path file) {
        return ConfigFile.read(file, ConfigReader.INFERENCE).then(InferenceConfig::read);
    }

    /** The same of a file that was read as the inference process's. */
    static Verdict<InferenceConfig> read(ConfigFile file) {
        return Verdict.of(() -> of(file));
    }

    private static InferenceConfig of(ConfigFile file) throws RejectedException {
        InferenceConfig config = new InferenceConfig(
                file.storeDir(),
                file.sockets(),
                Access.OPEN_TO_GROUP,
                Access.OWNER_ONLY,
                Limits.of(file),
                file.get(ConfigKeys.STRICT_API));
        long agentUid = file.get(ConfigKeys.AGENT_UID);
        return agentUid < 0
                ? config
                : config.withControl(new Access("rw-rw----", PeerPolicy.onlyUsers(Set.of(agentUid))));
    }

    public InferenceConfig withApi(Access access) {
        return new InferenceConfig(storeDir, sockets, access, control, limits, strict);
    }

    public InferenceConfig withControl(Access access) {
        return new InferenceConfig(storeDir, sockets, api, access, limits, strict);
    }
}
