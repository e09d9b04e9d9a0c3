package dev.holdfast.terminal;

import dev.holdfast.control.CommandFailure;
import dev.holdfast.control.config.NearestName;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ExitCode;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Runs the command of a program: gives every verb {@code --color} and {@code --debug}, says each failure as what, where and what to do,
 * and ends by {@link ExitCode}. One for each process; not thread-safe.
 */
public final class Program {
    private static final String COLOUR = "--color";
    private static final String DEBUG = "--debug";
    private static final int MIN_HELP_WIDTH = 60;
    private static final int HELP_WIDTH = 100;

    private final CommandLine line;
    private Function<Throwable, CommandFailure> failures = CommandFailure::of;
    private VerbGroups groups = new VerbGroups();
    private Terminal.Colour wish = Terminal.Colour.AUTO;
    private boolean helpWithoutVerb;
    private String usageLead = "";

    /** Prepares a command; its picocli model is whole afterwards, for completion and manual pages too. */
    public Program(CommandLine line) {
        this.line = line;
        CommandSpec spec = line.getCommandSpec();
        spec.addOption(OptionSpec.builder(COLOUR)
                .paramLabel("WHEN")
                .type(Terminal.Colour.class)
                .defaultValue("auto")
                .scopeType(CommandLine.ScopeType.INHERIT)
                .description("colour: auto, always or never; auto is colour on a terminal without NO_COLOR (auto)")
                .build());
        spec.addOption(OptionSpec.builder(DEBUG)
                .type(boolean.class)
                .scopeType(CommandLine.ScopeType.INHERIT)
                .description("show where in the program a failure happened")
                .build());
        Map<String, String> table = new LinkedHashMap<>();
        Arrays.stream(ExitCode.values()).forEach(code -> table.put("" + code.number(), code.meaning()));
        spec.usageMessage().exitCodeListHeading("%nExit codes:%n").exitCodeList(table);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.registerConverter(Instant.class, new Moments.OfInstant());
        line.registerConverter(Duration.class, new Moments.OfDuration());
        line.setUsageHelpLongOptionsMaxWidth(28);
        line.setExecutionExceptionHandler((failure, at, parsed) -> fail(failure, at, parsed.originalArgs()));
        line.setParameterExceptionHandler(this::misused);
    }

    /** How this program words failures, where not as every one does. */
    public Program wording(Function<Throwable, CommandFailure> wording) {
        failures = wording;
        return this;
    }

    /** Shows the verbs under headings. */
    public Program verbs(VerbGroups verbs) {
        groups = verbs;
        line.getHelpSectionMap()
                .put(
                        CommandLine.Model.UsageMessageSpec.SECTION_KEY_COMMAND_LIST,
                        help -> verbs.text(line, Terminal.of(Terminal.Stream.OUTPUT, wish), line.getUsageHelpWidth()));
        line.getHelpSectionMap().put(CommandLine.Model.UsageMessageSpec.SECTION_KEY_COMMAND_LIST_HEADING, help -> "");
        return this;
    }

    /** Without any word the program shows its help. */
    public Program helpWithoutVerb() {
        helpWithoutVerb = true;
        return this;
    }

    /** Wrong usage has a code in this program, too. */
    public Program usageCode(Code code) {
        usageLead = code.id() + ": ";
        return this;
    }

    public CommandLine commandLine() {
        return line;
    }

    /** Runs as the process's main command: on its standard streams. Returns the exit code. */
    public int run(String... args) {
        StandardError.restore();
        GuardedOutput guarded = GuardedOutput.standard();
        System.setOut(guarded.stream());
        line.setOut(new PrintWriter(System.out, true)).setErr(new PrintWriter(System.err, true));
        int status;
        try {
            status = execute(args);
            line.getOut().flush();
            guarded.stream().flush();
        } catch (Exception | Error e) {
            // picocli hands on exceptions alone; no memory, or a class that is not there, ends in words, too.
            return fail(e, line, List.of(args));
        }
        return status;
    }

    /** Runs on the streams that the command line has. */
    public int execute(String... args) {
        List<String> given = List.of(args);
        wish = colour(given);
        Terminal help = Terminal.of(Terminal.Stream.OUTPUT, wish);
        line.setUsageHelpWidth(Math.clamp(help.width(), MIN_HELP_WIDTH, HELP_WIDTH));
        line.setColorScheme(CommandLine.Help.defaultColorScheme(
                help.colour() ? CommandLine.Help.Ansi.ON : CommandLine.Help.Ansi.OFF));
        return line.execute(helpWithoutVerb && args.length == 0 ? new String[] {"--help"} : args);
    }

    private int fail(Throwable failure, CommandLine at, List<String> args) {
        Throwable cause = closedOutput(failure);
        if (cause instanceof ClosedOutputException closed) {
            if (closed.isPipe()) {
                // Whoever read it had enough: nothing is wrong, and nobody is there to be told.
                return ExitCode.CLOSED.number();
            }
            at.getErr().println("standard output: " + closed.getMessage());
            return ExitCode.FAILED.number();
        }
        CommandFailure said = failures.apply(failure);
        at.getErr().println(coloured(said, args).text());
        if (args.contains(DEBUG)) {
            failure.printStackTrace(at.getErr());
        }
        at.getErr().flush();
        return said.exit().number();
    }

    private static Throwable closedOutput(Throwable failure) {
        for (Throwable one = failure; one != null; one = one.getCause()) {
            if (one instanceof ClosedOutputException) {
                return one;
            }
        }
        return failure;
    }

    private static CommandFailure coloured(CommandFailure said, List<String> args) {
        Terminal error = Terminal.of(Terminal.Stream.ERROR, colour(args));
        return new CommandFailure(said.exit(), error.bad(said.what()), said.remedy());
    }

    private int misused(ParameterException failure, String[] args) {
        CommandLine at = failure.getCommandLine();
        String name = at.getCommandSpec().qualifiedName();
        String text = String.valueOf(failure.getMessage());
        String said = text.startsWith(name + ":") || text.startsWith(name + " ") ? text : name + ": " + text;
        String hint = "";
        if (failure instanceof UnmatchedArgumentException unknown
                && !unknown.getUnmatched().isEmpty()) {
            String word = unknown.getUnmatched().getFirst();
            boolean isVerb = !word.startsWith("-") && !at.getSubcommands().isEmpty();
            List<String> names = new ArrayList<>(at == line ? groups.names() : List.of());
            names.addAll(isVerb ? at.getSubcommands().keySet() : unknown.getSuggestions());
            said = isVerb ? name + ": there is no verb " + Units.printable(word) : said;
            hint = NearestName.of(word, names)
                    .map(near -> "did you mean " + near + "? ")
                    .orElse("");
        }
        at.getErr()
                .println(coloured(
                                new CommandFailure(ExitCode.USAGE, usageLead + said, hint + name + " --help"),
                                List.of(args))
                        .text());
        at.getErr().flush();
        return ExitCode.USAGE.number();
    }

    /** Before the command line is read: help and what is wrong with it are coloured, too. */
    static Terminal.Colour colour(List<String> args) {
        for (int i = 0; i < args.size(); i++) {
            String arg = args.get(i);
            String value = arg.startsWith(COLOUR + "=")
                    ? arg.substring(COLOUR.length() + 1)
                    : arg.equals(COLOUR) && i + 1 < args.size() ? args.get(i + 1) : "";
            for (Terminal.Colour one : Terminal.Colour.values()) {
                if (one.name().equals(value.toUpperCase(Locale.ROOT))) {
                    return one;
                }
            }
        }
        return Terminal.Colour.AUTO;
    }

    /** What standard output leads to, for a verb that runs. */
    public static Terminal output(CommandSpec verb) {
        return Terminal.of(Terminal.Stream.OUTPUT, colour(verb));
    }

    /** What standard error leads to, for a verb that runs. */
    public static Terminal error(CommandSpec verb) {
        return Terminal.of(Terminal.Stream.ERROR, colour(verb));
    }

    /** A line of progress for a verb that runs, on standard error. */
    public static ProgressLine progress(CommandSpec verb, String what) {
        PrintStream stream = System.err;
        return new ProgressLine(stream, error(verb), what);
    }

    private static Terminal.Colour colour(CommandSpec verb) {
        return colour(verb.root().commandLine().getParseResult().originalArgs());
    }
}
