package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Commands that are measured or do the measuring, each in a process of its own. */
final class Tool {
    private static final int MAX_OUTPUT_BYTES = 1 << 20;
    private static final long LIMIT_MINUTES = 20;

    private Tool() {}

    /** Where a command is, if it is on the PATH. */
    static Optional<String> onPath(String command) {
        return Arrays.stream(System.getenv("PATH").split(":"))
                .map(folder -> Path.of(folder, command))
                .filter(Files::isExecutable)
                .map(Path::toString)
                .findFirst();
    }

    /** The file that an environment variable names, if there is one. */
    static Optional<String> named(String variable) {
        return Optional.ofNullable(System.getenv(variable)).filter(file -> Files.isRegularFile(Path.of(file)));
    }

    /** A command of several pieces. */
    static List<String> joined(List<List<String>> pieces) {
        return pieces.stream().flatMap(List::stream).toList();
    }

    /** The JSON that a command prints. */
    static JsonNode json(List<String> command) throws IOException, InterruptedException {
        try {
            return Json.read(output(command).getBytes(StandardCharsets.UTF_8), MAX_OUTPUT_BYTES)
                    .orThrow();
        } catch (RejectedException e) {
            throw new IOException(command + " printed no JSON: " + e.getMessage(), e);
        }
    }

    /** What a command prints. */
    static String output(List<String> command) throws IOException, InterruptedException {
        Process process = start(command);
        String printed = new String(process.getInputStream().readNBytes(MAX_OUTPUT_BYTES), StandardCharsets.UTF_8);
        end(command, process);
        return printed;
    }

    /** From the start of the process to the first byte that it prints. */
    static double secondsToFirstByte(List<String> command) throws IOException, InterruptedException {
        long begin = System.nanoTime();
        Process process = start(command);
        InputStream printed = process.getInputStream();
        boolean some = printed.read() >= 0;
        double seconds = (System.nanoTime() - begin) / 1e9;
        printed.readNBytes(MAX_OUTPUT_BYTES);
        end(command, process);
        if (!some) {
            throw new IOException(command + " printed nothing");
        }
        return seconds;
    }

    private static Process start(List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
        // What is measured was built before; looking for newer sources is not part of it.
        builder.environment().put("HOLDFAST_BUILT", "1");
        return builder.start();
    }

    private static void end(List<String> command, Process process) throws IOException, InterruptedException {
        if (!process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES) || process.exitValue() != 0) {
            process.destroyForcibly();
            throw new IOException(String.join(" ", command) + " failed");
        }
    }
}
