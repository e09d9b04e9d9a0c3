package dev.holdfast.systemd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The units as systemd reads them, without a running systemd. */
class UnitFilesTest {
    private static final Path UNITS = Path.of("units");
    private static final String PROGRAM = "/usr/bin/holdfast";
    private static final Pattern EXPOSURE = Pattern.compile("Overall exposure level for \\S+: ([0-9.]+)");
    private static final int TIMEOUT_SECONDS = 30;

    private record Ran(int status, String output) {}

    @ParameterizedTest
    @ValueSource(strings = {"holdfast.service", "holdfast-inference.service", "holdfast-bridge.service"})
    void verifiesWithoutAWord(String unit, @TempDir Path dir) throws Exception {
        requires("systemd-analyze");
        withStub(dir);

        Ran verified =
                run("systemd-analyze", "verify", "--man=no", dir.resolve(unit).toString());

        assertThat(verified).isEqualTo(new Ran(0, ""));
    }

    @Test
    void verifyingFindsAMisspeltSetting(@TempDir Path dir) throws Exception {
        requires("systemd-analyze");
        withStub(dir);
        Path unit = dir.resolve("holdfast.service");
        Files.writeString(unit, Files.readString(unit).replace("NoNewPrivileges=", "NoNewPrivilege="));

        Ran verified = run("systemd-analyze", "verify", "--man=no", unit.toString());

        assertThat(verified.output()).contains("NoNewPrivilege");
    }

    @ParameterizedTest
    @CsvSource({
        "holdfast.service, 1.5",
        "holdfast-inference.service, 0.6",
        "holdfast-bridge.service, 1.1",
        "holdfast-last-evidence.service, 1.5",
        "holdfast-fleet.service, 1.2"
    })
    void reachesNoMoreOfTheSystemThanPromised(String unit, double limit) throws Exception {
        requires("systemd-analyze");

        Ran judged = run(
                "systemd-analyze",
                "security",
                "--offline=true",
                UNITS.resolve(unit).toString());

        Matcher matcher = EXPOSURE.matcher(judged.output());
        assertThat(matcher.find()).as(judged.output()).isTrue();
        assertThat(Double.parseDouble(matcher.group(1))).as(judged.output()).isLessThanOrEqualTo(limit);
    }

    @Test
    void inferenceHasNoNetworkNoDeviceAndOnlyAReadOnlyStore() throws IOException {
        List<String> lines = Files.readAllLines(UNITS.resolve("holdfast-inference.service"));

        assertThat(lines)
                .contains(
                        "PrivateNetwork=yes",
                        "RestrictAddressFamilies=AF_UNIX",
                        "PrivateDevices=yes",
                        "TemporaryFileSystem=/var/lib:ro",
                        "BindReadOnlyPaths=/var/lib/holdfast/store")
                .noneMatch(line -> line.startsWith("DeviceAllow=")
                        || line.startsWith("StateDirectory=")
                        || line.startsWith("ReadWritePaths="));
    }

    @ParameterizedTest
    @ValueSource(strings = {"holdfast.service", "holdfast-inference.service", "holdfast-bridge.service"})
    void doesNotForbidWhatAJvmNeeds(String unit) throws IOException {
        assertThat(Files.readAllLines(UNITS.resolve(unit)))
                .noneMatch(line -> line.startsWith("MemoryDenyWriteExecute="))
                .noneMatch(line -> line.startsWith("PrivateUsers="));
    }

    /** What hangs is ended, what crashes comes back whatever the number of times, and what is configured wrongly waits for a person. */
    @ParameterizedTest
    @ValueSource(strings = {"holdfast.service", "holdfast-inference.service", "holdfast-bridge.service"})
    void isWatchedAndNeverGivenUpButForItsConfiguration(String unit) throws IOException {
        assertThat(Files.readAllLines(UNITS.resolve(unit)))
                .contains(
                        "Type=notify",
                        "WatchdogSec=60",
                        "Restart=always",
                        "RestartPreventExitStatus=78",
                        "StartLimitIntervalSec=0")
                .noneMatch(line -> line.startsWith("NotifyAccess="));
    }

    private static long mebibytes(Path file, String setting) throws IOException {
        Matcher found = Pattern.compile("(?m)^" + setting + "([0-9]+)[mM]$").matcher(Files.readString(file));
        assertThat(found.find()).as(setting + " in " + file).isTrue();
        return Long.parseLong(found.group(1));
    }

    @Test
    void bridgeReachesLoopbackAloneAndIsNoOperator() throws IOException {
        assertThat(Files.readAllLines(UNITS.resolve("holdfast-bridge.service")))
                .contains(
                        "User=holdfast-bridge",
                        "Group=holdfast-bridge",
                        "IPAddressDeny=any",
                        "IPAddressAllow=localhost",
                        "PrivateDevices=yes",
                        "InaccessiblePaths=-/var/lib/holdfast -/run/holdfast",
                        "StateDirectoryMode=0700")
                .noneMatch(line -> line.startsWith("SupplementaryGroups=") || line.startsWith("DeviceAllow="));
        assertThat(Files.readAllLines(Path.of("sysusers.d/holdfast.conf")).stream()
                        .filter(line -> line.startsWith("m holdfast-bridge "))
                        .map(line -> line.split("\\s+")[2]))
                .containsExactly("holdfast-api");
    }

    /** It is stopped before the agent and the network are, and holds nothing up for long. */
    @Test
    void theLastEvidenceIsOfferedBeforeTheAgentStopsAndInBoundedTime(@TempDir Path dir) throws Exception {
        List<String> lines = Files.readAllLines(UNITS.resolve("holdfast-last-evidence.service"));
        assertThat(lines)
                .contains(
                        "After=network.target holdfast-inference.service holdfast.service",
                        "RemainAfterExit=yes",
                        "TimeoutStopSec=10",
                        "RestrictAddressFamilies=AF_UNIX")
                .noneMatch(line -> line.startsWith("ExecStart="));
        assertThat(Files.readAllLines(Path.of("system-preset/80-holdfast.preset")))
                .contains("disable holdfast-last-evidence.service");
        requires("systemd-analyze");
        withStub(dir);
        Path unit = dir.resolve("holdfast-last-evidence.service");
        Files.writeString(
                unit,
                Files.readString(UNITS.resolve("holdfast-last-evidence.service"))
                        .replace(PROGRAM, dir.resolve("holdfast").toString()));
        assertThat(run("systemd-analyze", "verify", "--man=no", unit.toString()))
                .isEqualTo(new Ran(0, ""));
    }

    /** It gives up what the kernel says of a caller: that is a person's choice, on each device. */
    @Test
    void bridgeIsInstalledDisabledAndNothingStartsIt() throws IOException {
        assertThat(Files.readAllLines(Path.of("system-preset/80-holdfast.preset")))
                .contains("disable holdfast-bridge.service")
                .doesNotContain("enable holdfast-bridge.service");
        for (String unit : List.of("holdfast.service", "holdfast-inference.service")) {
            assertThat(Files.readString(UNITS.resolve(unit))).doesNotContain("holdfast-bridge");
        }
    }

    /** What a peer can have a daemon keep is heap and buffers; the rest of the unit's memory is for code, classes and threads. */
    @ParameterizedTest
    @CsvSource({"agent, holdfast.service", "bridge, holdfast-bridge.service"})
    void heapAndBuffersStayWellBelowTheUnitsMemory(String program, String unit) throws IOException {
        Path options = Path.of("jvm", program + ".options");
        long limit = mebibytes(UNITS.resolve(unit), "MemoryMax=");
        assertThat(mebibytes(options, "-Xmx") + mebibytes(options, "-XX:MaxDirectMemorySize="))
                .isLessThanOrEqualTo(limit * 3 / 4);
    }

    @Test
    void makesTheUsersThatTheUnitsAndDirectoriesName(@TempDir Path root) throws Exception {
        requires("systemd-sysusers");
        Path config =
                Files.createDirectories(root.resolve("usr/lib/sysusers.d")).resolve("holdfast.conf");
        Files.copy(Path.of("sysusers.d/holdfast.conf"), config);
        Files.createDirectories(root.resolve("etc"));

        Ran made = run("systemd-sysusers", "--root=" + root, "holdfast.conf");

        assertThat(made.status()).as(made.output()).isZero();
        assertThat(namesIn(root.resolve("etc/passwd"))).contains("holdfast", "holdfast-inference", "holdfast-bridge");
        List<String> groups = Files.readAllLines(root.resolve("etc/group"));
        assertThat(groups)
                .anyMatch(line -> line.matches("holdfast-api:x:\\d+:holdfast,holdfast-bridge"))
                .anyMatch(line -> line.matches("holdfast-store:x:\\d+:holdfast,holdfast-inference"))
                .anyMatch(line -> line.matches("tss:x:\\d+:holdfast"));
        for (String line : Files.readAllLines(Path.of("tmpfiles.d/holdfast.conf"))) {
            if (!line.startsWith("#")) {
                String group = line.split("\\s+")[4];
                assertThat(groups).anyMatch(known -> group.equals("root") || known.startsWith(group + ":"));
            }
        }
    }

    /** The descriptors that the places of the sockets need, and those that are refused just now; a quarter for what else is open. */
    @ParameterizedTest
    @CsvSource({"holdfast.service, 1", "holdfast-inference.service, 2", "holdfast-bridge.service, 1"})
    void limitsDescriptorsToWhatTheSocketsNeed(String unit, int sockets) throws IOException {
        int each = number("Admission", "DEFAULT = new Places\\((\\d+),") + number("AcceptGate", "LINGERING = (\\d+);");
        Matcher limit = Pattern.compile("(?m)^LimitNOFILE=(\\d+)$").matcher(Files.readString(UNITS.resolve(unit)));
        assertThat(limit.find()).as("LimitNOFILE= of " + unit).isTrue();

        int descriptors = Integer.parseInt(limit.group(1));
        int needed = sockets * each;
        assertThat(descriptors).isBetween(needed + needed / 4 + 100, 4 * 256 + needed);
    }

    private static int number(String source, String pattern) throws IOException {
        Matcher found = Pattern.compile(pattern)
                .matcher(Files.readString(
                        Path.of("../control/sockets/src/main/java/dev/holdfast/sockets/" + source + ".java")));
        assertThat(found.find()).as(source).isTrue();
        return Integer.parseInt(found.group(1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"holdfast.service", "holdfast-inference.service", "holdfast-bridge.service"})
    void keepsNoCore(String unit) throws IOException {
        assertThat(Files.readAllLines(UNITS.resolve(unit))).contains("LimitCORE=0", "Restart=always");
    }

    /** A program that has a prompt in its memory and, once told, writes where nobody may. */
    private static final String CRASH = """
            import java.lang.foreign.MemorySegment;
            import java.lang.foreign.ValueLayout;

            class Crash {
                public static void main(String[] args) throws Exception {
                    String prompt = "PROMPT-" + "OF-SOMEBODY-" + ProcessHandle.current().pid();
                    System.out.println("ready");
                    System.in.read();
                    crash(prompt);
                }

                static void crash(String prompt) {
                    Object[] held = {prompt, prompt.toCharArray()};
                    MemorySegment.ofAddress(8).reinterpret(8).set(ValueLayout.JAVA_BYTE, 0, (byte) held.length);
                }
            }
            """;

    /** The options of each daemon, in the order in which the launcher names them. */
    @ParameterizedTest
    @ValueSource(strings = {"common daemon agent", "common kernels daemon inference", "common daemon bridge"})
    void aCrashLeavesNothingBehindThatWasInMemory(String options, @TempDir Path dir) throws Exception {
        assertThat(Files.readString(Path.of("bin/holdfast"))).contains("options=\"" + options + "\"");
        Path source = Files.writeString(dir.resolve("Crash.java"), CRASH);
        Path bin = Path.of(System.getProperty("java.home"), "bin");
        List<String> command = new ArrayList<>(List.of(bin.resolve("java").toString()));
        for (String each : options.split(" ")) {
            command.add("@" + Path.of("jvm", each + ".options").toAbsolutePath());
        }
        command.add(source.toString());
        Process process = new ProcessBuilder(command)
                .directory(dir.toFile())
                .redirectErrorStream(true)
                .start();
        StringBuilder output = new StringBuilder();
        try (BufferedReader said =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = said.readLine(); line != null && !line.equals("ready"); line = said.readLine()) {
                output.append(line).append('\n');
            }
            Ran attached = run(bin.resolve("jcmd").toString(), String.valueOf(process.pid()), "VM.version");
            assertThat(attached.status()).as(attached.output()).isNotZero();
            process.getOutputStream().close();
            for (String line = said.readLine(); line != null; line = said.readLine()) {
                output.append(line).append('\n');
            }
        }
        assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(output.toString())
                .contains("SIGSEGV", "CreateCoredumpOnCrash turned off")
                .doesNotContain("PROMPT-");
        try (var left = Files.list(dir)) {
            assertThat(left.map(each -> String.valueOf(each.getFileName()))).containsExactly("Crash.java");
        }
        assertThat(Path.of(System.getProperty("java.io.tmpdir"), "hs_err_pid" + process.pid() + ".log"))
                .doesNotExist();
    }

    /** Copies the units beside a program that exists, since a missing one is the only thing that a build tree lacks. */
    private static void withStub(Path dir) throws IOException {
        Path stub = Files.writeString(dir.resolve("holdfast"), "#!/bin/sh\n");
        assertThat(stub.toFile().setExecutable(true)).isTrue();
        for (String unit : List.of("holdfast.service", "holdfast-inference.service", "holdfast-bridge.service")) {
            String text = Files.readString(UNITS.resolve(unit));
            assertThat(text).contains("ExecStart=" + PROGRAM + " ");
            Files.writeString(dir.resolve(unit), text.replace(PROGRAM, stub.toString()));
        }
    }

    private static List<String> namesIn(Path file) throws IOException {
        return Files.readAllLines(file).stream().map(line -> line.split(":")[0]).toList();
    }

    private static Ran run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
        return new Ran(process.exitValue(), output);
    }

    /** Without systemd's tools nothing can be said, and CI must say something. */
    private static void requires(String program) {
        boolean present = Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(dir -> Files.isExecutable(Path.of(dir, program)));
        String message = program + " is not installed (Debian package: systemd)";
        if (!present && "true".equals(System.getenv("CI"))) {
            fail(message);
        }
        assumeTrue(present, message);
    }
}
