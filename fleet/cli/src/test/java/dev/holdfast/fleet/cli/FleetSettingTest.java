package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetSetting;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The settings of a fleet are written once: what is shown, changed and documented is one list. */
class FleetSettingTest {
    private static final Path PAGE = Path.of("../../docs/fleet-settings.md");

    @TempDir
    Path dir;

    private String out = "";

    private int fleet(String... arguments) {
        StringWriter said = new StringWriter();
        int code = FleetCommand.run(new PrintWriter(said, true), new PrintWriter(said, true), arguments);
        out = said.toString();
        return code;
    }

    @Test
    void thePageIsTheOneThatIsMadeFromTheSettings() throws Exception {
        assertThat(fleet("settings", "--reference")).isZero();
        assertThat(Files.readString(PAGE))
                .as("make it anew: ./dev fleet settings --reference > docs/fleet-settings.md")
                .isEqualTo(out);
    }

    @Test
    void eachSettingHasAnOptionAndEachOptionASetting() {
        CommandLine settings = Objects.requireNonNull(
                FleetCommand.commandLine().getSubcommands().get("settings"));
        TreeSet<String> options = new TreeSet<>();
        settings.getCommandSpec().options().forEach(option -> options.add(option.longestName()));
        options.removeAll(List.of(
                "--dir",
                "--json",
                "--reference",
                "--broker-anonymous",
                "--of",
                "--help",
                "--version",
                "--debug",
                "--color"));
        assertThat(options)
                .containsExactlyInAnyOrderElementsOf(Arrays.stream(FleetSetting.values())
                        .map(setting -> setting.place().option())
                        .filter(option -> !option.isEmpty())
                        .toList());
    }

    @Test
    void whatIsChangedIsShownAndAWrongWordChangesNothing() throws Exception {
        String folder = dir.resolve("fleet").toString();
        assertThat(fleet("init", "--dir", folder, "--name", "demo", "--broker", "mqtt://127.0.0.1"))
                .isZero();
        assertThat(fleet("settings", "--dir", folder)).isZero();
        assertThat(out.lines().map(line -> line.substring(0, 20).strip()))
                .containsExactlyElementsOf(Arrays.stream(FleetSetting.values())
                        .map(setting -> setting.place().label())
                        .toList());
        assertThat(fleet("settings", "--dir", folder, "--log-format", "json")).isZero();
        assertThat(out).containsPattern("log format +json\n").containsPattern("log level +info\n");
        byte[] before = Files.readAllBytes(Path.of(folder, "fleet.json"));
        assertThat(fleet("settings", "--dir", folder, "--log-level", "loud")).isNotZero();
        assertThat(out).contains("CFG-INVALID", "log-level must be error, warn, info, debug");
        assertThat(Files.readAllBytes(Path.of(folder, "fleet.json"))).isEqualTo(before);
        assertThat(new FleetDirectory(Path.of(folder)).config().log().format()).isEqualTo("json");
    }
}
