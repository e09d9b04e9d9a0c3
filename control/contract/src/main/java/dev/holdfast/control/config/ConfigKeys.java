package dev.holdfast.control.config;

import static dev.holdfast.control.config.ConfigReader.AGENT;
import static dev.holdfast.control.config.ConfigReader.BRIDGE;
import static dev.holdfast.control.config.ConfigReader.INFERENCE;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Every key of {@code holdfast.toml}, in the order in which people are shown them. */
public final class ConfigKeys {
    /** What has been declared so far; first in the file, since each declaration enters itself. */
    private static final Map<String, ConfigKey<?>> ALL = new LinkedHashMap<>();

    private static final long DAY = 86_400;

    public static final ConfigKey<String> FLEET = key(Section.NAMES, "fleet", ValueForm.name(), AGENT)
            .required(AGENT, "The fleet that the device belongs to.");

    public static final ConfigKey<String> DEVICE =
            key(Section.NAMES, "device", ValueForm.name(), AGENT).required(AGENT, """
                The device's name in its fleet; no dots, since RabbitMQ takes them for slashes. `auto` derives it from the key of its \
                root of trust, `hf-` and 24 digits, so that one file suits every device: with a TPM from the endorsement key, and then \
                it is the same after a reinstallation; else from the key in the token or in the state directory.\
                """);

    public static final ConfigKey<Path> ENROLMENT_TOKEN_FILE =
            key(Section.NAMES, "enrolment-token-file", ValueForm.path(), AGENT).otherwise("none", """
                File with a token of the fleet (`fleet devices token`), by which the device is let in without a person. Others than its \
                owner and group may not read it. It is read at each enrolment, and may be removed after the first.\
                """);

    public static final ConfigKey<String> BROKER =
            key(Section.BROKER, "broker", ValueForm.broker(), AGENT).fallback("mqtt://127.0.0.1:1883", """
                The broker. With TLS and without `broker-key` the client's key is the device's own in the TEE, and its certificate \
                the one that enrolment brings. The ports are 1883, and 8883 with TLS. `tcp://` and `ssl://` mean the same.\
                """);

    public static final ConfigKey<List<Path>> BROKER_AUTHORITIES =
            key(Section.BROKER, "broker-authorities", ValueForm.paths(), AGENT).otherwise("Java's list", """
                PEM: who may have signed the certificate of a broker with TLS, one file or a list of files. While the broker's authority \
                rolls over, name the old one and the new one.\
                """);

    public static final ConfigKey<String> BROKER_USER = key(
                    Section.BROKER,
                    "broker-user",
                    ValueForm.matching("1 to 256 characters", "\\P{Cntrl}{1,256}"),
                    AGENT)
            .otherwise("none", "User name at the broker.");

    public static final ConfigKey<Path> BROKER_PASSWORD_FILE =
            key(Section.BROKER, "broker-password-file", ValueForm.path(), AGENT).otherwise("none", """
                File whose first line is the password of `broker-user`. Others than its owner and group may not read it. It is read at \
                each connect, as the other files of this section are.\
                """);

    public static final ConfigKey<Path> BROKER_CERTIFICATE = key(
                    Section.BROKER, "broker-certificate", ValueForm.path(), AGENT)
            .otherwise(
                    "that of enrolment",
                    "PEM: the certificate that TLS shows the broker, and those between it and its authority.");

    public static final ConfigKey<Path> BROKER_KEY =
            key(Section.BROKER, "broker-key", ValueForm.path(), AGENT).otherwise("the one in the TEE", """
                PEM: the key of `broker-certificate`, not encrypted. Others than its owner and group may not read it.\
                """);

    public static final ConfigKey<Duration> BROKER_KEEP_ALIVE_SECONDS = key(
                    Section.BROKER, "broker-keep-alive-seconds", ValueForm.seconds(5, 3600), AGENT)
            .fallback(300, "Longest silence before the broker is asked whether it is there. It may ask for less.");

    public static final ConfigKey<Duration> BROKER_RETRY_SECONDS = key(
                    Section.BROKER, "broker-retry-seconds", ValueForm.seconds(1, DAY), AGENT)
            .fallback(300, "Longest pause between two attempts to connect.");

    public static final ConfigKey<Duration> BROKER_SPREAD_SECONDS = key(
                    Section.BROKER, "broker-spread-seconds", ValueForm.seconds(0, DAY), AGENT)
            .fallback(30, """
                Within which the devices of a fleet come back that lost their broker in one moment, each at a time that its name fixes.\
                """);

    public static final ConfigKey<Path> STATE = key(Section.FILES, "state", ValueForm.path(), AGENT, INFERENCE)
            .fallback(
                    "/var/lib/holdfast",
                    "Folder of everything that the device keeps. The models are in `store` below it.");

    public static final ConfigKey<Path> FACTORY_ROOT = key(Section.FILES, "factory-root", ValueForm.path(), AGENT)
            .fallback("/etc/holdfast/root.json", "The root metadata that provisioning anchors in the TEE.");

    public static final ConfigKey<Path> CONTROL_SOCKET = key(
                    Section.FILES, "control-socket", ValueForm.socket(), ConfigReader.values())
            .fallback("/run/holdfast/control.sock", "Where the agent answers the `holdfast` command.");

    public static final ConfigKey<Path> INFERENCE_SOCKET = key(
                    Section.FILES, "inference-socket", ValueForm.socket(), ConfigReader.values())
            .fallback("/run/holdfast-inference/inference.sock", "Where applications ask the models.");

    public static final ConfigKey<Path> INFERENCE_CONTROL_SOCKET = key(
                    Section.FILES, "inference-control-socket", ValueForm.socket(), ConfigReader.values())
            .fallback(
                    "/run/holdfast-inference/inference-control.sock", "Where the inference process answers the agent.");

    public static final ConfigKey<Long> AGENT_UID = key(
                    Section.FILES, "agent-uid", ValueForm.integer("", -1, 0xffff_ffffL), INFERENCE)
            .fallback(-1, """
                The agent's user, whom the inference control socket answers beside root; -1 for none other than the inference \
                process's own.\
                """);

    public static final ConfigKey<String> TEE = key(
                    Section.TRUST,
                    "tee",
                    ValueForm.matching(
                            "a device, unix:PATH, tcp:HOST:PORT, pkcs11:... or software",
                            "(?s)software|/dev/.+|unix:/.+|tcp:.+:[0-9]{1,5}|pkcs11:.*"),
                    AGENT)
            .fallback("/dev/tpmrm0", """
                The root of trust: `/dev/tpmrm0` or `/dev/tpm0` for the machine's TPM 2.0; `unix:PATH` or `tcp:HOST:PORT` for a \
                TPM behind a raw socket, such as swtpm; `pkcs11:...` for a token, as a URI of RFC 7512; `software` for files, in \
                development.\
                """);

    public static final ConfigKey<String> REGISTER = key(
                    Section.TRUST,
                    "register",
                    ValueForm.matching(
                            "pcr:N with N 0 to 16 or 23, or nv:N with N 0 to 15",
                            "pcr:(?:0?[0-9]|1[0-6]|23)|nv:(?:0?[0-9]|1[0-5])"),
                    AGENT)
            .otherwise("what provisioning chose, else `pcr:14`", """
                What models are measured into: a PCR of the TPM, or an NV index that the PCR N guards.\
                """);

    public static final ConfigKey<Path> PLATFORM_LOGS = key(Section.TRUST, "platform-logs", ValueForm.path(), AGENT)
            .otherwise(
                    "`/sys/kernel/security` where `tee` is a device, else none",
                    "Folder of the machine's own logs of what was measured, which go into evidence.");

    public static final ConfigKey<Path> VM_REPORTS = key(Section.TRUST, "vm-reports", ValueForm.path(), AGENT)
            .otherwise(
                    "none",
                    "Where the kernel gives reports on a confidential virtual machine:"
                            + " `/sys/kernel/config/tsm/report`.");

    public static final ConfigKey<Duration> REFRESH_SECONDS = key(
                    Section.UPDATES, "refresh-seconds", ValueForm.seconds(1, DAY), AGENT)
            .atReload()
            .fallback(3600, "Longest pause between two looks at the fleet.");

    public static final ConfigKey<Duration> PROBATION_SECONDS = key(
                    Section.UPDATES, "probation-seconds", ValueForm.seconds(0, DAY), AGENT)
            .atReload()
            .fallback(120, "How long a new model is watched before it is committed.");

    public static final ConfigKey<Long> BYTE_BUDGET = key(
                    Section.UPDATES, "byte-budget", ValueForm.integer("bytes", 1, Long.MAX_VALUE), AGENT)
            .atReload()
            .otherwise(
                    "none",
                    "Most bytes that one rollout may pull and keep; what needs more waits until this is raised.");

    public static final ConfigKey<Long> DAILY_BYTES = key(
                    Section.UPDATES, "daily-bytes", ValueForm.integer("bytes", 1 << 20, Long.MAX_VALUE), AGENT)
            .atReload()
            .otherwise("none", """
                Most bytes of models that may come in a day (UTC), refused ones included; then all wait for the next day.\
                """);

    public static final ConfigKey<Boolean> METERED = key(Section.UPDATES, "metered", ValueForm.flag(), AGENT)
            .atReload()
            .fallback(
                    false,
                    "Whether the link is paid by the byte: then a delta that fails never becomes a full download.");

    public static final ConfigKey<Long> BYTES_PER_SECOND = key(
                    Section.UPDATES, "bytes-per-second", ValueForm.integer("bytes", 0, Long.MAX_VALUE), AGENT)
            .atReload()
            .fallback(0, "Most bytes of models that are asked for in a second, on average; 0 for no limit.");

    public static final ConfigKey<Long> TRANSPORT_RETRIES = key(
                    Section.UPDATES, "transport-retries", ValueForm.integer("attempts", 0, 100), AGENT)
            .atReload()
            .fallback(8, "Attempts without progress before an install is put off to the next look.");

    public static final ConfigKey<Duration> SCRUB_SECONDS = key(
                    Section.UPDATES, "scrub-seconds", ValueForm.seconds(0, 366 * DAY), AGENT)
            .atReload()
            .fallback(7 * DAY, "Pause between two readings of the models at rest; 0 for none.");

    public static final ConfigKey<Long> MEMORY_BUDGET = key(
                    Section.INFERENCE, "memory-budget", ValueForm.integer("bytes", 0, Long.MAX_VALUE), AGENT, INFERENCE)
            .atReload()
            .fallback(0, "What all models together may take; 0 for three quarters of the memory.");

    public static final ConfigKey<Long> THREADS = key(
                    Section.INFERENCE, "threads", ValueForm.integer("threads", 1, 16), INFERENCE)
            .otherwise("all cores, at most 16", "Threads that share the work of one step.");

    public static final ConfigKey<Long> CONTEXT_TOKENS = key(
                    Section.INFERENCE, "context-tokens", ValueForm.integer("tokens", 16, 131_072), INFERENCE)
            .fallback(2048, "The longest sequence; a model's own limit counts too.");

    public static final ConfigKey<String> KV_CACHE = key(
                    Section.INFERENCE, "kv-cache", ValueForm.choice(List.of("f32", "f16", "q8_0")), INFERENCE)
            .fallback("f16", "How keys and values of a sequence are kept.");

    public static final ConfigKey<Long> MAX_SEQUENCES = key(
                    Section.INFERENCE, "max-sequences", ValueForm.integer("answers", 1, 64), INFERENCE)
            .fallback(4, "Answers of one model at the same time.");

    public static final ConfigKey<Long> MAX_SEQUENCES_PER_USER = key(
                    Section.INFERENCE, "max-sequences-per-user", ValueForm.integer("answers", 1, 64), INFERENCE)
            .otherwise("three quarters of `max-sequences`", """
                Answers of one model for one user, who cannot take the others even while they are free; at most `max-sequences`. \
                Root and the process's own user have all.\
                """);

    public static final ConfigKey<Duration> MAX_REQUEST_SECONDS = key(
                    Section.INFERENCE, "max-request-seconds", ValueForm.seconds(1, DAY), INFERENCE)
            .atReload()
            .fallback(600, "How long a request may take from its arrival to its end.");

    public static final ConfigKey<Duration> MAX_FIRST_TOKEN_SECONDS = key(
                    Section.INFERENCE, "max-first-token-seconds", ValueForm.seconds(1, DAY), INFERENCE)
            .atReload()
            .fallback(300, "How long a request may take from its arrival to its first token.");

    public static final ConfigKey<Duration> MAX_GAP_SECONDS = key(
                    Section.INFERENCE, "max-gap-seconds", ValueForm.seconds(1, DAY), INFERENCE)
            .atReload()
            .fallback(60, "How long a request may take between two tokens.");

    public static final ConfigKey<Boolean> STRICT_API = key(
                    Section.INFERENCE, "strict-api", ValueForm.flag(), INFERENCE)
            .atReload()
            .fallback(false, "Whether a request is refused for a field that nobody knows, instead of told of it.");

    public static final ConfigKey<String> LOG_FORMAT = key(
                    Section.LOGS,
                    "log-format",
                    ValueForm.choice(List.of("auto", "text", "json", "journal")),
                    AGENT,
                    INFERENCE,
                    BRIDGE)
            .atReload()
            .fallback("auto", """
                The form of log lines: `text` for people, `json` with one object a line, `journal` for entries of the systemd journal \
                with the fields `HOLDFAST_CODE`, `MESSAGE_ID` (the same for the same code), `HOLDFAST_DEVICE` and `HOLDFAST_MODEL`; `auto` \
                is `journal` where standard error leads there, else `text`.\
                """);

    public static final ConfigKey<String> LOG_LEVEL = key(
                    Section.LOGS,
                    "log-level",
                    ValueForm.choice(List.of("error", "warn", "info", "debug")),
                    AGENT,
                    INFERENCE,
                    BRIDGE)
            .atReload()
            .fallback("info", "The least important lines that are written; of libraries never less than `warn`.");

    private ConfigKeys() {}

    /** All keys, in order. */
    public static Collection<ConfigKey<?>> all() {
        return Collections.unmodifiableCollection(ALL.values());
    }

    static Optional<ConfigKey<?>> byName(String name) {
        return Optional.ofNullable(ALL.get(name));
    }

    static Collection<String> names() {
        return Collections.unmodifiableCollection(ALL.keySet());
    }

    private static <T> ConfigKey.Draft<T> key(
            Section section, String name, ValueForm<T> form, ConfigReader... readers) {
        return new ConfigKey.Draft<>(name, section, form, Set.of(readers), false);
    }

    static <T> ConfigKey<T> add(ConfigKey<T> key) {
        if (ALL.putIfAbsent(key.name(), key) != null) {
            throw new IllegalStateException(key.name() + " is declared twice");
        }
        return key;
    }
}
