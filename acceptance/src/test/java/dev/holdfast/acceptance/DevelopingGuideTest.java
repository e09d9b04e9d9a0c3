package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The guide for developers, word for word: its commands in their order, and what it says that they print. */
@Timeout(180)
class DevelopingGuideTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Pattern BLOCK = Pattern.compile("(?ms)^```(sh|text)\n(.*?)^```$");

    @TempDir
    Path folder;

    /** Commands, and the lines that must be in what they print. */
    private record Step(String commands, List<String> prints) {}

    private static List<Step> steps() throws Exception {
        List<Step> steps = new ArrayList<>();
        Matcher block = BLOCK.matcher(Files.readString(ROOT.resolve("docs/developing.md")));
        while (block.find()) {
            if (block.group(1).equals("sh")) {
                steps.add(new Step(block.group(2), new ArrayList<>()));
            } else {
                steps.getLast().prints().addAll(block.group(2).lines().toList());
            }
        }
        return steps;
    }

    @Test
    void eachCommandDoesWhatThePageSays() throws Exception {
        List<Step> steps = steps();
        assertThat(steps).hasSizeGreaterThan(5);
        StringBuilder script =
                new StringBuilder("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n");
        for (int i = 0; i < steps.size(); i++) {
            // What runs on in the background keeps its own output, so that a step ends with its last command.
            script.append("exec >%1$s/%2$d.out 2>&1\n%3$s\n"
                    .formatted(folder, i, steps.get(i).commands()));
        }
        Path bin = Files.createDirectory(folder.resolve("bin"));
        for (String name : List.of("holdfast", "fleet")) {
            Files.createSymbolicLink(
                    bin.resolve(name), ROOT.resolve("systemd/bin").resolve(name));
        }
        ProcessBuilder builder = new ProcessBuilder("bash", "-c", script.toString())
                .directory(ROOT.toFile())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("all.out").toFile());
        builder.environment().putAll(Program.ENVIRONMENT);
        builder.environment().put("PATH", bin + File.pathSeparator + System.getenv("PATH"));
        builder.environment()
                .put(
                        "XDG_RUNTIME_DIR",
                        Files.createDirectory(folder.resolve("run")).toString());
        Process process = builder.start();
        boolean ended = process.waitFor(170, TimeUnit.SECONDS);
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        String last = "";
        for (int i = 0; i < steps.size(); i++) {
            Path output = folder.resolve(i + ".out");
            assertThat(output)
                    .as(steps.get(i).commands() + "\nwas not reached; before it: " + last)
                    .exists();
            String printed = Files.readString(output);
            for (String line : steps.get(i).prints()) {
                assertThat(printed).as(steps.get(i).commands()).contains(line);
            }
            last = printed;
        }
        assertThat(ended).isTrue();
        assertThat(process.exitValue()).as(last).isZero();
    }
}
