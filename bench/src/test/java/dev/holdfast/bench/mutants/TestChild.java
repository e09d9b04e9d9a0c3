package dev.holdfast.bench.mutants;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A process that runs tests of one module, in its folder as Maven does, and is used again until one hangs in it. One thread. */
final class TestChild implements AutoCloseable {
    /** What Maven gives to the tests of any module. */
    private static final List<String> JVM = List.of(
            "-Xmx1g",
            "-XX:+UseSerialGC",
            "-XX:+EnableDynamicAgentLoading",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "--add-modules=jdk.incubator.vector");

    /** In place of an answer, where the process ended. */
    private static final String GONE = "gone";

    private final BuildTree tree;
    private final Process process;
    private final BufferedWriter jobs;
    private final BlockingQueue<String> answers = new LinkedBlockingQueue<>();

    /** @param log what the tests print */
    TestChild(BuildTree tree, Path module, Path log) throws IOException {
        this.tree = tree;
        Files.createDirectories(log.getParent());
        List<String> command =
                new ArrayList<>(List.of(ProcessHandle.current().info().command().orElseThrow()));
        command.addAll(JVM);
        command.addAll(List.of("-cp", tree.libraries(), TestProcess.class.getName()));
        ProcessBuilder builder =
                new ProcessBuilder(command).directory(module.toFile()).redirectErrorStream(true);
        builder.environment()
                .put("SOFTHSM2_CONF", module.resolve("target/softhsm2.conf").toString());
        process = builder.start();
        jobs = process.outputWriter(StandardCharsets.UTF_8);
        Thread.ofPlatform().name("mutants-answers").daemon().start(() -> read(log));
    }

    private void read(Path log) {
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8);
                PrintStream out = new PrintStream(Files.newOutputStream(log), true, StandardCharsets.UTF_8)) {
            for (String line; (line = lines.readLine()) != null; ) {
                // A test may leave a line without its end.
                int mark = line.indexOf(TestProcess.MARK);
                out.println(line);
                if (mark >= 0) {
                    answers.add(line.substring(mark + TestProcess.MARK.length()));
                }
            }
        } catch (IOException e) {
            // The process was ended.
        }
        answers.add(GONE);
    }

    /**
     * How the tests of one selector ended.
     *
     * @param failed the first that failed; empty where none did
     */
    record Result(String selector, long passed, long skipped, long millis, Optional<String> failed) {
        static Result of(String line) {
            String[] words = line.split(" ");
            return new Result(
                    words[0],
                    Long.parseLong(words[1]),
                    Long.parseLong(words[2]),
                    Long.parseLong(words[3]),
                    Optional.of(words[4]).filter(failed -> !failed.equals(TestProcess.NONE)));
        }
    }

    /** How a job ended. */
    enum End {
        DONE,
        /** The time limit ended it, and the process. */
        LATE,
        /** The process ended in it. */
        GONE
    }

    /** What became of a job. */
    record Run(List<Result> results, End end) {}

    /**
     * @param first classes that take the place of the tree's; empty for the tree as it is
     * @param selectors tests of this module
     */
    Run run(Optional<Path> first, List<BuildTree.Test> selectors, long seconds)
            throws IOException, InterruptedException {
        StringBuilder job = new StringBuilder();
        first.ifPresent(classes -> job.append(classes).append(File.pathSeparator));
        job.append(tree.modules());
        selectors.forEach(test -> job.append(' ').append(test.selector()));
        jobs.write(job.append('\n').toString());
        jobs.flush();
        List<Result> results = new ArrayList<>();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (true) {
            String answer = answers.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
            if (answer == null) {
                close();
                return new Run(results, End.LATE);
            }
            switch (answer) {
                case GONE -> {
                    return new Run(results, End.GONE);
                }
                case TestProcess.END -> {
                    return new Run(results, End.DONE);
                }
                default -> results.add(Result.of(answer));
            }
        }
    }

    @Override
    public void close() {
        try (Stream<ProcessHandle> started = process.descendants()) {
            started.forEach(ProcessHandle::destroyForcibly);
        }
        process.destroyForcibly();
    }
}
