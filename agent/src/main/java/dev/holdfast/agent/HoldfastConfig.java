package dev.holdfast.agent;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import dev.holdfast.attestation.PlatformLogs;
import dev.holdfast.inference.CacheType;
import dev.holdfast.inference.InferenceConfig;
import dev.holdfast.inference.PeerPolicy;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.TpmRegister;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * The configuration file of both daemons, in TOML. Relative paths count from the file's own folder.
 *
 * @param topics fleet and device
 * @param brokerUri {@code tcp://host:port}, or {@code ssl://host:port} with the device's key in the TEE as client
 * @param brokerAuthorities PEM, whom to trust for a broker at {@code ssl://}; the JDK's list where empty
 * @param stateDir everything that the device keeps
 * @param tee {@code software}, {@code /dev/tpmrm0}, {@code unix:PATH}, {@code tcp:HOST:PORT} or {@code pkcs11:...}
 * @param register what a TPM measures models into: {@code pcr:14}, or {@code nv:14}, an NV index that this PCR guards
 * @param platformLogs the machine's own logs; those in {@code /sys/kernel/security} where the TEE is a device
 * @param vmReports where the kernel gives reports on a confidential virtual machine ({@code /sys/kernel/config/tsm/report});
 *     none are asked for where empty
 * @param factoryRoot the root metadata that provisioning anchors in the TEE
 * @param controlSocket where the {@code holdfast} command reaches the agent
 * @param inference the inference daemon's settings
 * @param probation how long a new model is watched before it is committed
 * @param refresh longest pause between two looks at the fleet's metadata
 * @param byteBudget most bytes that one rollout may pull
 * @param metered whether a failed delta must not become a full download
 * @param bytesPerSecond most payload bytes that are asked for in a second, on average; 0 for no limit
 * @param scrub pause between two readings of the models at rest; zero for none
 * @param transportRetries attempts without progress before an install is put off to the next look at the fleet
 */
public record HoldfastConfig(
        Topics topics,
        String brokerUri,
        Optional<Path> brokerAuthorities,
        Path stateDir,
        String tee,
        TpmRegister register,
        PlatformLogs platformLogs,
        Optional<Path> vmReports,
        Path factoryRoot,
        Path controlSocket,
        InferenceConfig inference,
        Duration probation,
        Duration refresh,
        long byteBudget,
        boolean metered,
        long bytesPerSecond,
        Duration scrub,
        int transportRetries) {
    private static final int MAX_BYTES = 64 * 1024;
    /** sun_path of struct sockaddr_un, unix(7), less its terminating zero. */
    private static final int MAX_SOCKET_PATH_BYTES = 107;

    /** Kernels share the work of one step; beyond this they would only wait for memory. */
    private static final int MOST_THREADS = 16;

    private static final Set<String> KEYS = Set.of(
            "device",
            "fleet",
            "broker",
            "broker-authorities",
            "state",
            "tee",
            "register",
            "platform-logs",
            "vm-reports",
            "factory-root",
            "control-socket",
            "inference-socket",
            "inference-control-socket",
            "agent-uid",
            "context-tokens",
            "kv-cache",
            "max-sequences",
            "threads",
            "probation-seconds",
            "refresh-seconds",
            "byte-budget",
            "metered",
            "bytes-per-second",
            "scrub-seconds",
            "transport-retries");

    /** The device's certificate for TLS, which enrolment puts there. */
    Path tlsCertificate() {
        return stateDir.resolve("certificates/tls.crt");
    }

    public static Verdict<HoldfastConfig> read(Path file) {
        return Verdict.of(() -> {
            try {
                if (Files.size(file) > MAX_BYTES) {
                    throw invalid("longer than " + MAX_BYTES + " bytes");
                }
                return of(new TomlMapper().readTree(Files.readAllBytes(file)), file.toAbsolutePath());
            } catch (JacksonException e) {
                throw invalid(e.getOriginalMessage());
            } catch (IOException e) {
                throw invalid(e.toString());
            }
        });
    }

    private static HoldfastConfig of(JsonNode toml, Path file) throws RejectedException {
        for (var names = toml.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!KEYS.contains(name)) {
                throw invalid("unknown key " + name);
            }
        }
        Path home = file.resolveSibling(".").normalize();
        Path state = home.resolve(text(toml, "state", "/var/lib/holdfast"));
        String fleet = text(toml, "fleet", "");
        String device = text(toml, "device", "");
        if (!Topics.isName(fleet) || !Topics.isName(device)) {
            throw invalid("fleet and device must be 1 to 64 letters, digits, '.', '_' or '-'");
        }
        long agentUid = number(toml, "agent-uid", -1, -1, 0xffff_ffffL);
        InferenceConfig inference = InferenceConfig.of(
                        state.resolve("store"),
                        socket(home, toml, "inference-socket", "/run/holdfast-inference/inference.sock"),
                        socket(
                                home,
                                toml,
                                "inference-control-socket",
                                "/run/holdfast-inference/inference-control.sock"))
                .withLimits(
                        (int) number(toml, "max-sequences", 4, 1, 64),
                        16,
                        (int) number(toml, "context-tokens", 2048, 16, 131_072),
                        (int) number(
                                toml,
                                "threads",
                                Math.min(Runtime.getRuntime().availableProcessors(), MOST_THREADS),
                                1,
                                MOST_THREADS))
                .withCache(cache(toml));
        if (agentUid >= 0) {
            inference = inference.withPeers(
                    "rw-rw----", PeerPolicy.everyone(), "rw-rw----", PeerPolicy.onlyUsers(Set.of(agentUid)));
        }
        return new HoldfastConfig(
                new Topics(fleet, device),
                text(toml, "broker", "tcp://127.0.0.1:1883"),
                toml.has("broker-authorities")
                        ? Optional.of(home.resolve(text(toml, "broker-authorities", "")))
                        : Optional.empty(),
                state,
                text(toml, "tee", "/dev/tpmrm0"),
                TpmRegister.parse(text(toml, "register", TpmRegister.DEFAULT.toString()))
                        .orThrow(),
                platformLogs(toml, home),
                toml.has("vm-reports") ? Optional.of(home.resolve(text(toml, "vm-reports", ""))) : Optional.empty(),
                home.resolve(text(toml, "factory-root", "/etc/holdfast/root.json")),
                socket(home, toml, "control-socket", "/run/holdfast/control.sock"),
                inference,
                Duration.ofSeconds(number(toml, "probation-seconds", 120, 0, 86_400)),
                Duration.ofSeconds(number(toml, "refresh-seconds", 3600, 1, 86_400)),
                number(toml, "byte-budget", Long.MAX_VALUE, 1, Long.MAX_VALUE),
                flag(toml, "metered"),
                number(toml, "bytes-per-second", 0, 0, Long.MAX_VALUE),
                Duration.ofSeconds(number(toml, "scrub-seconds", 7 * 86_400, 0, 366 * 86_400)),
                (int) number(toml, "transport-retries", 8, 0, 100));
    }

    private static CacheType cache(JsonNode toml) throws RejectedException {
        String name = text(toml, "kv-cache", CacheType.DEFAULT.name());
        return switch (CacheType.of(name)) {
            case Verdict.Accepted<CacheType>(CacheType type) -> type;
            case Verdict.Rejected<CacheType>(Rejection why) -> throw invalid("kv-cache: " + why.detail());
        };
    }

    private static Path socket(Path home, JsonNode toml, String key, String fallback) throws RejectedException {
        Path path = home.resolve(text(toml, key, fallback));
        if (path.toString().getBytes(StandardCharsets.UTF_8).length > MAX_SOCKET_PATH_BYTES) {
            throw invalid(key + " must be a path of at most " + MAX_SOCKET_PATH_BYTES + " bytes: " + path);
        }
        return path;
    }

    /** A TPM behind a socket is not the machine's own: the machine's logs would not lead to its registers. */
    private static PlatformLogs platformLogs(JsonNode toml, Path home) throws RejectedException {
        boolean device = text(toml, "tee", "/dev/tpmrm0").startsWith("/dev/");
        if (!device && !toml.has("platform-logs")) {
            return PlatformLogs.none();
        }
        return PlatformLogs.in(home.resolve(text(toml, "platform-logs", "/sys/kernel/security")));
    }

    private static String text(JsonNode toml, String key, String fallback) throws RejectedException {
        JsonNode node = toml.get(key);
        if (node == null) {
            return fallback;
        }
        if (!node.isTextual() || node.textValue().isEmpty()) {
            throw invalid(key + " must be text");
        }
        return node.textValue();
    }

    private static long number(JsonNode toml, String key, long fallback, long min, long max) throws RejectedException {
        JsonNode node = toml.get(key);
        if (node == null) {
            return fallback;
        }
        if (!node.canConvertToLong() || !node.isIntegralNumber() || node.longValue() < min || node.longValue() > max) {
            throw invalid(key + " must be an integer from " + min + " to " + max);
        }
        return node.longValue();
    }

    private static boolean flag(JsonNode toml, String key) throws RejectedException {
        JsonNode node = toml.get(key);
        if (node != null && !node.isBoolean()) {
            throw invalid(key + " must be true or false");
        }
        return node != null && node.booleanValue();
    }

    private static RejectedException invalid(String detail) {
        return new RejectedException(Code.CFG_INVALID, detail);
    }
}
