package dev.holdfast.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.config.ConfigEntry;
import dev.holdfast.control.config.ConfigFile;
import dev.holdfast.control.config.ConfigKey;
import dev.holdfast.control.config.ConfigKeys;
import dev.holdfast.control.config.ConfigProblem;
import dev.holdfast.control.config.ConfigReference;
import dev.holdfast.wire.ExitCode;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What a person asks about the configuration. Nothing of it needs a daemon. */
@Command(
        name = "config",
        description = "Explains, shows and checks the configuration.",
        footer = {
            "",
            "Examples:",
            "  holdfast config check",
            "  holdfast config show --json | jq '.keys[] | select(.source != \"default\")'"
        },
        subcommands = {ConfigCommand.Reference.class, ConfigCommand.Show.class, ConfigCommand.Check.class})
final class ConfigCommand {
    private ConfigCommand() {}

    private static int refuse(PrintWriter err, List<ConfigProblem> problems) {
        problems.forEach(err::println);
        err.println(problems.size() == 1 ? "1 error" : problems.size() + " errors");
        return ExitCode.CONFIGURATION.number();
    }

    @Command(
            name = "reference",
            description = "Lists every key with its type, range, default and meaning.",
            footer = {
                "",
                "Examples:",
                "  holdfast config reference",
                "  holdfast config reference --format man > holdfast.toml.5"
            })
    static final class Reference implements Callable<Integer> {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Option(
                names = "--format",
                paramLabel = "FORM",
                description = "text, markdown (docs/configuration.md) or man (holdfast.toml.5); ${DEFAULT-VALUE}",
                defaultValue = "text")
        ConfigReference format = ConfigReference.TEXT;

        @Override
        public Integer call() {
            PrintWriter out = spec.commandLine().getOut();
            out.print(format.write());
            out.flush();
            return 0;
        }
    }

    @Command(
            name = "show",
            description = "Shows the value of every key and where it is from.",
            footer = {
                "",
                "Examples:",
                "  holdfast config show",
                "  holdfast config show --json | jq '.keys[] | select(.source != \"default\")'"
            })
    static final class Show implements Callable<Integer> {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Option(
                names = "--config",
                paramLabel = "FILE",
                description = "configuration file (${DEFAULT-VALUE})",
                defaultValue = ConfigFile.DEFAULT)
        Path file = Path.of(ConfigFile.DEFAULT);

        @Option(names = "--json", description = "print JSON")
        boolean json;

        @Override
        public Integer call() {
            ConfigFile config = ConfigFile.of(file);
            List<ConfigProblem> problems = config.problems();
            if (!problems.isEmpty()) {
                return refuse(spec.commandLine().getErr(), problems);
            }
            PrintWriter out = spec.commandLine().getOut();
            out.print(json ? json(config).toPrettyString() + "\n" : text(config));
            out.flush();
            return 0;
        }

        private static String text(ConfigFile config) {
            StringBuilder out = new StringBuilder();
            for (ConfigKey<?> key : ConfigKeys.all()) {
                String value = config.value(key).map(JsonNode::toString).orElse("");
                String source = config.entry(key)
                        .map(ConfigEntry::place)
                        .orElse("default"
                                + (value.isEmpty() ? ": " + key.otherwise().replace("`", "") : ""));
                out.append("%-25s  %-48s  %s%n".formatted(key.name(), value, source));
            }
            return out.toString();
        }

        private static ObjectNode json(ConfigFile config) {
            ObjectNode all = Json.object();
            ArrayNode files = all.putArray("files");
            config.files().forEach(path -> files.add(path.toString()));
            ArrayNode keys = all.putArray("keys");
            for (ConfigKey<?> key : ConfigKeys.all()) {
                ObjectNode one = keys.addObject().put("key", key.name());
                one.set("value", config.value(key).orElse(one.nullNode()));
                Optional<ConfigEntry> entry = config.entry(key);
                one.put(
                        "source",
                        entry.map(from -> from.dropIn() ? "drop-in" : "file").orElse("default"));
                entry.ifPresent(from -> one.put("file", from.file().toString())
                        .put("line", from.at().line()));
            }
            return all;
        }
    }

    @Command(
            name = "check",
            description = "Says everything that is wrong with a configuration; exit code 78 where anything is.",
            footer = {"", "Examples:", "  holdfast config check", "  holdfast config check new/holdfast.toml"})
    static final class Check implements Callable<Integer> {
        @Spec
        CommandSpec spec = CommandSpec.create();

        @Parameters(
                arity = "0..1",
                paramLabel = "FILE",
                description = "configuration file (${DEFAULT-VALUE}); conf.d/*.toml beside it is checked, too",
                defaultValue = ConfigFile.DEFAULT)
        Path file = Path.of(ConfigFile.DEFAULT);

        @Override
        public Integer call() {
            ConfigFile config = ConfigFile.of(file);
            List<ConfigProblem> problems = config.problems();
            if (!problems.isEmpty()) {
                return refuse(spec.commandLine().getErr(), problems);
            }
            PrintWriter out = spec.commandLine().getOut();
            int dropIns = config.files().size() - 1;
            out.println(file + " can be used" + (dropIns == 0 ? "" : ", with " + dropIns + " of conf.d"));
            out.flush();
            return 0;
        }
    }
}
