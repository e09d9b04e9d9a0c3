package dev.holdfast.agent;

import dev.holdfast.attestation.PlatformLogs;
import dev.holdfast.control.MemoryBudget;
import dev.holdfast.control.SocketPaths;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigKeys;
import dev.holdfast.control.config.ConfigReader;
import dev.holdfast.link.BrokerAccess;
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
 * @param identity fleet and device
 * @param stateDir everything that the device keeps
 * @param memoryBudget bytes that all models together may need
 */
public record AgentConfig(
        Identity identity,
        Path stateDir,
        SocketPaths sockets,
        Broker broker,
        Root root,
        Updates updates,
        long memoryBudget) {
    /** In the configuration's place of a name: the device's keys give it. */
    static final String AUTO = "auto";

    /**
     * Whom the fleet meets.
     *
     * @param device its name; empty where its keys give it
     * @param token file with a token that lets it in
     */
    public record Identity(String fleet, Optional<String> device, Optional<Path> token) {}

    /**
     * The way to the fleet.
     *
     * @param access with TLS and without a key in a file, the device's key in the TEE is that of the client
     * @param keepAlive longest silence before the broker is asked whether it is there
     * @param lastRetry longest pause between two attempts to connect
     * @param spread within which a fleet's devices come back that lost their broker in one moment, each at its own time
     */
    public record Broker(
            BrokerAddress address, BrokerAccess access, Duration keepAlive, Duration lastRetry, Duration spread) {
        private static Broker of(ConfigFile file) throws RejectedException {
            BrokerAddress address =
                    BrokerAddress.parse(file.get(ConfigKeys.BROKER)).orThrow();
            BrokerAccess.Settings settings = new BrokerAccess.Settings(
                    file.find(ConfigKeys.BROKER_USER).orElse(""),
                    file.find(ConfigKeys.BROKER_PASSWORD_FILE),
                    file.find(ConfigKeys.BROKER_CERTIFICATE),
                    file.find(ConfigKeys.BROKER_KEY),
                    file.find(ConfigKeys.BROKER_AUTHORITIES).orElse(List.of()));
            return new Broker(
                    address,
                    BrokerAccess.configured(address, "broker-", settings).orThrow(),
                    file.get(ConfigKeys.BROKER_KEEP_ALIVE_SECONDS),
                    file.get(ConfigKeys.BROKER_RETRY_SECONDS),
                    file.get(ConfigKeys.BROKER_SPREAD_SECONDS));
        }

        /** Whether the broker sees the certificate that enrolment brings. */
        boolean usesTheTee() {
            return address.tls() && access.key().isEmpty();
        }
    }

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
        private static Updates of(ConfigFile file) {
            return new Updates(
                    file.get(ConfigKeys.PROBATION_SECONDS),
                    file.get(ConfigKeys.REFRESH_SECONDS),
                    file.find(ConfigKeys.BYTE_BUDGET).orElse(Long.MAX_VALUE),
                    file.find(ConfigKeys.DAILY_BYTES).orElse(Long.MAX_VALUE),
                    file.get(ConfigKeys.METERED),
                    file.get(ConfigKeys.BYTES_PER_SECOND),
                    file.get(ConfigKeys.SCRUB_SECONDS),
                    Math.toIntExact(file.get(ConfigKeys.TRANSPORT_RETRIES)));
        }
    }

    /** What the device's configuration file says. */
    public static Verdict<AgentConfig> read(Path file) {
        return ConfigFile.read(file, ConfigReader.AGENT).then(AgentConfig::read);
    }

    /** The same of a file that was read as the agent's. */
    static Verdict<AgentConfig> read(ConfigFile file) {
        return Verdict.of(() -> of(file));
    }

    private static AgentConfig of(ConfigFile file) throws RejectedException {
        String fleet = file.get(ConfigKeys.FLEET);
        String device = file.get(ConfigKeys.DEVICE);
        for (String name : List.of(fleet, device)) {
            if (!Topics.isName(name)) {
                throw ConfigFile.invalid(Topics.refusal(name));
            }
        }
        return new AgentConfig(
                new Identity(
                        fleet,
                        device.equals(AUTO) ? Optional.empty() : Optional.of(device),
                        file.find(ConfigKeys.ENROLMENT_TOKEN_FILE)),
                file.get(ConfigKeys.STATE),
                file.sockets(),
                Broker.of(file),
                root(file),
                Updates.of(file),
                memoryBudget(file));
    }

    /** The agent's own control group says nothing about the process that holds the models. */
    private static long memoryBudget(ConfigFile file) {
        long configured = file.get(ConfigKeys.MEMORY_BUDGET);
        return configured > 0 ? configured : MemoryBudget.defaultOf(MemoryBudget.machineBytes());
    }

    private static Root root(ConfigFile file) throws RejectedException {
        String tee = file.get(ConfigKeys.TEE);
        Optional<Path> logs = file.find(ConfigKeys.PLATFORM_LOGS);
        // A TPM behind a socket is not the machine's own: the machine's logs would not lead to its registers.
        boolean own = logs.isPresent() || tee.startsWith("/dev/");
        Optional<String> register = file.find(ConfigKeys.REGISTER);
        return new Root(
                tee,
                register.isPresent() ? TpmRegister.parse(register.get()).orThrow() : chosen(file.get(ConfigKeys.STATE)),
                register.isPresent(),
                own ? PlatformLogs.in(logs.orElse(Path.of("/sys/kernel/security"))) : PlatformLogs.none(),
                file.find(ConfigKeys.VM_REPORTS),
                file.get(ConfigKeys.FACTORY_ROOT));
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
        return new AgentConfig(identity, stateDir, sockets, broker, root.with(register), updates, memoryBudget);
    }

    /** This configuration with the name that the device's keys give it. */
    AgentConfig named(String device) {
        Identity known = new Identity(identity.fleet(), Optional.of(device), identity.token());
        return new AgentConfig(known, stateDir, sockets, broker, root, updates, memoryBudget);
    }

    /** Of a device that has a name: {@link TeeBridges#named} gives it one where the configuration does not. */
    Topics topics() {
        return new Topics(identity.fleet(), identity.device().orElseThrow());
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
