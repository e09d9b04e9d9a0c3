package dev.holdfast.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.TinyStore;
import dev.holdfast.wire.Sha256;
import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The real program: one file, on a socket of its own user, that says of itself that nothing attests it. */
@Timeout(120)
class StandaloneTest {
    @TempDir
    Path dir;

    private Path model;

    @BeforeEach
    void model() throws Exception {
        model = dir.resolve("Tiny model.gguf");
        TinyModel.write(model, 7, TinyModel.Flaw.NONE);
        Files.createDirectory(dir.resolve("tmp"));
    }

    private Process start(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Djava.io.tmpdir=" + dir.resolve("tmp"),
                "-cp",
                System.getProperty("java.class.path"),
                StandaloneMain.class.getName()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("XDG_RUNTIME_DIR", dir.toString());
        return builder.start();
    }

    /** What it says up to its last word of greeting. */
    private static String greeting(Process process) throws Exception {
        StringBuilder said = new StringBuilder();
        BufferedReader lines = process.inputReader(StandardCharsets.UTF_8);
        while (said.indexOf("Ctrl-C ends it.") < 0) {
            String line = lines.readLine();
            assertThat(line).as(said.toString()).isNotNull();
            said.append(line).append('\n');
        }
        return said.toString();
    }

    private String refused(int status, String... arguments) throws Exception {
        Process process = start(arguments);
        try {
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).as(said).isEqualTo(status);
            assertThat(dir.resolve("tmp")).isEmptyDirectory();
            return said;
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void servesOneFileAndSaysEverywhereThatItIsNotAttested() throws Exception {
        Path template = Files.writeString(dir.resolve("template.json"), TinyStore.TEMPLATE);
        Process process = start("--model", model.toString(), "--template=" + template, "--threads", "1");
        try {
            Path socket = dir.resolve("holdfast/inference.sock");
            assertThat(greeting(process))
                    .contains("UNATTESTED: Tiny-model@local")
                    .contains("Listening on " + socket)
                    .contains("curl --unix-socket " + socket);
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket.getParent())))
                    .isEqualTo("rwx------");
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                    .isEqualTo("rw-------");

            Curl curl = new Curl(socket);
            JsonNode health = curl.get("/healthz").json();
            assertThat(health.path("status").asText()).isEqualTo("ok");
            assertThat(health.path("attested").asBoolean(true)).isFalse();
            JsonNode first = curl.get("/v1/models").json().path("data").path(0);
            assertThat(first.path("attested").asBoolean(true)).isFalse();
            assertThat(first.path("system_fingerprint").asText())
                    .isEqualTo("sha256:" + Sha256.ofFile(model).hex().substring(0, 16));
            Curl.Answer evidence = curl.get("/v1/attestation?nonce=0011223344556677");
            assertThat(evidence.status()).isEqualTo(503);
            assertThat(evidence.json().path("detail").asText()).contains("not attested");
            Curl.Answer answer = curl.post(
                    "/v1/chat/completions", "{\"max_tokens\":4,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);

            process.destroy();
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
            try (Stream<Path> left = Files.list(socket.getParent())) {
                assertThat(left).isEmpty();
            }
            assertThat(dir.resolve("tmp")).isEmptyDirectory();
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void withoutATemplateItContinuesTextsAndSaysSo() throws Exception {
        Path socket = dir.resolve("it's.sock");
        Process process = start("--model", model.toString(), "--name", "small", "--socket", socket.toString());
        try {
            assertThat(greeting(process))
                    .contains("No chat template")
                    .contains("--template FILE.json")
                    .contains("UNATTESTED: small@local")
                    .contains("'\\''s.sock'");
            Curl.Answer answer = new Curl(socket).post("/v1/completions", "{\"max_tokens\":4,\"prompt\":\"hi\"}");
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void theFilesOwnFamilyGivesTheTemplate() throws Exception {
        Path chat = dir.resolve("chat.gguf");
        TinyModel.writeChatml(chat, 7);
        Path socket = dir.resolve("chat.sock");
        Process process = start("--model", chat.toString(), "--socket", socket.toString());
        try {
            assertThat(greeting(process)).contains("Chat template: of the family chatml");
            Curl curl = new Curl(socket);
            String question = "{\"max_tokens\":4,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
            Curl.Answer answer = curl.post("/v1/chat/completions", question);
            assertThat(answer.status()).as(answer.body()).isEqualTo(200);
            // <|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n, letter by letter
            assertThat(answer.json().path("usage").path("prompt_tokens").asInt())
                    .isGreaterThan(15);
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void leavesNothingBehindWhereItEndsWithItsFirstWord() throws Exception {
        Path socket = dir.resolve("end.sock");
        Process process = start("--model", model.toString(), "--socket", socket.toString());
        try {
            greeting(process);
            process.destroy();
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(dir.resolve("tmp")).isEmptyDirectory();
            assertThat(socket).doesNotExist();
            assertThat(dir.resolve("end-control.sock")).doesNotExist();
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    void whatCannotBeServedEndsItWithTheReason() throws Exception {
        assertThat(refused(1, "--model", dir.resolve("none.gguf").toString()))
                .contains("API-NOT-FOUND: there is no file");
        Path text = Files.writeString(dir.resolve("text.gguf"), "not a model");
        assertThat(refused(1, "--model", text.toString())).contains("GGUF-");
        Path damaged = dir.resolve("nan.gguf");
        TinyModel.write(damaged, 7, TinyModel.Flaw.NAN);
        assertThat(refused(1, "--model", damaged.toString())).contains("GATE-");
        assertThat(refused(1, "--model", model.toString(), "--template", text.toString()))
                .contains("WIRE-JSON");
        assertThat(refused(2, "--model")).contains("--model has no value").contains("Usage:");
        assertThat(refused(2, "--threads", "1")).contains("--model is missing");
        assertThat(refused(2, "--model", "x", "--threads", "many")).contains("--threads takes a number from 1 to 16");
        assertThat(refused(2, "--model", "x", "--colour", "red")).contains("there is no option --colour");
    }

    @Test
    void aFolderOfSomebodyElseIsNotUsed() throws Exception {
        Files.createDirectory(dir.resolve("holdfast"));
        Files.setPosixFilePermissions(dir.resolve("holdfast"), PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThat(refused(77, "--model", model.toString())).contains("API-FORBIDDEN");
        Files.delete(dir.resolve("holdfast"));
        Files.createSymbolicLink(dir.resolve("holdfast"), dir.resolve("tmp"));
        assertThat(refused(77, "--model", model.toString())).contains("API-FORBIDDEN");
    }
}
