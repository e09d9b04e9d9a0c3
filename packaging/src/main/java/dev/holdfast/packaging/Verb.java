package dev.holdfast.packaging;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/**
 * A command, or what is below one, as people write it: of {@code holdfast} several programs know verbs, each its own.
 *
 * @param words how it is called, the program's name first
 * @param spec its options and arguments
 * @param below its own verbs
 */
record Verb(List<String> words, CommandSpec spec, List<Verb> below) {
    Verb {
        words = List.copyOf(words);
        below = List.copyOf(below);
    }

    static Verb of(List<String> words, CommandSpec spec) {
        List<Verb> below = new ArrayList<>();
        spec.subcommands().values().stream()
                .distinct()
                .map(CommandLine::getCommandSpec)
                .filter(each -> !each.usageMessage().hidden())
                .forEach(each -> below.add(
                        of(Stream.concat(words.stream(), Stream.of(each.name())).toList(), each)));
        return new Verb(words, spec, below);
    }

    /** A command of its own. */
    boolean isProgram() {
        return words.size() == 1;
    }

    String name() {
        return words.getLast();
    }

    /** The same with verbs that another program knows. */
    Verb with(List<Verb> more) {
        return new Verb(
                words, spec, Stream.concat(below.stream(), more.stream()).toList());
    }

    /** This and all below. */
    Stream<Verb> all() {
        return Stream.concat(Stream.of(this), below.stream().flatMap(Verb::all));
    }

    /** The words without the program's name. */
    String path() {
        return String.join(" ", words.subList(1, words.size()));
    }
}
