package dev.holdfast.agent;

import dev.holdfast.attestation.TpmQuoteFiles;
import dev.holdfast.control.AgentClient;
import dev.holdfast.control.Challenges;
import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.ConfigFile;
import dev.holdfast.control.Shutdown;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.TeeInventory;
import dev.holdfast.trust.client.TrustAnchors;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.interfaces.ECPublicKey;
import java.security.spec.X509EncodedKeySpec;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The verbs of the {@code holdfast} command that need what the agent has: the TEE, the store, the evidence. */
@Command(
        name = "holdfast",
        mixinStandardHelpOptions = true,
        scope = CommandLine.ScopeType.INHERIT,
        version = AgentDaemon.VERSION,
        subcommands = {
            AgentCommand.Agent.class,
            AgentCommand.Provision.class,
            AgentCommand.Attest.class,
            AgentCommand.RunDoctor.class
        })
public final class AgentCommand {
    private AgentCommand() {}

    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        return new CommandLine(new AgentCommand()).setExecutionExceptionHandler((failure, line, parsed) -> {
            line.getErr().println(CommandFailure.message(failure));
            return CommandFailure.exitCode(failure);
        });
    }

    /** What needs the configuration file. */
    abstract static class Configured implements Callable<Integer> {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Option(names = "--config", description = "configuration file", defaultValue = ConfigFile.DEFAULT)
        Path file = Path.of(ConfigFile.DEFAULT);

        AgentConfig config() throws RejectedException {
            return AgentConfig.read(file).orThrow();
        }

        PrintWriter out() {
            return spec.commandLine().getOut();
        }
    }

    @Command(name = "agent", description = "Runs the update and attestation daemon.")
    static final class Agent extends Configured {
        @Override
        public Integer call() throws RejectedException, IOException, TeeException, InterruptedException {
            Shutdown.await(AgentDaemon.start(config()));
            return 0;
        }
    }

    @Command(
            name = "provision",
            description =
                    "Anchors the factory root in the TEE, once, and makes counter and keys. Again: changes nothing.")
    static final class Provision extends Configured {
        @Option(
                names = "--accept-state",
                description =
                        "accept the state on the disk although the TEE has counted further: it was put back on purpose")
        boolean acceptState;

        @Override
        public Integer call() throws RejectedException, IOException, TeeException {
            AgentConfig config = config();
            Sha256 root = Sha256.ofFile(config.root().factoryRoot());
            try (TeeBridge bridge = TeeBridges.open(config)) {
                TrustAnchors anchors = TeeBridges.anchors(bridge);
                boolean known = anchors.store().read().isPresent();
                anchors.store().provision(root);
                TeeBridges.pinEndorsement(config, bridge);
                anchors.generation().read(); // Made when it is first looked at.
                if (acceptState) {
                    TrustClient.readmit(
                                    config.stateDir().resolve("trust"),
                                    config.root().factoryRoot(),
                                    anchors)
                            .orThrow();
                    out().println("the state on the disk is accepted as it is");
                }
                out().println((known ? "already anchored: " : "anchored ") + root + " in "
                        + bridge.describe().kind() + " (" + bridge.describe().assurance() + ")");
                for (TeeInventory.Finding finding : bridge.inventory().findings()) {
                    out().println("  " + finding.name() + ": " + finding.detail());
                }
            }
            return 0;
        }
    }

    @Command(name = "attest", description = "Writes evidence for a nonce.")
    static final class Attest extends Configured {
        @Option(names = "--nonce", required = true, description = "8 to 64 bytes in hexadecimal")
        String nonce = "";

        @Option(names = "--out", required = true, description = "file for the evidence")
        Path evidenceFile = Path.of("evidence.cbor");

        @Option(names = "--tpm-out", description = "folder for the files that tpm2_checkquote reads")
        Optional<Path> tpmFolder = Optional.empty();

        @Override
        public Integer call() throws Exception {
            AgentClient agent = new AgentClient(config().sockets().agent());
            byte[] evidence = agent.evidence(Challenges.nonce(nonce).orThrow()).toArray();
            Files.write(evidenceFile, evidence);
            if (tpmFolder.isPresent()) {
                TpmQuoteFiles.write(tpmFolder.get(), evidence, attestationKey(agent))
                        .orThrow();
            }
            return 0;
        }

        private static ECPublicKey attestationKey(AgentClient agent)
                throws IOException, RejectedException, GeneralSecurityException {
            Binary spki = Binary.fromHex(agent.tee().path("attestationKey").asText(""))
                    .orThrow();
            return (ECPublicKey) KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(spki.toArray()));
        }
    }

    @Command(
            name = "doctor",
            description = "Checks processes, root of trust, fleet and store; exit code 1 when something is broken.")
    static final class RunDoctor extends Configured {
        @Option(names = "--json", description = "print JSON")
        boolean json;

        @Override
        public Integer call() throws RejectedException {
            Doctor doctor = Doctor.of(config());
            out().print(json ? doctor.json() + "\n" : doctor.text());
            out().flush();
            return doctor.isHealthy() ? 0 : 1;
        }
    }
}
