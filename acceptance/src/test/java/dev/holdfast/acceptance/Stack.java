package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.EnrolmentToken;
import dev.holdfast.fleet.EnrolmentTokens;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * One fleet and one device in a folder of its own, every part a process: mosquitto, swtpm where wanted, the fleet
 * service, inference, the agent. Closing kills whatever still runs. Not thread-safe.
 */
final class Stack implements AutoCloseable {
    static final String HOLDFAST = "holdfast";
    static final String FLEET = "fleet";
    static final Path DEMO = Path.of("..", "demo");
    /** Generous: machines that run tests are busy. */
    private static final Duration LIMIT = Duration.ofSeconds(120);

    final Path dir;
    final int port;
    /** Where the device finds its broker; a test may put something in between. */
    int devicePort;

    private final boolean swtpm;
    private final Map<String, Process> processes = new LinkedHashMap<>();
    /** What programs are started with beside the build tree's places. */
    private Map<String, String> environment = Map.of();

    private Stack(Path dir, int port, boolean swtpm) {
        this.dir = dir;
        this.port = port;
        this.devicePort = port;
        this.swtpm = swtpm;
    }

    /** A fleet with both demo versions published, and a provisioned device; nothing runs but the TPM. */
    static Stack prepare(Path dir, boolean swtpm) throws Exception {
        return prepare(dir, freePort(), swtpm);
    }

    /** The same with a broker on this port, which somebody else starts. */
    static Stack prepare(Path dir, int port, boolean swtpm) throws Exception {
        Files.createDirectories(dir.resolve("log"));
        Stack stack = new Stack(dir, port, swtpm);
        stack.fleet("init", "--name", "demo", "--broker", stack.broker());
        Files.copy(dir.resolve("fleet/metadata/1.root.json"), dir.resolve("root.json"));
        stack.letIn();
        stack.publish("1.0.0");
        stack.publish("2.0.0");
        stack.configure();
        if (swtpm) {
            stack.startTpm();
        }
        stack.holdfastOk("provision");
        return stack;
    }

    /** A provisioned device whose TEE is files, of a fleet without models; nothing runs. */
    static Stack provisioned(Path dir) throws Exception {
        Files.createDirectories(dir.resolve("log"));
        Stack stack = new Stack(dir, freePort(), false);
        stack.fleet("init", "--name", "demo", "--broker", stack.broker());
        Files.copy(dir.resolve("fleet/metadata/1.root.json"), dir.resolve("root.json"));
        stack.letIn();
        stack.configure();
        stack.holdfastOk("provision");
        return stack;
    }

    /** Devices without a TPM may come, and the configuration names a token that lets each of a test's devices in. */
    private void letIn() throws Exception {
        Files.writeString(dir.resolve("fleet/enrolment.json"), "{\"format\":1, \"software\":true}");
        EnrolmentToken token = new EnrolmentTokens(new FleetDirectory(dir.resolve("fleet")), Clock.systemUTC())
                .create(1000, Duration.ofDays(1));
        Path file = Files.writeString(dir.resolve("enrolment.token"), token.text());
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    }

    void publish(String version) throws Exception {
        fleet(
                "publish",
                "intent",
                version,
                DEMO.resolve("intent-" + version + ".gguf").toString(),
                "--template",
                DEMO.resolve("template.json").toString(),
                "--canaries",
                DEMO.resolve("canaries-" + version + ".json").toString());
    }

    /** The demo's encoder under some version. */
    void publishEncoder(String version, String... more) throws Exception {
        List<String> arguments = new ArrayList<>(List.of(
                "sentence",
                version,
                DEMO.resolve("sentence-1.0.0.gguf").toString(),
                "--template",
                DEMO.resolve("sentence-template.json").toString()));
        arguments.addAll(List.of(more));
        fleet("publish", arguments.toArray(String[]::new));
    }

    /**
     * Copies a stopped device, its TPM's state and what the verifier remembers of it into another folder. Broker and fleet
     * service stay the same: a verifier that had seen one copy would rightly refuse the next, whose clock went back.
     */
    Stack copyTo(Path target) throws IOException {
        Files.walkFileTree(dir, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) throws IOException {
                Path name = dir.relativize(folder);
                if (name.startsWith("run") || name.startsWith("log")) {
                    return FileVisitResult.SKIP_SUBTREE;
                }
                Files.createDirectories(target.resolve(name));
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.copy(file, target.resolve(dir.relativize(file)), StandardCopyOption.COPY_ATTRIBUTES);
                return FileVisitResult.CONTINUE;
            }
        });
        Files.createDirectories(target.resolve("log"));
        Stack copy = new Stack(target, port, swtpm);
        copy.configure();
        return copy;
    }

    /** Writes the device's configuration anew, for instance after {@link #devicePort} changed. */
    void configure() throws IOException {
        Files.createDirectories(dir.resolve("run"));
        Files.writeString(dir.resolve("holdfast.toml"), """
                fleet = "demo"
                device = "device-1"
                enrolment-token-file = "enrolment.token"
                broker = "tcp://127.0.0.1:%d"
                state = "device"
                tee = "%s"
                factory-root = "root.json"
                control-socket = "run/control.sock"
                inference-socket = "run/inference.sock"
                inference-control-socket = "run/inference-control.sock"
                probation-seconds = 1
                refresh-seconds = 5
                transport-retries = 2
                broker-keep-alive-seconds = 20
                broker-spread-seconds = 0
                """.formatted(
                        devicePort, swtpm ? "unix:" + dir.resolve("run/tpm.sock") : "software"));
    }

    String broker() {
        return "tcp://127.0.0.1:" + port;
    }

    Path config() {
        return dir.resolve("holdfast.toml");
    }

    Path socket(String name) {
        return dir.resolve("run").resolve(name + ".sock");
    }

    /** From now on all programs of this stack, those that run too, read a clock that is so far ahead. Timers run as ever. */
    void clock(Duration ahead) throws IOException {
        Path file = dir.resolve("clock");
        Path next = Files.writeString(dir.resolve("clock.next"), "+" + ahead.toSeconds() + "s");
        Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
        environment = Map.of(
                "LD_PRELOAD",
                Tools.library("faketime/libfaketimeMT.so.1", "faketime"),
                "FAKETIME_TIMESTAMP_FILE",
                file.toString(),
                "FAKETIME_NO_CACHE",
                "1",
                "DONT_FAKE_MONOTONIC",
                "1",
                // Else timed waits of the JVM end at once.
                "FAKETIME_FORCE_MONOTONIC_FIX",
                "0");
    }

    // --- processes ---

    void startBroker() throws IOException {
        Path conf = dir.resolve("mosquitto.conf");
        Files.writeString(
                conf,
                "listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nmax_packet_size 262144\n"
                        .formatted(port));
        start("mosquitto", List.of(Tools.path("mosquitto", "mosquitto"), "-c", conf.toString()));
        Tools.until(LIMIT, "the broker listens", () -> {
            try (Socket probe = new Socket(InetAddress.getLoopbackAddress(), port)) {
                return probe.isConnected();
            }
        });
    }

    void startTpm() throws IOException {
        Files.createDirectories(dir.resolve("tpm"));
        Files.createDirectories(dir.resolve("run"));
        Files.deleteIfExists(dir.resolve("run/tpm.sock"));
        start(
                "swtpm",
                List.of(
                        Tools.path("swtpm", "swtpm"),
                        "socket",
                        "--tpm2",
                        "--tpmstate",
                        "dir=" + dir.resolve("tpm"),
                        "--server",
                        "type=unixio,path=" + dir.resolve("run/tpm.sock"),
                        "--ctrl",
                        // Where the TCTI of tpm2-tools looks for it.
                        "type=unixio,path=" + dir.resolve("run/tpm.sock.ctrl"),
                        "--flags",
                        "not-need-init,startup-clear"));
        Tools.until(LIMIT, "the TPM listens", () -> Files.exists(dir.resolve("run/tpm.sock")));
    }

    void startFleet() throws IOException {
        start(
                "fleet",
                Program.launch(FLEET, "serve", "--dir", dir.resolve("fleet").toString()));
    }

    void startInference() throws IOException {
        start("inference", Program.launch(HOLDFAST, "inference", "--config", config().toString()));
    }

    void startAgent() throws IOException {
        start("agent", Program.launch(HOLDFAST, "agent", "--config", config().toString()));
    }

    /** An agent that stands still in one state of the next install until {@link #release}. */
    void startAgentThatWaitsAt(String state) throws IOException {
        start("agent", Program.agentThatWaits(config().toString(), state));
    }

    void awaitStandstill(String state) {
        Tools.until(LIMIT, "the agent is at " + state, () -> log("agent").contains("AT " + state));
    }

    void release() throws IOException {
        var in = process("agent").getOutputStream();
        in.write('\n');
        in.flush();
    }

    /** kill -9. */
    void kill(String name) throws InterruptedException {
        Process process = process(name);
        process.destroyForcibly();
        assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        processes.remove(name);
    }

    /** The polite end. */
    void stop(String name) throws InterruptedException {
        Process process = process(name);
        process.destroy();
        assertThat(process.waitFor(20, TimeUnit.SECONDS))
                .as(name + " ends when asked")
                .isTrue();
        processes.remove(name);
    }

    /** The power goes and comes back: all of the device ends at once, and its TPM starts once more, with registers of zero. */
    void powerCut() throws Exception {
        for (String one : List.of("agent", "inference", "swtpm")) {
            kill(one);
        }
        startTpm();
        startInference();
        startAgent();
    }

    boolean runs(String name) {
        return processes.containsKey(name);
    }

    Process process(String name) {
        Process process = processes.get(name);
        if (process == null) {
            throw new IllegalStateException(name + " does not run");
        }
        return process;
    }

    private void start(String name, List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(logFile(name).toFile()));
        builder.environment().putAll(Program.ENVIRONMENT);
        builder.environment().putAll(environment);
        Process process = builder.start();
        processes.put(name, process);
    }

    // --- what people ask ---

    Tools.Ran command(String program, String... arguments) throws Exception {
        return Tools.run(dir, Program.launch(program, arguments), environment);
    }

    String fleet(String verb, String... arguments) throws Exception {
        List<String> all =
                new ArrayList<>(List.of(verb, "--dir", dir.resolve("fleet").toString()));
        if (verb.equals("attest")) {
            // Neither is what fleet attest takes unless it is asked to.
            all.addAll(List.of("--min-assurance", swtpm ? "emulated" : "software"));
        }
        all.addAll(List.of(arguments));
        Tools.Ran ran = command(FLEET, all.toArray(String[]::new));
        assertThat(ran.status()).as(verb + ": " + ran.err()).isZero();
        return ran.out();
    }

    Tools.Ran holdfast(String verb, String... arguments) throws Exception {
        List<String> all = new ArrayList<>(List.of(verb, "--config", config().toString()));
        all.addAll(List.of(arguments));
        return command(HOLDFAST, all.toArray(String[]::new));
    }

    String holdfastOk(String verb, String... arguments) throws Exception {
        Tools.Ran ran = holdfast(verb, arguments);
        assertThat(ran.status()).as(verb + ": " + ran.err()).isZero();
        return ran.out();
    }

    void desire(String version) throws Exception {
        fleet("desire", "device-1", "intent", version);
    }

    JsonNode status() throws IOException {
        return UnixSocket.getJson(socket("control"), "/v1/status");
    }

    JsonNode history() throws IOException {
        return UnixSocket.getJson(socket("control"), "/v1/history");
    }

    /** The model that answers, as {@code name@version}, or nothing. */
    String serves() throws IOException {
        return UnixSocket.getJson(socket("inference"), "/v1/models")
                .at("/data/0/id")
                .asText();
    }

    String answer(String sentence) throws IOException {
        ObjectNode body = Json.object();
        body.putArray("messages").addObject().put("role", "user").put("content", sentence);
        return UnixSocket.postJson(socket("inference"), "/v1/chat/completions", body)
                .at("/choices/0/message/content")
                .asText();
    }

    void awaitServing(String version) {
        Tools.until(LIMIT, version + " serves", () -> serves().equals("intent@" + version));
    }

    void awaitCommitted(String version) {
        awaitCommitted("intent", version);
    }

    /** The last line that the history has of this model says so. */
    void awaitCommitted(String model, String version) {
        Tools.until(LIMIT, model + " " + version + " is committed", () -> {
            JsonNode last = lastOf(history(), model);
            return last.path("state").asText().equals("COMMITTED")
                    && last.path("version").asText().equals(version);
        });
    }

    void awaitRejection(String code) {
        Tools.until(
                LIMIT,
                "the last rejection is " + code,
                () -> status().at("/lastRejection/code").asText().equals(code));
    }

    static JsonNode lastOf(JsonNode history) {
        JsonNode lines = history.isArray() ? history : history.path("history");
        return lines.path(lines.size() - 1);
    }

    /** The last line of one model. */
    static JsonNode lastOf(JsonNode history, String model) {
        JsonNode last = MissingNode.getInstance();
        for (JsonNode line : history) {
            last = line.path("model").asText().equals(model) ? line : last;
        }
        return last;
    }

    String log(String name) {
        try {
            return Files.exists(logFile(name)) ? Files.readString(logFile(name)) : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path logFile(String name) {
        return dir.resolve("log").resolve(name + ".log");
    }

    /** No part's log has the trace of an exception. */
    void assertNoTraces() {
        for (String name : List.of("agent", "inference", "fleet")) {
            assertThat(log(name)).as("log of " + name).doesNotContain("\tat ");
        }
    }

    @Override
    public void close() {
        for (String name : List.copyOf(processes.keySet()).reversed()) {
            process(name).destroyForcibly().onExit().join();
        }
        processes.clear();
    }

    private static int freePort() throws IOException {
        try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return probe.getLocalPort();
        }
    }
}
