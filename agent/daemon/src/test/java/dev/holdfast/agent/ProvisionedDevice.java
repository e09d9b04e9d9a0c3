package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.TpmAddress;
import dev.holdfast.tee.tpm.TpmTools;
import dev.holdfast.trust.client.MetadataSource;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import picocli.CommandLine;

/** A device with a TPM emulator, or with files, and commands that are run on it as a person would. */
final class ProvisionedDevice implements AutoCloseable {
    static final RoleSigner OFFLINE = signer();
    private static final RoleSigner ONLINE = signer();
    private static final MetadataSource NOWHERE = new MetadataSource() {
        @Override
        public Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
            throw new IOException("no network");
        }

        @Override
        public Optional<byte[]> directorOrder(byte[] nonce) throws IOException {
            throw new IOException("no network");
        }
    };

    /** What a command printed, and its status. */
    record Ran(int status, String out, String err) {}

    /** Somebody at the terminal who says the same to every question; {@code asked} are the questions. */
    record Person(boolean agrees, AuthValue password, List<String> asked) implements Operator {
        static Person who(boolean agrees) {
            return new Person(agrees, AuthValue.EMPTY, new ArrayList<>());
        }

        @Override
        public boolean isPresent() {
            return true;
        }

        @Override
        public boolean agrees(String question) {
            asked.add(question);
            return agrees;
        }

        @Override
        public AuthValue password(String what) {
            asked.add(what);
            return password;
        }
    }

    final Path dir;
    final Path config;
    final Path rootFile;
    final Optional<Swtpm> swtpm;

    private ProvisionedDevice(Path dir, Optional<Swtpm> swtpm) throws Exception {
        this.dir = dir;
        this.swtpm = swtpm;
        this.config = dir.resolve("holdfast.toml");
        this.rootFile = dir.resolve("root.json");
        configure("");
        Files.write(rootFile, OFFLINE.sign(root("mill")));
    }

    static ProvisionedDevice withTpm(Path dir) throws Exception {
        return new ProvisionedDevice(dir, Optional.of(Swtpm.start(dir)));
    }

    static ProvisionedDevice withFiles(Path dir) throws Exception {
        return new ProvisionedDevice(dir, Optional.empty());
    }

    void configure(String lines) throws IOException {
        configureAt(
                swtpm.map(tpm -> "unix:" + ((TpmAddress.Unix) tpm.address()).path())
                        .orElse("software"),
                lines);
    }

    void configureAt(String tee, String lines) throws IOException {
        Files.writeString(config, """
            fleet = "mill"
            device = "d"
            state = "s"
            tee = "%s"
            factory-root = "root.json"
            control-socket = "c"
            inference-socket = "i"
            inference-control-socket = "ic"
            %s
            """.formatted(tee, lines));
    }

    private static RoleSigner signer() {
        return new RoleSigner(
                List.of(SigningKey.generate(KeyKind.ECDSA_P256), SigningKey.generate(KeyKind.ML_DSA_44)), 2);
    }

    static ObjectNode root(String fleet) {
        RoleSigners signers = new RoleSigners(OFFLINE, OFFLINE, ONLINE, ONLINE, ONLINE);
        return new FamilyPolicy(1, 1)
                .into(RootDocument.signedPart(1, Instant.now().plus(Duration.ofDays(300)), signers.roles()))
                .put(RootDocument.FLEET_FIELD, fleet);
    }

    /** As a script, without a terminal. */
    Ran run(String... command) {
        return run(new Operator.Nobody(), command);
    }

    Ran run(Operator operator, String... command) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line = AgentCommand.program(operator)
                .commandLine()
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true));
        List<String> arguments = new ArrayList<>(List.of(command));
        arguments.addAll(List.of("--config", config.toString()));
        return new Ran(line.execute(arguments.toArray(String[]::new)), out.toString(), err.toString());
    }

    /** Runs a command that must succeed; what it printed. */
    String ok(String... command) {
        Ran ran = run(command);
        assertThat(ran.status()).as(ran.err()).isZero();
        return ran.out();
    }

    /** Runs a command that must fail; why it did. */
    String refused(String... command) {
        Ran ran = run(command);
        assertThat(ran.status()).as(ran.out()).isNotZero();
        return ran.err();
    }

    String doctor() throws Exception {
        return Doctor.of(parsed()).text();
    }

    AgentConfig parsed() throws Exception {
        return AgentConfig.read(config).orThrow();
    }

    /** Runs tpm2-tools as somebody else on the device does. */
    void tools(String script) throws Exception {
        TpmTools tools = new TpmTools(dir, swtpm.orElseThrow());
        assertThat(tools.script("set -e; cd " + dir + "\n" + script))
                .as(Files.readString(dir.resolve("tools.log")))
                .isZero();
    }

    /** Works with a trust client, as the agent does after its start. */
    @FunctionalInterface
    interface Work<T> {
        T with(TrustClient client) throws Exception;
    }

    /** Starts the trust client as the agent does; where it is refused, the rejection. */
    <T> Verdict<T> started(Work<T> work) throws Exception {
        try (TeeBridge bridge = TeeBridges.open(parsed())) {
            return switch (TrustClient.start(
                    parsed().trustDir(), rootFile, TeeBridges.anchors(bridge), NOWHERE, Clock.systemUTC())) {
                case Verdict.Accepted<TrustClient>(TrustClient client) -> Verdict.accepted(work.with(client));
                case Verdict.Rejected<TrustClient> refusal -> refusal.as();
            };
        }
    }

    Map<Path, byte[]> copyOfState() throws IOException {
        Map<Path, byte[]> copy = new TreeMap<>();
        try (var files = Files.walk(dir.resolve("s"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                copy.put(file, Files.readAllBytes(file));
            }
        }
        return copy;
    }

    void putBack(Map<Path, byte[]> copy) throws IOException {
        for (Path file : copyOfState().keySet()) {
            Files.delete(file);
        }
        for (Map.Entry<Path, byte[]> file : copy.entrySet()) {
            Files.write(file.getKey(), file.getValue());
        }
    }

    void deleteRecord() throws IOException {
        Files.deleteIfExists(dir.resolve("s/trust/state.0.json"));
        Files.deleteIfExists(dir.resolve("s/trust/state.1.json"));
    }

    @Override
    public void close() {
        swtpm.ifPresent(Swtpm::close);
    }
}
