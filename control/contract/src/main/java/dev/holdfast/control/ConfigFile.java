package dev.holdfast.control;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/**
 * The one configuration file of a device, in TOML; each daemon reads its own keys from it. Relative paths count from the file's own
 * folder. What does not hold is {@code CFG-INVALID}, a key that nobody knows too.
 */
public final class ConfigFile {
    /** Where the package puts it. */
    public static final String DEFAULT = "/etc/holdfast/holdfast.toml";

    private static final int MAX_BYTES = 64 * 1024;
    /** sun_path of struct sockaddr_un, unix(7), less its terminating zero. */
    private static final int MAX_SOCKET_PATH_BYTES = 107;

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
            "memory-budget",
            "max-sequences-per-user",
            "max-request-seconds",
            "max-first-token-seconds",
            "max-gap-seconds",
            "strict-api",
            "threads",
            "probation-seconds",
            "refresh-seconds",
            "byte-budget",
            "metered",
            "bytes-per-second",
            "scrub-seconds",
            "transport-retries");

    private final JsonNode toml;
    private final Path home;

    private ConfigFile(JsonNode toml, Path home) {
        this.toml = toml;
        this.home = home;
    }

    /** Reads the file and refuses keys that neither daemon knows. */
    public static Verdict<ConfigFile> read(Path file) {
        return Verdict.of(() -> {
            try (InputStream in = Files.newInputStream(file)) {
                byte[] bytes = in.readNBytes(MAX_BYTES + 1);
                if (bytes.length > MAX_BYTES) {
                    throw invalid("longer than " + MAX_BYTES + " bytes");
                }
                JsonNode toml = new TomlMapper().readTree(bytes);
                for (var names = toml.fieldNames(); names.hasNext(); ) {
                    String name = names.next();
                    if (!KEYS.contains(name)) {
                        throw invalid("unknown key " + name);
                    }
                }
                return new ConfigFile(
                        toml, file.toAbsolutePath().resolveSibling(".").normalize());
            } catch (JacksonException e) {
                throw invalid(e.getOriginalMessage());
            } catch (IOException e) {
                throw invalid(e.toString());
            }
        });
    }

    /** Everything that the device keeps. */
    public Path stateDir() throws RejectedException {
        return path("state", "/var/lib/holdfast");
    }

    /** The model store: the agent writes it, the inference process reads it. */
    public Path storeDir() throws RejectedException {
        return stateDir().resolve("store");
    }

    public SocketPaths sockets() throws RejectedException {
        return new SocketPaths(
                socket("control-socket", "/run/holdfast/control.sock"),
                socket("inference-socket", "/run/holdfast-inference/inference.sock"),
                socket("inference-control-socket", "/run/holdfast-inference/inference-control.sock"));
    }

    private Path socket(String key, String fallback) throws RejectedException {
        Path path = path(key, fallback);
        if (path.toString().getBytes(StandardCharsets.UTF_8).length > MAX_SOCKET_PATH_BYTES) {
            throw invalid(key + " must be a path of at most " + MAX_SOCKET_PATH_BYTES + " bytes: " + path);
        }
        return path;
    }

    public Path path(String key, String fallback) throws RejectedException {
        return home.resolve(text(key, fallback));
    }

    public Optional<Path> path(String key) throws RejectedException {
        return toml.has(key) ? Optional.of(path(key, "")) : Optional.empty();
    }

    /** Text that is not empty. */
    public String text(String key, String fallback) throws RejectedException {
        JsonNode node = toml.get(key);
        if (node == null) {
            return fallback;
        }
        if (!node.isTextual() || node.textValue().isEmpty()) {
            throw invalid(key + " must be text");
        }
        return node.textValue();
    }

    public long integer(String key, long fallback, long min, long max) throws RejectedException {
        JsonNode node = toml.get(key);
        if (node == null) {
            return fallback;
        }
        if (!node.canConvertToLong() || !node.isIntegralNumber() || node.longValue() < min || node.longValue() > max) {
            throw invalid(key + " must be an integer from " + min + " to " + max);
        }
        return node.longValue();
    }

    /** False where it is absent. */
    public boolean flag(String key) throws RejectedException {
        JsonNode node = toml.get(key);
        if (node != null && !node.isBoolean()) {
            throw invalid(key + " must be true or false");
        }
        return node != null && node.booleanValue();
    }

    public static RejectedException invalid(String detail) {
        return new RejectedException(Code.CFG_INVALID, detail);
    }
}
