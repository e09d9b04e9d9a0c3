package dev.holdfast.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What one command costs: from the start of its process to the end, with the memory that it held at most. {@code holdfast status} as
 * it is shipped, beside itself without each of the things that were done for it; and other verbs. All in turns, in one run.
 */
public final class CommandsBench {
    private static final int RUNS = 20;
    private static final double GOAL_SECONDS = 0.3;
    private static final double GOAL_MIB = 50;

    /** Runs each case once to warm the page cache, then all in turns; prints the medians of seconds, CPU seconds and MiB. */
    private static final String RUNNER = """
        import json, os, statistics, subprocess, sys, time
        cases, runs = json.load(sys.stdin), int(sys.argv[1])
        def once(case):
            begin = time.perf_counter()
            process = subprocess.Popen(case["line"], env={**os.environ, **case["env"]}, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            end = time.perf_counter()
            if status != 0:
                sys.exit(f"{case['line']} ended with {status}")
            return end - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        for case in cases: once(case)
        all = [[once(case) for case in cases] for _ in range(runs)]
        print(json.dumps([[statistics.median(turn[i][k] for turn in all) for k in range(3)] for i in range(len(cases))]))
        """;

    private final Path root = Path.of("").toAbsolutePath();
    private final Map<String, ObjectNode> cases = new LinkedHashMap<>();

    private CommandsBench() {}

    public static void main(String[] arguments) throws Exception {
        new CommandsBench().run();
    }

    private void run() throws Exception {
        Path dir = Files.createTempDirectory("holdfast-bench");
        try {
            JsonNode stack = Json.readObject(
                            dev("up", dir.resolve("stack").toString(), "--tee", "software")
                                    .getBytes(StandardCharsets.UTF_8),
                            1 << 16)
                    .orThrow();
            String config = stack.path("config").asText();
            String fleet = stack.path("fleet_dir").asText();
            Path cacheless =
                    links(root.resolve("agent/cli/target/lib"), Files.createDirectory(dir.resolve("cacheless")));
            holdfast("`holdfast status`", Map.of(), "status", "--config", config);
            holdfast(
                    "... without a start-up cache",
                    Map.of("HOLDFAST_LIB_CLI", cacheless.toString()),
                    "status",
                    "--config",
                    config);
            holdfast(
                    "... compiled as often as by default",
                    jvm(dir, "eager", "command", "-XX:TieredStopAtLevel=1"),
                    "status",
                    "--config",
                    config);
            holdfast("... with both compilers", jvm(dir, "both", "command", ""), "status", "--config", config);
            holdfast("... interpreted", jvm(dir, "interpreted", "command", "-Xint"), "status", "--config", config);
            holdfast(
                    "... with a heap as large as it likes",
                    jvm(dir, "large", "small", ""),
                    "status",
                    "--config",
                    config);
            holdfast("`holdfast status --json`", Map.of(), "status", "--json", "--config", config);
            holdfast("`holdfast history`", Map.of(), "history", "--config", config);
            holdfast("`holdfast ps`", Map.of(), "ps", "--config", config);
            holdfast("`holdfast explain UPD-ROLLBACK`", Map.of(), "explain", "UPD-ROLLBACK");
            holdfast("`holdfast --help`, which knows every verb", Map.of(), "--help");
            holdfast("`holdfast doctor`", Map.of(), "doctor", "--config", config);
            command("fleet", "`fleet devices`", Map.of(), "devices", "--dir", fleet);
            add(
                    "a JVM that does nothing: `java -version`",
                    List.of(java(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-version"),
                    Map.of());
            List<JsonNode> figures = measured();
            StringBuilder page =
                    new StringBuilder(Machine.describe() + ". From the start of the process to its end, the launcher"
                            + " included; medians of " + RUNS
                            + " runs of each, all in turns in one run, beside an idle stack of `./dev up`. Goal for"
                            + " one command: 0.3 s and 50 MiB. Written by `./dev bench commands`.\n\n"
                            + "| what | time | time of a core | memory at most |\n|---|---|---|---|\n");
            int i = 0;
            for (String name : cases.keySet()) {
                JsonNode one = figures.get(i++);
                page.append(String.format(
                        Locale.ROOT,
                        "| %s | %.2f s%s | %.2f s | %.0f MiB%s |%n",
                        name,
                        one.path(0).asDouble(),
                        name.equals("`holdfast status`")
                                ? ", " + met(one.path(0).asDouble(), GOAL_SECONDS)
                                : "",
                        one.path(1).asDouble(),
                        one.path(2).asDouble(),
                        name.equals("`holdfast status`")
                                ? ", " + met(one.path(2).asDouble(), GOAL_MIB)
                                : ""));
            }
            System.out.println(page);
            PerformancePage.replace("commands", page.toString());
        } finally {
            dev("down", dir.resolve("stack").toString());
        }
    }

    private static String met(double figure, double goal) {
        return figure <= goal ? "met" : "missed";
    }

    private static String java() {
        return Path.of(System.getProperty("java.home"), "bin", "java").toString();
    }

    private void holdfast(String name, Map<String, String> environment, String... line) {
        command("holdfast", name, environment, line);
    }

    private void command(String program, String name, Map<String, String> environment, String... line) {
        List<String> whole = new ArrayList<>(
                List.of(root.resolve("systemd/bin").resolve(program).toString()));
        whole.addAll(List.of(line));
        Map<String, String> all = new LinkedHashMap<>(Map.of(
                "HOLDFAST_JAVA", java(),
                "HOLDFAST_JVM", root.resolve("systemd/jvm").toString(),
                "HOLDFAST_LIB_CLI", root.resolve("agent/cli/target/lib").toString(),
                "HOLDFAST_LIB_AGENT", root.resolve("agent/daemon/target/lib").toString(),
                "HOLDFAST_LIB_FLEET", root.resolve("fleet/cli/target/lib").toString()));
        all.putAll(environment);
        add(name, whole, all);
    }

    private void add(String name, List<String> line, Map<String, String> environment) {
        ObjectNode one = Json.object();
        ArrayNode words = one.putArray("line");
        line.forEach(words::add);
        ObjectNode env = one.putObject("env");
        environment.forEach(env::put);
        cases.put(name, one);
    }

    /** The JVM's options with one file of them replaced. */
    private Map<String, String> jvm(Path dir, String name, String replaced, String options) throws IOException {
        Path folder = links(root.resolve("systemd/jvm"), Files.createDirectory(dir.resolve(name)));
        Path file = folder.resolve(replaced + ".options");
        Files.delete(file);
        Files.writeString(file, options + "\n");
        return Map.of("HOLDFAST_JVM", folder.toString());
    }

    /** A folder of links to the files of another, less its start-up caches. */
    private static Path links(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.list(from)) {
            for (Path file :
                    files.filter(one -> !one.toString().endsWith(".aot")).toList()) {
                Files.createSymbolicLink(to.resolve(file.getFileName()), file);
            }
        }
        return to;
    }

    private List<JsonNode> measured() throws Exception {
        ArrayNode all = Json.object().putArray("cases");
        cases.values().forEach(all::add);
        Process process = new ProcessBuilder("python3", "-c", RUNNER, "" + RUNS)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (var in = process.getOutputStream()) {
            in.write(Json.write(all));
        }
        byte[] printed = process.getInputStream().readAllBytes();
        if (process.waitFor() != 0) {
            throw new IOException("the runs failed");
        }
        List<JsonNode> figures = new ArrayList<>();
        Json.read(printed, 1 << 16).orThrow().forEach(figures::add);
        return figures;
    }

    private String dev(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(root.resolve("dev").toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().put("HOLDFAST_BUILT", "1");
        Process process = builder.start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException("./dev " + String.join(" ", arguments) + " failed");
        }
        return out;
    }
}
