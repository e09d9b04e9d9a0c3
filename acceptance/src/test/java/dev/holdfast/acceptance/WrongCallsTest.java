package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What people do wrong, by the real programs: an exit code of the table, nothing on standard output, and on standard error one line that
 * says what and where, with what to do below it; no name of an exception, no stack, no bare path, no greeting of the JVM.
 */
@Timeout(300)
class WrongCallsTest {
    private static final Pattern JAVA = Pattern.compile("Exception|Error:|\\tat |java\\.|WARNING:|jdk\\.|null");
    private static final String MODEL =
            Path.of("../demo/intent-1.0.0.gguf").toAbsolutePath().toString();
    private static final String TEMPLATE =
            Path.of("../demo/template.json").toAbsolutePath().toString();

    @TempDir
    Path dir;

    private String config;

    /** A line, how it ends, and what is said. */
    private record Wrong(int status, String said, List<String> line) {}

    private static Wrong wrong(int status, String said, String... line) {
        return new Wrong(status, said, List.of(line));
    }

    @BeforeEach
    void files() throws IOException {
        Files.write(dir.resolve("garbage"), new byte[4096]);
        Files.writeString(dir.resolve("not.toml"), "what is this\n");
        Files.writeString(dir.resolve("odd.toml"), "brocker = \"mqtt://127.0.0.1\"\n");
        config = Files.writeString(dir.resolve("holdfast.toml"), """
            fleet = "f"
            device = "d"
            broker = "mqtt://127.0.0.1:1"
            state = "%1$s/state"
            tee = "software"
            factory-root = "%1$s/none.json"
            control-socket = "%1$s/c.sock"
            inference-socket = "%1$s/i.sock"
            inference-control-socket = "%1$s/ic.sock"
            """.formatted(dir))
                .toString();
    }

    private String file(String name) {
        return dir.resolve(name).toString();
    }

    private void check(List<Wrong> all) {
        List<String> bad = new ArrayList<>();
        // As many at once as this machine has cores; each starts a JVM.
        all.parallelStream().forEach(one -> {
            String line = String.join(" ", one.line());
            Tools.Ran ran = run(one.line());
            String said = ran.err();
            boolean right = ran.status() == one.status()
                    && said.contains(one.said())
                    && !JAVA.matcher(said).find()
                    && ran.out().isEmpty()
                    && said.lines().count() <= 2
                    && said.lines().skip(1).allMatch(more -> more.startsWith("  -> "))
                    && said.lines()
                            .findFirst()
                            .filter(first -> first.contains(" "))
                            .isPresent();
            if (!right) {
                synchronized (bad) {
                    bad.add(line + "\n  ended with " + ran.status() + ", not " + one.status() + "\n" + ran.out()
                            + said);
                }
            }
        });
        assertThat(bad).isEmpty();
    }

    private Tools.Ran run(List<String> line) {
        try {
            return Tools.run(
                    dir,
                    Program.launch(line.getFirst(), line.subList(1, line.size()).toArray(String[]::new)));
        } catch (IOException e) {
            throw new AssertionError(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }

    @Test
    void theUsualMistakesAreToldWithWhatToDo() {
        check(List.of(
                wrong(69, "no daemon answers on " + file("c.sock"), "holdfast", "status", "--config", config),
                wrong(78, "none.toml", "holdfast", "status", "--config", file("none.toml")),
                wrong(2, "did you mean status?", "holdfast", "statuz"),
                wrong(2, "--jsn", "holdfast", "status", "--jsn"),
                wrong(1, "there is no file " + file("none"), "holdfast", "model", "inspect", file("none")),
                wrong(
                        1,
                        file("garbage") + ": the file does not begin",
                        "holdfast",
                        "model",
                        "inspect",
                        file("garbage")),
                wrong(1, "holds no fleet", "fleet", "devices", "--dir", file("none")),
                wrong(2, "is not a time such as", "fleet", "desire", "d", "m", "1", "--spread", "soon")));
    }

    /** Of every program behind the one launcher. */
    @Test
    void helpIsOneWordAway() {
        assertThat(run(List.of("holdfast", "help", "doctor")).out()).startsWith("Usage: holdfast doctor");
        assertThat(run(List.of("fleet", "help", "publish")).out()).startsWith("Usage: fleet publish");
        assertThat(run(List.of("holdfast", "help")).out()).contains("provision", "Exit codes:", "69 ");
    }

    @Test
    @Tag("full")
    void soAreTheOthersOfTheDevice() {
        check(List.of(
                wrong(78, "", "holdfast", "status", "--config", file("not.toml")),
                wrong(78, "brocker", "holdfast", "status", "--config", file("odd.toml")),
                wrong(78, "", "holdfast", "status", "--config", dir.toString()),
                wrong(78, "none.toml", "holdfast", "doctor", "--config", file("none.toml")),
                wrong(2, "'x'", "holdfast", "status", "x"),
                wrong(2, "--last", "holdfast", "history", "--last", "abc"),
                wrong(2, "FILE", "holdfast", "install"),
                wrong(1, "there is no file none", "holdfast", "install", "none", "--config", config),
                wrong(1, "is a folder", "holdfast", "install", dir.toString(), "--config", config),
                wrong(69, file("c.sock"), "holdfast", "install", file("garbage"), "--config", config),
                wrong(69, file("c.sock"), "holdfast", "rollback", "--config", config),
                wrong(69, file("c.sock"), "holdfast", "pause", "--reason", "why", "--config", config),
                wrong(2, "--reason", "holdfast", "rollback", "--reason"),
                wrong(2, "CODE", "holdfast", "explain"),
                wrong(1, "no code is called NOPE", "holdfast", "explain", "NOPE"),
                wrong(69, "there is no socket " + file("i.sock"), "holdfast", "run", "hi", "--config", config),
                wrong(69, "there is no socket /nope", "holdfast", "ps", "--socket", "/nope"),
                wrong(
                        1,
                        "--nonce: not hexadecimal",
                        "holdfast",
                        "attest",
                        "--nonce",
                        "zz",
                        "--out",
                        "e",
                        "--config",
                        config),
                wrong(
                        69,
                        file("c.sock"),
                        "holdfast",
                        "attest",
                        "--nonce",
                        "0011223344556677",
                        "--out",
                        "e",
                        "--config",
                        config),
                wrong(1, "none.json", "holdfast", "provision", "--config", config),
                wrong(2, "did you mean inspect?", "holdfast", "model", "inspct"),
                wrong(1, "is a folder", "holdfast", "model", "inspect", dir.toString()),
                wrong(1, "temperature", "holdfast", "model", "generate", MODEL, "--temperature", "9"),
                wrong(1, "--tokens", "holdfast", "model", "generate", MODEL, "--tokens", "a,b"),
                wrong(2, "TYPE", "holdfast", "model", "quantize", MODEL, file("o"), "Q9"),
                wrong(1, "quantize from floats", "holdfast", "model", "quantize", MODEL, file("o"), "Q8_0"),
                wrong(
                        1,
                        "there is no folder /nope",
                        "holdfast",
                        "model",
                        "logits",
                        MODEL,
                        "--tokens",
                        "1",
                        "--out",
                        "/nope/x"),
                wrong(2, "--text", "holdfast", "model", "embed", MODEL)));
    }

    @Test
    @Tag("full")
    void soAreThoseOfTheFleet() {
        String fleet = file("fleet");
        assertThat(run(List.of("fleet", "init", "--dir", fleet, "--name", "f", "--broker", "mqtt://127.0.0.1:1"))
                        .status())
                .isZero();
        check(List.of(
                wrong(2, "did you mean init?", "fleet", "ini"),
                wrong(2, "fleet init --name NAME", "fleet", "init", "--dir", file("more")),
                wrong(1, "mqtt://HOST", "fleet", "init", "--dir", file("more"), "--name", "f", "--broker", "foo"),
                wrong(
                        1,
                        "holds a fleet",
                        "fleet",
                        "init",
                        "--dir",
                        fleet,
                        "--name",
                        "f",
                        "--broker",
                        "mqtt://127.0.0.1"),
                wrong(
                        1,
                        "is there already",
                        "fleet",
                        "init",
                        "--dir",
                        file("garbage"),
                        "--name",
                        "f",
                        "--broker",
                        "mqtt://x"),
                wrong(
                        1,
                        "there is no file none",
                        "fleet",
                        "publish",
                        "--dir",
                        fleet,
                        "m",
                        "1",
                        MODEL,
                        "--template",
                        "none"),
                wrong(
                        1,
                        file("garbage") + ": ",
                        "fleet",
                        "publish",
                        "--dir",
                        fleet,
                        "m",
                        "1",
                        MODEL,
                        "--template",
                        file("garbage")),
                wrong(1, "m@", "fleet", "publish", "--dir", fleet, "m@", "1", MODEL, "--template", TEMPLATE),
                wrong(2, "MODEL and VERSION", "fleet", "desire", "--dir", fleet, "d"),
                wrong(
                        2,
                        "is not a moment such as",
                        "fleet",
                        "desire",
                        "--dir",
                        fleet,
                        "d",
                        "m",
                        "1",
                        "--start",
                        "soon"),
                wrong(1, "--window", "fleet", "desire", "--dir", fleet, "d", "m", "1", "--window", "25-26"),
                wrong(1, "is not enrolled", "fleet", "attest", "--dir", fleet, "d"),
                wrong(1, "there is no file none", "fleet", "verify", "--dir", fleet, "none", "--nonce", "00"),
                wrong(
                        1,
                        "there is no file none",
                        "fleet",
                        "delta",
                        "create",
                        "--base",
                        "none",
                        "--new",
                        MODEL,
                        "--out",
                        file("o")),
                wrong(
                        1,
                        "there is no folder /nope",
                        "fleet",
                        "delta",
                        "create",
                        "--base",
                        MODEL,
                        "--new",
                        MODEL,
                        "--out",
                        "/nope/x"),
                wrong(2, "--in-place", "fleet", "delta", "apply", "--base", MODEL, "--patch", file("garbage")),
                wrong(1, "DLT-FORMAT", "fleet", "delta", "inspect", file("garbage")),
                wrong(1, "holds no fleet", "fleet", "root", "status", "--dir", file("none")),
                wrong(1, "holds no fleet", "fleet", "serve", "--dir", file("none"))));
    }

    /** {@code head} has read enough: nobody is told anything, and nothing is wrong. */
    @Test
    @Tag("full")
    void aReaderThatEndsFirstEndsTheCommandWithoutAWord() throws Exception {
        Tools.Ran ran = shell("{ \"$0\" model inspect " + MODEL + "; echo $? >&2; } | head -n 1");
        assertThat(ran.err()).matches("(0|141)\n");
        assertThat(ran.out()).isEqualTo("{\n");
    }

    @Test
    @Tag("full")
    void aFullDiskIsNoSuccess() throws Exception {
        Tools.Ran ran = shell("\"$0\" explain UPD-ROLLBACK >/dev/full");
        assertThat(ran.status()).isEqualTo(1);
        assertThat(ran.err()).isEqualTo("standard output: No space left on device\n");
    }

    @Test
    @Tag("full")
    void ctrlCEndsACommandThatWaits() throws Exception {
        ProcessBuilder builder = new ProcessBuilder(Program.launch("holdfast", "watch", "--config", config))
                .redirectOutput(dir.resolve("out").toFile())
                .redirectError(dir.resolve("err").toFile());
        builder.environment().putAll(Program.ENVIRONMENT);
        Process watch = builder.start();
        try {
            Tools.until(java.time.Duration.ofSeconds(60), "it watches", () -> Files.size(dir.resolve("out")) > 0);
            new ProcessBuilder("kill", "-INT", "" + watch.pid()).start().waitFor();
            assertThat(watch.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(watch.exitValue()).isEqualTo(130);
            assertThat(Files.readString(dir.resolve("err"))).isEmpty();
        } finally {
            watch.destroyForcibly();
        }
    }

    private Tools.Ran shell(String script) throws Exception {
        return Tools.run(
                dir, List.of("sh", "-c", script, Program.launch("holdfast").getFirst()));
    }
}
