package dev.holdfast.fleet;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;

/**
 * A writer in a process of its own, as another {@code fleet} command is. It says that it is ready, waits for a line, and prints a line for
 * each thing that it did. Arguments: {@code directory desire|publish name count}.
 */
final class FleetWriter implements AutoCloseable {
    private final Process process;
    private final BufferedReader lines;

    private FleetWriter(Process process) {
        this.process = process;
        this.lines = process.inputReader(StandardCharsets.UTF_8);
    }

    public static void main(String[] arguments) throws Exception {
        FleetRepository repository = new FleetRepository(new FleetDirectory(Path.of(arguments[0])), Clock.systemUTC());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.out.println("ready");
        in.readLine();
        for (int i = 1; i <= Integer.parseInt(arguments[3]); i++) {
            System.out.println(
                    arguments[1].equals("desire")
                            ? desire(repository)
                            : publish(repository, arguments[2] + "." + i, arguments[2].hashCode() + i));
        }
    }

    /** Returns the order's number. */
    static long desire(FleetRepository repository) throws Exception {
        return DesiredModels.add(repository, "device-1", "tiny", new DesiredModels.Wish("1", Optional.empty()), false)
                .counter();
    }

    /** Returns the target's path. */
    static String publish(FleetRepository repository, String version, int seed) throws Exception {
        byte[] model = new byte[2000];
        new Random(seed).nextBytes(model);
        return SampleRelease.sign(repository, "tiny", version, model).target();
    }

    /** Starts one and waits until it is ready. */
    static FleetWriter start(Path directory, String work, String name, int count) throws IOException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"))
                                .replace('\n', File.pathSeparatorChar),
                        FleetWriter.class.getName(),
                        directory.toString(),
                        work,
                        name,
                        Integer.toString(count))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        FleetWriter writer = new FleetWriter(process);
        if (!Objects.equals(writer.lines.readLine(), "ready")) {
            throw new IOException("no writer started");
        }
        return writer;
    }

    void go() throws IOException {
        process.outputWriter(StandardCharsets.UTF_8).append("go\n").flush();
    }

    /** All that it did, when it has ended. */
    List<String> done() throws IOException, InterruptedException {
        List<String> all = new ArrayList<>();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            all.add(line);
        }
        if (process.waitFor() != 0) {
            throw new IOException("the writer failed after " + all);
        }
        return all;
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
