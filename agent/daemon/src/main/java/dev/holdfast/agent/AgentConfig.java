package dev.holdfast.agent;

import dev.holdfast.attestation.PlatformLogs;
import dev.holdfast.control.ConfigFile;
import dev.holdfast.control.MemoryBudget;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.link.BrokerAddress;
import dev.holdfast.link.Topics;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How an agent is set up.
 *
 * @param topics fleet and device
 * @param stateDir everything that the device keeps
 * @param memoryBudget bytes that all models together may need
 */
public record AgentConfig(
        Topics topics,
        Path stateDir,
        SocketPaths sockets,
        Broker broker,
        Root root,
        Updates updates,
        long memoryBudget) {
    /**
     * The way to the fleet.
     *
     * @param address with TLS the device's key in the TEE is that of the client
     * @param authorities PEM, whom to trust for a broker with TLS; the JDK's list where empty
     */
    public record Broker(BrokerAddress address, Optional<Path> authorities) {}

    /**
     * The root of trust.
     *
     * @param tee {@code software}, {@code /dev/tpmrm0}, {@code unix:PATH}, {@code tcp:HOST:PORT} or {@code pkcs11:...}
     * @param register what a TPM measures models into: {@code pcr:14}, or {@code nv:15}, an NV index that this PCR guards
     * @param registerIsConfigured whether the file says so; else provisioning chose it
     * @param platformLogs the machine's own logs; those in {@code /sys/kernel/security} where the TEE is a device
     * @param vmReports where the kernel gives reports on a confidential virtual machine ({@code /sys/kernel/config/tsm/report});
     *     none are asked for where empty
     * @param factoryRoot the root metadata that provisioning anchors in the TEE
     */
    public record Root(
            String tee,
            TpmRegister register,
            boolean registerIsConfigured,
            PlatformLogs platformLogs,
            Optional<Path> vmReports,
            Path factoryRoot) {
        Root with(TpmRegister chosen) {
            return new Root(tee, chosen, registerIsConfigured, platformLogs, vmReports, factoryRoot);
        }
    }

    /**
     * How updates are taken.
     *
     * @param probation how long a new model is watched before it is committed
     * @param refresh longest pause between two looks at the fleet's metadata
     * @param byteBudget most bytes that one rollout may pull and keep; beyond it the install waits for the owner
     * @param dailyBytes most bytes of models that may come in a day (UTC), refused ones included; beyond it all wait for the next
     * @param metered whether a failed delta must not become a full download
     * @param bytesPerSecond most payload bytes that are asked for in a second, on average; 0 for no limit
     * @param scrub pause between two readings of the models at rest; zero for none
     * @param transportRetries attempts without progress before an install is put off to the next look at the fleet
     */
    public record Updates(
            Duration probation,
            Duration refresh,
            long byteBudget,
            long dailyBytes,
            boolean metered,
            long bytesPerSecond,
            Duration scrub,
            int transportRetries) {
        private static Updates of(ConfigFile file) throws RejectedException {
            return new Updates(
                    Duration.ofSeconds(file.integer("probation-seconds", 120, 0, 86_400)),
                    Duration.ofSeconds(file.integer("refresh-seconds", 3600, 1, 86_400)),
                    file.integer("byte-budget", Long.MAX_VALUE, 1, Long.MAX_VALUE),
                    file.integer("daily-bytes", Long.MAX_VALUE, 1 << 20, Long.MAX_VALUE),
                    file.flag("metered"),
                    file.integer("bytes-per-second", 0, 0, Long.MAX_VALUE),
                    Duration.ofSeconds(file.integer("scrub-seconds", 7 * 86_400, 0, 366 * 86_400)),
                    (int) file.integer("transport-retries", 8, 0, 100));
        }
    }

    /** What the device's configuration file says. */
    public static Verdict<AgentConfig> read(Path file) {
        return ConfigFile.read(file).then(config -> Verdict.of(() -> of(config)));
    }

    private static AgentConfig of(ConfigFile file) throws RejectedException {
        String fleet = file.text("fleet", "");
        String device = file.text("device", "");
        for (String name : List.of(fleet, device)) {
            if (!Topics.isName(name)) {
                throw ConfigFile.invalid(Topics.refusal(name));
            }
        }
        return new AgentConfig(
                new Topics(fleet, device),
                file.stateDir(),
                file.sockets(),
                new Broker(
                        BrokerAddress.parse(file.text("broker", "mqtt://127.0.0.1:1883"))
                                .orThrow(),
                        file.path("broker-authorities")),
                root(file),
                Updates.of(file),
                memoryBudget(file));
    }

    /** The agent's own control group says nothing about the process that holds the models. */
    private static long memoryBudget(ConfigFile file) throws RejectedException {
        long configured = file.integer("memory-budget", 0, 0, Long.MAX_VALUE);
        return configured > 0 ? configured : MemoryBudget.defaultOf(MemoryBudget.machineBytes());
    }

    private static Root root(ConfigFile file) throws RejectedException {
        String tee = file.text("tee", "/dev/tpmrm0");
        Optional<Path> logs = file.path("platform-logs");
        // A TPM behind a socket is not the machine's own: the machine's logs would not lead to its registers.
        boolean own = logs.isPresent() || tee.startsWith("/dev/");
        String register = file.text("register", "");
        return new Root(
                tee,
                register.isEmpty()
                        ? chosen(file.stateDir())
                        : TpmRegister.parse(register).orThrow(),
                !register.isEmpty(),
                own ? PlatformLogs.in(logs.orElse(Path.of("/sys/kernel/security"))) : PlatformLogs.none(),
                file.path("vm-reports"),
                file.path("factory-root", "/etc/holdfast/root.json"));
    }

    private static TpmRegister chosen(Path stateDir) throws RejectedException {
        try {
            return new TeeFiles(stateDir).register().orElse(TpmRegister.DEFAULT);
        } catch (IOException e) {
            throw ConfigFile.invalid("the register that provisioning chose cannot be read: " + e.getMessage());
        }
    }

    /** This configuration with another register. */
    AgentConfig with(TpmRegister register) {
        return new AgentConfig(topics, stateDir, sockets, broker, root.with(register), updates, memoryBudget);
    }

    /** The event log. */
    Path eventsDir() {
        return stateDir.resolve("events");
    }

    /** What {@link TrustClient} keeps. */
    Path trustDir() {
        return stateDir.resolve("trust");
    }

    /** The model store: the agent writes it, the inference process reads it. */
    Path storeDir() {
        return stateDir.resolve("store");
    }

    /** What the fleet's authority issued to the device. */
    Path certificateDir() {
        return stateDir.resolve("certificates");
    }
}
