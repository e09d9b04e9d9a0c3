package dev.holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.terminal.Program;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class ConfigCommandTest {
    @TempDir
    Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... args) {
        Program program = HoldfastCommand.program("config");
        CommandLine line = program.commandLine();
        line.setOut(new PrintWriter(out));
        line.setErr(new PrintWriter(err, true));
        List<String> all = new ArrayList<>(List.of("config"));
        all.addAll(List.of(args));
        return program.execute(all.toArray(String[]::new));
    }

    private Path file(String toml) throws Exception {
        return Files.writeString(folder.resolve("holdfast.toml"), toml);
    }

    @Test
    void aWrongConfigurationIsExitCode78AndEveryErrorOnALineOfItsOwn() throws Exception {
        Path file = file("fleet = \"f\"\ndevcie = \"d\"\nthreads = 0\n");
        assertThat(run("check", file.toString())).isEqualTo(78);
        assertThat(err.toString().lines())
                .containsExactly(
                        file
                                + ":1:1: device: is missing: add device = \"...\" (1 to 64 letters, digits, '_' or '-', the first a"
                                + " letter or digit; no dots)",
                        file + ":2:1: devcie: is not a key; did you mean device?",
                        file + ":3:11: threads: must be an integer from 1 to 16; it is 0",
                        "3 errors");
    }

    @Test
    void aGoodOneIsExitCode0() throws Exception {
        Path file = file("fleet = \"f\"\ndevice = \"d\"\n");
        assertThat(run("check", file.toString())).isZero();
        assertThat(out.toString()).isEqualTo(file + " can be used\n");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void showsOfEachKeyItsValueAndWhereItIsFrom() throws Exception {
        Path file = file("fleet = \"f\"\ndevice = \"d\"\n");
        Files.createDirectories(folder.resolve("conf.d"));
        Path dropIn = Files.writeString(folder.resolve("conf.d/10.toml"), "threads = 2\n");
        assertThat(run("show", "--json", "--config", file.toString())).isZero();
        JsonNode shown = Json.readObject(out.toString().getBytes(StandardCharsets.UTF_8), 1 << 20)
                .orThrow();
        List<String> keys = new ArrayList<>();
        shown.get("keys").forEach(key -> keys.add(key.toString()));
        assertThat(keys)
                .contains(
                        "{\"key\":\"device\",\"value\":\"d\",\"source\":\"file\",\"file\":\"" + file + "\",\"line\":2}",
                        "{\"key\":\"threads\",\"value\":2,\"source\":\"drop-in\",\"file\":\"" + dropIn
                                + "\",\"line\":1}",
                        "{\"key\":\"refresh-seconds\",\"value\":3600,\"source\":\"default\"}",
                        "{\"key\":\"byte-budget\",\"value\":null,\"source\":\"default\"}");
        out.getBuffer().setLength(0);
        assertThat(run("show", "--config", file.toString())).isZero();
        assertThat(out.toString().lines().map(line -> line.replaceAll(" +", " ")))
                .contains(
                        "threads 2 " + dropIn + ":1",
                        "refresh-seconds 3600 default",
                        "max-sequences-per-user default: three quarters of max-sequences");
    }

    @Test
    void theReferenceComesInEachForm() {
        assertThat(run("reference")).isZero();
        assertThat(out.toString())
                .contains("  refresh-seconds\n      integer, 1 to 86400 seconds\n      default: 3600\n");
        out.getBuffer().setLength(0);
        assertThat(run("reference", "--format", "man")).isZero();
        assertThat(out.toString()).startsWith(".TH HOLDFAST.TOML 5");
    }
}
