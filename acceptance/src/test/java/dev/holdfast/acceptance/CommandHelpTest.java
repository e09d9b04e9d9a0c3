package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.agent.AgentCommand;
import dev.holdfast.bridge.BridgeCommand;
import dev.holdfast.cli.HoldfastCommand;
import dev.holdfast.fleet.cli.FleetCommand;
import dev.holdfast.wire.ExitCode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** What help, completion and manual pages are made of is whole, and the page about the commands has the table that the code has. */
class CommandHelpTest {
    private static final List<CommandLine> PROGRAMS = List.of(
            HoldfastCommand.commandLine(),
            AgentCommand.commandLine(),
            BridgeCommand.commandLine(),
            FleetCommand.commandLine());

    private static Map<String, CommandSpec> verbs() {
        Map<String, CommandSpec> all = new LinkedHashMap<>();
        PROGRAMS.forEach(program -> collect(program, all));
        return all;
    }

    private static void collect(CommandLine line, Map<String, CommandSpec> into) {
        into.put(line.getCommandSpec().qualifiedName(), line.getCommandSpec());
        line.getSubcommands().values().forEach(sub -> collect(sub, into));
    }

    @Test
    void everyVerbSaysWhatItDoesAndEveryOptionWhatItIsFor() {
        List<String> silent = new ArrayList<>();
        verbs().forEach((name, verb) -> {
            if (name.contains(" ") && verb.usageMessage().description().length == 0) {
                silent.add(name);
            }
            for (ArgSpec arg : verb.args()) {
                if (String.join("", arg.description()).isBlank()) {
                    silent.add(name + " " + arg.paramLabel());
                }
            }
            for (OptionSpec option : verb.options()) {
                if (option.arity().max() > 0 && option.paramLabel().startsWith("<")) {
                    silent.add(name + " " + option.longestName() + " " + option.paramLabel());
                }
            }
        });
        assertThat(verbs()).hasSizeGreaterThan(40);
        assertThat(silent).isEmpty();
    }

    /** A verb with verbs of its own shows them. */
    @Test
    void everyVerbThatRunsHasAnExample() {
        List<String> none = new ArrayList<>();
        verbs().forEach((name, verb) -> {
            boolean runs = verb.userObject() instanceof Callable<?>
                    && !List.of("holdfast agent", "holdfast bridge").contains(name);
            String footer = String.join("\n", verb.usageMessage().footer());
            if (runs && !(footer.contains("Example") && footer.contains("  " + name) || footer.contains("| " + name))) {
                none.add(name);
            }
        });
        assertThat(none).isEmpty();
    }

    /** Twelve private keys in whatever folder somebody stands in, or in the source tree, would be found by others. */
    @Test
    void keysAreMadeNowhereByAccident() throws Exception {
        verbs().forEach((name, verb) -> verb.options().stream()
                .filter(option -> option.longestName().equals("--dir") && !name.startsWith("fleet devices "))
                .forEach(option ->
                        assertThat(option.defaultValue()).as(name).matches("/.*|\\$\\{env:HOLDFAST_FLEET_DIR:-/.*")));
        Path root = Path.of("..").toAbsolutePath().normalize();
        for (String key : List.of("fleet/keys/root-ed25519.pem", "mill/keys/device-ca.pem", "fleet/fleet.json")) {
            Process git = new ProcessBuilder("git", "-C", root.toString(), "check-ignore", "-q", "--no-index", key)
                    .redirectErrorStream(true)
                    .start();
            git.getInputStream().readAllBytes();
            // 128: not a checkout.
            assertThat(git.waitFor()).as(key).isIn(0, 128);
        }
    }

    @Test
    void thePageHasTheTableOfExitCodes() throws Exception {
        String page = Files.readString(Path.of("../docs/commands.md"));
        String table = Arrays.stream(ExitCode.values())
                .map(code -> "| " + code.number() + " | " + code.meaning() + " |")
                .collect(Collectors.joining("\n"));
        assertThat(page).contains(table);
        PROGRAMS.forEach(
                program -> assertThat(program.getCommandSpec().usageMessage().exitCodeList())
                        .hasSize(ExitCode.values().length));
    }
}
