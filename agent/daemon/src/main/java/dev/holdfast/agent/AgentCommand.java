package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.TpmQuoteFiles;
import dev.holdfast.control.AgentClient;
import dev.holdfast.control.Challenges;
import dev.holdfast.control.Refusal;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.tee.TeeException;
import dev.holdfast.terminal.Program;
import dev.holdfast.terminal.Units;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ExitCode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
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
            ProvisionCommand.class,
            DeprovisionCommand.class,
            AgentCommand.Attest.class,
            AgentCommand.RunDoctor.class
        })
public final class AgentCommand {
    private AgentCommand() {}

    public static void main(String[] args) {
        System.exit(program(Operator.atTerminal()).run(args));
    }

    /** The whole model of these verbs, for completion and manual pages. */
    public static CommandLine commandLine() {
        return program(Operator.atTerminal()).commandLine();
    }

    /** @param operator who is asked before anything is done for good */
    static Program program(Operator operator) {
        CommandLine.IFactory plain = CommandLine.defaultFactory();
        CommandLine.IFactory factory = new CommandLine.IFactory() {
            @Override
            public <K> K create(Class<K> type) throws Exception {
                if (type == ProvisionCommand.class) {
                    return type.cast(new ProvisionCommand(operator));
                }
                return type == DeprovisionCommand.class
                        ? type.cast(new DeprovisionCommand(operator))
                        : plain.create(type);
            }
        };
        return new Program(new CommandLine(new AgentCommand(), factory));
    }

    /** What needs the configuration file. */
    abstract static class Configured implements Callable<Integer> {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Option(
                names = "--config",
                paramLabel = "FILE",
                description = "configuration file (${DEFAULT-VALUE})",
                defaultValue = ConfigFile.DEFAULT)
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
            return AgentMain.run(file);
        }
    }

    @Command(
            name = "attest",
            description = "Writes evidence for a nonce, or offers it to the fleet before the machine goes down.",
            footer = {
                "",
                "Examples:",
                "  holdfast attest --nonce $(openssl rand -hex 32) --out evidence.cbor",
                "  holdfast attest --before-reboot"
            })
    static final class Attest extends Configured {
        @Option(names = "--nonce", paramLabel = "HEX", description = "8 to 64 bytes in hexadecimal")
        Optional<String> nonce = Optional.empty();

        @Option(names = "--out", paramLabel = "FILE", description = "file for the evidence")
        Optional<Path> evidenceFile = Optional.empty();

        @Option(
                names = "--before-reboot",
                description = "tell the fleet that the machine goes down, and wait at most 5 seconds until it asked for"
                        + " evidence and has it; exit code 75 where it did not, 69 where the broker is not reached")
        boolean beforeReboot;

        @Option(
                names = "--tpm-out",
                paramLabel = "DIR",
                description = "folder for the files that tpm2_checkquote reads (none)")
        Optional<Path> tpmFolder = Optional.empty();

        @Option(names = "--json", description = "print JSON")
        boolean json;

        @Override
        public Integer call() throws Exception {
            AgentClient agent = new AgentClient(config().sockets().agent());
            if (beforeReboot && nonce.isEmpty() && evidenceFile.isEmpty() && tpmFolder.isEmpty()) {
                return leave(agent);
            }
            if (beforeReboot || nonce.isEmpty() || evidenceFile.isEmpty()) {
                throw new CommandLine.ParameterException(
                        spec.commandLine(),
                        "holdfast attest --nonce HEX --out FILE, or holdfast attest --before-reboot");
            }
            return write(agent, asked(nonce.get()), evidenceFile.get());
        }

        private int leave(AgentClient agent) throws IOException, RejectedException {
            JsonNode said = agent.leave();
            boolean answered = said.path("answered").asBoolean();
            Rejection why = Refusal.read(said, Code.LNK_TIMEOUT);
            if (!answered && !json) {
                throw new RejectedException(why);
            }
            out().println(json ? said.toString() : why.detail());
            out().flush();
            return answered ? 0 : ExitCode.of(why.code()).number();
        }

        private int write(AgentClient agent, Binary asked, Path file) throws Exception {
            byte[] evidence = agent.evidence(asked).toArray();
            Files.write(file, evidence);
            if (tpmFolder.isPresent()) {
                TpmQuoteFiles.write(tpmFolder.get(), evidence, attestationKey(agent))
                        .orThrow();
            }
            out().println(
                            json
                                    ? Json.object()
                                            .put("file", file.toString())
                                            .put("bytes", evidence.length)
                                            .toString()
                                    : "wrote evidence to " + file + ", " + Units.bytes(evidence.length)
                                            + "; a verifier appraises it by: fleet verify");
            out().flush();
            return 0;
        }

        private static Binary asked(String nonce) throws RejectedException {
            return switch (Challenges.nonce(nonce)) {
                case Verdict.Accepted<Binary>(Binary asked) -> asked;
                case Verdict.Rejected<Binary>(Rejection why) ->
                    throw new RejectedException(why.code(), "--nonce: " + why.detail());
            };
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
            description = "Checks processes, root of trust, fleet and store; exit code 1 when something is broken.",
            footer = {
                "",
                "Examples:",
                "  holdfast doctor",
                "  holdfast doctor --json | jq '.checks[] | select(.outcome != \"pass\")'"
            })
    static final class RunDoctor extends Configured {
        @Option(names = "--json", description = "print JSON")
        boolean json;

        @Override
        public Integer call() throws RejectedException {
            Doctor doctor = Doctor.of(config());
            out().print(json ? doctor.json() + "\n" : doctor.text(Program.output(spec)));
            out().flush();
            return doctor.isHealthy() ? 0 : 1;
        }
    }
}
