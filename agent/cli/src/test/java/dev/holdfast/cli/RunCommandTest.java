package dev.holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.testkit.HostileInference;
import dev.holdfast.testkit.HostileInference.Behaviour;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ExitCode;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The real program at sockets of every kind: what goes to which stream, and how it ends. */
@Timeout(120)
class RunCommandTest {
    private static final String HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

    @TempDir
    Path dir;

    private record Ran(int status, String out, String err) {}

    private Ran run(String input, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx128m",
                "-cp",
                System.getProperty("java.class.path"),
                HoldfastCommand.class.getName()));
        command.addAll(List.of(arguments));
        Path in = Files.writeString(Files.createTempFile(dir, "in", ""), input);
        Path out = Files.createTempFile(dir, "out", "");
        Path err = Files.createTempFile(dir, "err", "");
        Process process = new ProcessBuilder(command)
                .redirectInput(in.toFile())
                .redirectOutput(out.toFile())
                .redirectError(err.toFile())
                .start();
        try {
            assertThat(process.waitFor(100, TimeUnit.SECONDS)).isTrue();
            return new Ran(process.exitValue(), Files.readString(out), Files.readString(err));
        } finally {
            process.destroyForcibly();
        }
    }

    /** Serves one connection with these bytes; the request is kept in {@code seen}. */
    private ServerSocketChannel serve(Path socket, StringBuffer seen, String answer) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        Thread.ofVirtual().start(() -> {
            try (SocketChannel channel = server.accept()) {
                ByteBuffer request = ByteBuffer.allocate(64 * 1024);
                while (!seen.toString().contains("}]}")) {
                    channel.read(request.clear());
                    seen.append(StandardCharsets.UTF_8.decode(request.flip()));
                }
                channel.write(ByteBuffer.wrap(answer.getBytes(StandardCharsets.UTF_8)));
            } catch (IOException e) {
                seen.append(e);
            }
        });
        return server;
    }

    private static String piece(String text) {
        return "data: {\"choices\":[{\"delta\":{\"content\":\"" + text + "\"}}]}\n\n";
    }

    @Test
    void theAnswerIsOnStandardOutputAndTheSpeedBesideIt() throws Exception {
        Path socket = dir.resolve("a.sock");
        StringBuffer seen = new StringBuffer();
        String usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n";
        try (ServerSocketChannel _ =
                serve(socket, seen, HEAD + piece("Hello\\u001b") + piece(" you") + usage + "data: [DONE]\n\n")) {
            Ran ran = run(
                    "",
                    "run",
                    "--socket=" + socket,
                    "--system=Be brief.",
                    "--max-tokens=9",
                    "--temperature=0.5",
                    "--stats",
                    "small",
                    "Who?");
            // A pipe gets every byte.
            assertThat(ran.out()).isEqualTo("Hello\u001b you\n");
            assertThat(ran.err())
                    .contains("first token after")
                    .contains("7 tokens of prompt")
                    .contains("2 of answer");
            assertThat(ran.status()).isZero();
            assertThat(seen.toString())
                    .contains("\"model\":\"small\"")
                    .contains("\"max_tokens\":9")
                    .contains("\"temperature\":0.5")
                    .contains(
                            "{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Who?\"}");
        }
    }

    @Test
    void thePromptMayComeFromAPipe() throws Exception {
        Path socket = dir.resolve("a.sock");
        StringBuffer seen = new StringBuffer();
        try (ServerSocketChannel _ = serve(socket, seen, HEAD + piece("Yes") + "data: [DONE]\n\n")) {
            Ran ran = run("two\nlines\n", "run", "--socket=" + socket);
            assertThat(ran).isEqualTo(new Ran(0, "Yes\n", ""));
            assertThat(seen.toString()).contains("\"content\":\"two\\nlines\"");
        }
        Ran nothing = run("", "run", "--socket=" + socket);
        assertThat(nothing.status()).isEqualTo(1);
        assertThat(nothing.err()).startsWith("API-REQUEST: there is no prompt");
        assertThat(run("x".repeat(800_000), "run", "--socket=" + socket).err()).startsWith("API-TOO-LARGE: ");
    }

    @Test
    void anAnswerThatIsCutIsAnErrorWithItsCode() throws Exception {
        Path socket = dir.resolve("a.sock");
        try (ServerSocketChannel _ = serve(socket, new StringBuffer(), HEAD + piece("Hel"))) {
            Ran ran = run("", "run", "--socket=" + socket, "Who?");
            assertThat(ran.out()).isEqualTo("Hel\n");
            assertThat(ran.err()).startsWith("API-INTERNAL: the answer was cut");
            assertThat(ran.status()).isEqualTo(1);
        }
        Files.delete(socket);
        String late = "data: {\"error\":{\"message\":\"m\"},\"code\":\"API-DEADLINE\",\"detail\":\"too late\"}\n\n";
        try (ServerSocketChannel _ = serve(socket, new StringBuffer(), HEAD + piece("Hel") + late)) {
            Ran ran = run("", "run", "--socket=" + socket, "Who?");
            assertThat(ran)
                    .isEqualTo(
                            new Ran(75, "Hel\n", "API-DEADLINE: too late\n  -> " + Code.API_DEADLINE.remedy() + "\n"));
        }
    }

    @Test
    void aSocketThatIsNotThereIsToldWithWhatToDo() throws Exception {
        for (String verb : List.of("run", "ps")) {
            Ran ran = run("hello", verb, "--socket=" + dir.resolve("none.sock"));
            assertThat(ran.status()).isEqualTo(ExitCode.UNAVAILABLE.number());
            assertThat(ran.err())
                    .contains("there is no socket " + dir.resolve("none.sock"))
                    .contains("standalone");
        }
    }

    @ParameterizedTest
    @EnumSource(
            names = {
                "ENDLESS_BODY",
                "ENDLESS_CHUNKS",
                "TINY_CHUNKS",
                "ENDLESS_HEADERS",
                "HUGE_LENGTH",
                "MANY_NODES",
                "DEEP_NESTING",
                "CUT_OFF",
                "CLOSES_EARLY",
                "NOISE",
                "WRONG_TYPES",
                "LONG_REFUSAL"
            })
    void aHostileServerCostsTheCommandAnErrorAndNoMore(Behaviour behaviour) throws Exception {
        try (HostileInference hostile = HostileInference.open(dir.resolve("h.sock"))) {
            hostile.behave(behaviour);
            for (String[] verb : List.of(new String[] {"run", "hello"}, new String[] {"ps"})) {
                List<String> arguments = new ArrayList<>(List.of(verb));
                arguments.add(1, "--socket=" + dir.resolve("h.sock"));
                Ran ran = run("", arguments.toArray(new String[0]));
                if (verb[0].equals("run")) {
                    assertThat(ran.status()).isEqualTo(1);
                    assertThat(ran.err()).isNotEmpty();
                }
                assertThat(ran.err()).doesNotContain("\tat ").doesNotContain("OutOfMemory");
            }
        }
    }
}
