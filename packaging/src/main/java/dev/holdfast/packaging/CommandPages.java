package dev.holdfast.packaging;

import dev.holdfast.agent.AgentCommand;
import dev.holdfast.bridge.BridgeCommand;
import dev.holdfast.cli.HoldfastCommand;
import dev.holdfast.fleet.cli.FleetCommand;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Writes manual pages and completions of both commands: {@code CommandPages VERSION FOLDER}. */
public final class CommandPages {
    private CommandPages() {}

    public static void main(String[] args) throws IOException {
        String epoch = System.getenv("SOURCE_DATE_EPOCH");
        LocalDate date = epoch == null
                ? LocalDate.now(ZoneOffset.UTC)
                : LocalDate.ofInstant(Instant.ofEpochSecond(Long.parseLong(epoch)), ZoneOffset.UTC);
        for (Verb command : List.of(holdfast(), fleet())) {
            write(
                    command,
                    new ManualPage.Edition(args[0], date),
                    Path.of(args[1]).resolve(command.name()));
        }
    }

    private static void write(Verb command, ManualPage.Edition edition, Path folder) throws IOException {
        Path man = Files.createDirectories(folder.resolve("man"));
        Files.writeString(man.resolve(command.name() + ".1"), ManualPage.of(command, edition));
        for (Verb verb : command.below()) {
            Files.writeString(man.resolve(String.join("-", verb.words()) + ".1"), ManualPage.of(verb, edition));
        }
        Files.writeString(folder.resolve("completion.bash"), Completion.bash(command));
        Files.writeString(folder.resolve("completion.zsh"), Completion.zsh(command));
        Files.writeString(folder.resolve("completion.fish"), Completion.fish(command));
    }

    /** What {@code fleet} understands. */
    static Verb fleet() {
        return Verb.of(List.of("fleet"), FleetCommand.commandLine().getCommandSpec());
    }

    /** What {@code holdfast} understands, whichever program of it does. */
    static Verb holdfast() {
        List<String> name = List.of("holdfast");
        return Verb.of(name, HoldfastCommand.commandLine().getCommandSpec())
                .with(Verb.of(name, AgentCommand.commandLine().getCommandSpec()).below())
                .with(List.of(
                        Verb.of(
                                List.of("holdfast", "bridge"),
                                BridgeCommand.commandLine().getCommandSpec()),
                        Verb.of(List.of("holdfast", "inference"), inference()),
                        Verb.of(List.of("holdfast", "standalone"), standalone())));
    }

    private static CommandSpec inference() {
        CommandSpec spec = CommandSpec.create().name("inference").mixinStandardHelpOptions(true);
        spec.usageMessage().description("Runs the inference daemon.");
        return spec.addOption(option("--config", "FILE", "configuration file"));
    }

    /** It reads its options by itself, before anything else is loaded. */
    private static CommandSpec standalone() {
        CommandSpec spec = CommandSpec.create().name("standalone").mixinStandardHelpOptions(true);
        spec.usageMessage()
                .description(
                        "With --model, serves one file on a Unix socket, without TPM, fleet and configuration file. What it"
                                + " serves is not attested, and says so. Without --model, starts both daemons, for development.");
        spec.addOption(option("--config", "FILE", "configuration file, where no model is named"))
                .addOption(option("--model", "FILE", "the model"))
                .addOption(option("--template", "FILE", "its chat template, as fleet publish takes it"))
                .addOption(option("--name", "NAME", "its name; the file's, if not given"))
                .addOption(option("--socket", "PATH", "where programs connect"))
                .addOption(option("--context", "N", "longest sequence in tokens, 16 to 131072"))
                .addOption(option("--threads", "N", "threads of one step, 1 to 16"));
        return spec;
    }

    private static OptionSpec option(String name, String label, String description) {
        return OptionSpec.builder(name)
                .type(label.equals("FILE") || label.equals("PATH") ? Path.class : String.class)
                .paramLabel(label)
                .arity("1")
                .description(description)
                .build();
    }
}
