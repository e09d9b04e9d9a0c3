package dev.holdfast.packaging;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** A manual page in the macros of man(7), of one command and all that is below it. */
final class ManualPage {
    /** What is in the page's head and foot. */
    record Edition(String version, LocalDate date) {}

    private static final String EXIT_STATUS = """
            .SH EXIT STATUS
            .TP
            .B 0
            It was done, or the answer is yes.
            .TP
            .B 1
            It failed, or the answer is no. The error stream has one line that begins with a code;
            .B holdfast explain
            says what it means.
            .TP
            .B 2
            The command line is wrong.
            .TP
            .B 78
            The configuration is wrong.
            """;

    private final StringBuilder out = new StringBuilder();

    private ManualPage() {}

    static String of(Verb verb, Edition edition) {
        ManualPage page = new ManualPage();
        String name = String.join("-", verb.words());
        page.line(".TH " + name.toUpperCase(Locale.ROOT) + " 1 " + edition.date() + " \"Holdfast " + edition.version()
                + "\" \"Holdfast\"");
        page.line(".SH NAME");
        page.line(escape(name) + " \\- " + escape(summary(verb.spec())));
        page.line(".SH SYNOPSIS");
        page.synopsis(verb);
        List<String> description = texts(verb.spec().usageMessage().description());
        if (!description.isEmpty()) {
            page.line(".SH DESCRIPTION");
            description.forEach(page::text);
        }
        page.arguments(verb.spec(), ".SH ");
        if (!verb.below().isEmpty()) {
            page.line(".SH COMMANDS");
        }
        for (Verb below : verb.below()) {
            if (verb.isProgram()) {
                page.line(".TP");
                page.line(".BR " + escape(String.join("-", below.words())) + " (1)");
                page.text(summary(below.spec()));
            } else {
                page.below(below);
            }
        }
        List<String> footer = texts(verb.spec().usageMessage().footer());
        if (!footer.isEmpty() && !verb.isProgram()) {
            page.line(".SH NOTES");
            page.line(".nf");
            footer.forEach(page::text);
            page.line(".fi");
        }
        page.out.append(EXIT_STATUS);
        page.line(".SH SEE ALSO");
        page.line(
                verb.isProgram()
                        ? ".I /usr/share/doc/holdfast"
                        : ".BR " + verb.words().getFirst() + " (1)");
        return page.out.toString();
    }

    /** A command below a verb, in the page of the verb. */
    private void below(Verb verb) {
        line(".SS " + escape(String.join(" ", verb.words())));
        synopsis(verb);
        line(".PP");
        texts(verb.spec().usageMessage().description()).forEach(this::text);
        arguments(verb.spec(), ".PP\n.B ");
        verb.below().forEach(this::below);
    }

    private void synopsis(Verb verb) {
        line(".B " + escape(String.join(" ", verb.words())));
        List<String> words = new ArrayList<>();
        for (OptionSpec option : shown(verb.spec())) {
            if (option.required()) {
                words.add(option.longestName() + " " + option.paramLabel());
            }
        }
        if (shown(verb.spec()).stream().anyMatch(option -> !option.required())) {
            words.add("[OPTION ...]");
        }
        verb.spec().positionalParameters().stream()
                .filter(each -> !each.hidden())
                .forEach(
                        each -> words.add(each.arity().min() == 0 ? "[" + each.paramLabel() + "]" : each.paramLabel()));
        if (!verb.below().isEmpty()) {
            words.add("COMMAND");
        }
        if (!words.isEmpty()) {
            text(String.join(" ", words));
        }
    }

    private static List<OptionSpec> shown(CommandSpec command) {
        return command.options().stream().filter(each -> !each.hidden()).toList();
    }

    private void arguments(CommandSpec command, String heading) {
        List<PositionalParamSpec> positional = command.positionalParameters().stream()
                .filter(each -> !each.hidden())
                .toList();
        if (!positional.isEmpty()) {
            line(heading + "ARGUMENTS");
            for (PositionalParamSpec each : positional) {
                line(".TP");
                line(".I " + escape(each.paramLabel()));
                described(each.description(), each.defaultValueString());
            }
        }
        List<OptionSpec> options =
                command.options().stream().filter(each -> !each.hidden()).toList();
        if (!options.isEmpty()) {
            line(heading + "OPTIONS");
            for (OptionSpec each : options) {
                line(".TP");
                String names = List.of(each.names()).stream()
                        .map(name -> "\\fB" + escape(name) + "\\fR")
                        .collect(Collectors.joining(", "));
                line(names + (each.arity().max() == 0 ? "" : " \\fI" + escape(each.paramLabel()) + "\\fR"));
                described(each.description(), each.defaultValueString());
            }
        }
    }

    private void described(String[] description, @Nullable String byDefault) {
        List<String> lines = texts(description);
        lines.forEach(each -> text(each.replace("${DEFAULT-VALUE}", byDefault == null ? "none" : byDefault)));
        if (lines.isEmpty()) {
            line("\\&");
        }
    }

    static String summary(CommandSpec command) {
        List<String> description = texts(command.usageMessage().description());
        String all = String.join(" ", description);
        int end = all.indexOf(". ");
        String first = end < 0 ? all : all.substring(0, end);
        return first.isEmpty() ? command.name() : first.replaceAll("[.:;]$", "");
    }

    private static List<String> texts(String[] lines) {
        return List.of(lines).stream()
                .map(each -> Ansi.OFF.string(each.replace("%n", "\n").replace("%%", "%")))
                .toList();
    }

    private void text(String words) {
        for (String each : words.split("\n", -1)) {
            line(escape(each));
        }
    }

    private void line(String line) {
        out.append(line).append('\n');
    }

    /** A line that begins with a dot or a quote would be a request, and a hyphen would not be the character of an option. */
    static String escape(String words) {
        String escaped = words.replace("\\", "\\e").replace("-", "\\-");
        return escaped.startsWith(".") || escaped.startsWith("'") ? "\\&" + escaped : escaped;
    }
}
