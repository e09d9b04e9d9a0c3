package dev.holdfast.terminal;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;

/**
 * The verbs of a program under headings, for its help. A verb that another process of the same program has is named with its words;
 * those of a verb of this process come from the verb itself.
 */
public final class VerbGroups {
    private static final int NAME_CHARS = 13;

    private final Map<String, List<String>> groups = new LinkedHashMap<>();
    private final Map<String, String> elsewhere = new LinkedHashMap<>();
    private List<String> last = new ArrayList<>();

    /** Begins a group. */
    public VerbGroups group(String heading) {
        last = new ArrayList<>();
        groups.put(heading, last);
        return this;
    }

    /** Verbs of this process. */
    public VerbGroups verbs(String... names) {
        last.addAll(List.of(names));
        return this;
    }

    /** A verb of another process. */
    public VerbGroups elsewhere(String name, String description) {
        last.add(name);
        elsewhere.put(name, description);
        return this;
    }

    /** All names, in the order of the help. */
    List<String> names() {
        return groups.values().stream().flatMap(List::stream).toList();
    }

    String text(CommandLine line, Terminal terminal, int width) {
        StringBuilder out = new StringBuilder();
        groups.forEach((heading, names) -> {
            out.append('\n').append(terminal.bold(heading)).append('\n');
            for (String name : names) {
                String lead = Page.padded(name, NAME_CHARS - 1);
                for (String part : Page.wrapped(description(line, name), width - NAME_CHARS - 2)) {
                    out.append("  ").append(lead).append(' ').append(part).append('\n');
                    lead = " ".repeat(NAME_CHARS - 1);
                }
            }
        });
        return out.toString();
    }

    private String description(CommandLine line, String name) {
        String known = elsewhere.get(name);
        if (known != null) {
            return known;
        }
        CommandLine verb = line.getSubcommands().get(name);
        if (verb == null) {
            throw new IllegalStateException("no verb is called " + name);
        }
        String[] described = verb.getCommandSpec().usageMessage().description();
        return described.length == 0 ? "" : described[0];
    }
}
