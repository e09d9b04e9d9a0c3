package dev.holdfast.acceptance;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;

/** Programs of the machine, and waiting for what they do. */
final class Tools {
    private static final List<String> FOLDERS = List.of((System.getenv("PATH") + ":/usr/sbin").split(":"));

    private static final List<String> LIBRARIES =
            List.of("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/riscv64-linux-gnu");

    private Tools() {}

    /** The program's path. Where it is missing the test is skipped with a clear line; under CI it fails. */
    static String path(String name, String debianPackage) {
        for (String folder : FOLDERS) {
            Path program = Path.of(folder, name);
            if (Files.isExecutable(program)) {
                return program.toString();
            }
        }
        return missing(name, debianPackage);
    }

    /** The path of a shared library below the machine's folders of them, likewise. */
    static String library(String name, String debianPackage) {
        for (String folder : LIBRARIES) {
            Path library = Path.of(folder, name);
            if (Files.isReadable(library)) {
                return library.toString();
            }
        }
        return missing(name, debianPackage);
    }

    private static String missing(String name, String debianPackage) {
        String line = "SKIPPED: " + name + " is not installed (apt-get install " + debianPackage + ")";
        System.out.println(line);
        if ("true".equals(System.getenv("CI"))) {
            fail(line);
        }
        return abort(line);
    }

    /** What a program said and how it ended. */
    record Ran(int status, String out, String err) {}

    static Ran run(Path dir, List<String> command) throws IOException, InterruptedException {
        return run(dir, command, Map.of());
    }

    static Ran run(Path dir, List<String> command, Map<String, String> environment)
            throws IOException, InterruptedException {
        Path out = Files.createTempFile(dir, "out", "");
        Path err = Files.createTempFile(dir, "err", "");
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        builder.environment().putAll(Program.ENVIRONMENT);
        builder.environment().putAll(environment);
        Process process = builder.start();
        if (!process.waitFor(60, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            fail(command.getLast() + " does not end: " + Files.readString(err));
        }
        Ran ran = new Ran(process.exitValue(), Files.readString(out), Files.readString(err));
        Files.delete(out);
        Files.delete(err);
        return ran;
    }

    /** Waits for a condition; a condition that throws does not hold yet. */
    static void until(Duration limit, String what, Callable<Boolean> condition) {
        Awaitility.await(what)
                .atMost(limit)
                .pollInterval(Duration.ofMillis(20))
                .ignoreExceptions()
                .until(condition);
    }
}
