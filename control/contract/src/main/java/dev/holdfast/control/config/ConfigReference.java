package dev.holdfast.control.config;

import java.util.List;

/** What people read about the keys: as plain text, as the page {@code docs/configuration.md}, and as {@code holdfast.toml(5)}. */
public enum ConfigReference {
    TEXT {
        @Override
        public String write() {
            StringBuilder out = new StringBuilder();
            for (Section section : Section.values()) {
                out.append(section).append("\n\n");
                for (ConfigKey<?> key : of(section)) {
                    out.append("  ").append(key.name()).append('\n');
                    out.append("      ").append(plain(key.form().words())).append('\n');
                    out.append("      default: ")
                            .append(plain(key.defaultWords()))
                            .append('\n');
                    out.append("      another value is taken at a ")
                            .append(taken(key))
                            .append('\n');
                    for (String line : wrapped(plain(key.meaning()), 90)) {
                        out.append("      ").append(line).append('\n');
                    }
                    out.append('\n');
                }
            }
            return out.toString();
        }
    },

    MARKDOWN {
        @Override
        public String write() {
            StringBuilder out = new StringBuilder("""
                # Configuration

                <!-- Made by: holdfast config reference --format markdown -->

                """);
            INTRODUCTION.forEach(paragraph ->
                    out.append(String.join("\n", wrapped(paragraph, 118))).append("\n\n"));
            for (Section section : Section.values()) {
                out.append("## ")
                        .append(section)
                        .append("\n\n| key | value | default | taken at | what |\n|---|---|---|---|---|\n");
                for (ConfigKey<?> key : of(section)) {
                    String fallback = key.defaultWords();
                    out.append("| `%s` | %s | %s | %s | %s |\n"
                            .formatted(
                                    key.name(),
                                    key.form().words(),
                                    key.fallback().isPresent() ? "`" + fallback + "`" : fallback,
                                    taken(key),
                                    key.meaning()));
                }
                out.append('\n');
            }
            return out.toString().stripTrailing() + "\n";
        }
    },

    MAN {
        @Override
        public String write() {
            StringBuilder out = new StringBuilder("""
                .TH HOLDFAST.TOML 5 "" "Holdfast" "Holdfast"
                .SH NAME
                holdfast.toml \\- configuration of a Holdfast device
                .SH SYNOPSIS
                .I /etc/holdfast/holdfast.toml
                .br
                .I /etc/holdfast/conf.d/*.toml
                .SH DESCRIPTION
                """);
            INTRODUCTION.forEach(
                    paragraph -> out.append(".PP\n").append(roff(paragraph)).append('\n'));
            for (Section section : Section.values()) {
                out.append(".SH ")
                        .append(section.toString().toUpperCase(java.util.Locale.ROOT))
                        .append('\n');
                for (ConfigKey<?> key : of(section)) {
                    out.append(".TP\n.B ").append(roff(key.name())).append('\n');
                    out.append(roff(key.form().words())).append(". Default: ");
                    out.append(roff(key.defaultWords()))
                            .append(". Taken at a ")
                            .append(taken(key))
                            .append(".\n.br\n");
                    out.append(roff(key.meaning())).append('\n');
                }
            }
            return out.append("""
                .SH FILES
                .I /etc/holdfast/holdfast.toml
                .br
                .I /etc/holdfast/conf.d/*.toml
                .SH SEE ALSO
                .BR holdfast (1),
                .BR fleet (1)
                """).toString();
        }
    };

    private static final List<String> INTRODUCTION = List.of(
            "A device has one configuration for all its programs, `/etc/holdfast/holdfast.toml`, in TOML. Each program"
                    + " reads its own keys; a key that none knows is refused (`CFG-INVALID`, exit code 78). It holds no"
                    + " secret.",
            "Files `conf.d/*.toml` beside it are read after it, in the order of their names; a key that several have"
                    + " counts as the last one says. Relative paths count from the folder of `holdfast.toml`, in those"
                    + " files too.",
            "`holdfast config check` says what is wrong, with file, line and column, before anything is started with"
                    + " it; `holdfast config show` says which values hold and where they are from.",
            "`systemctl reload holdfast holdfast-inference`, or SIGHUP, has the daemons read it again. A new"
                    + " configuration is taken as a whole or, where anything in it does not hold, not at all; the log says"
                    + " which. What is taken at a restart only is named in the log, too, and keeps its old value until"
                    + " then.");

    /** The whole reference, ending with a line's end. */
    public abstract String write();

    private static List<ConfigKey<?>> of(Section section) {
        return ConfigKeys.all().stream().filter(key -> key.section() == section).toList();
    }

    private static String taken(ConfigKey<?> key) {
        return key.atReload() ? "reload" : "restart";
    }

    private static String plain(String text) {
        return text.replace("`", "");
    }

    /** Text without a meaning for troff: no escapes, and no line that begins with a request. */
    private static String roff(String text) {
        String escaped = plain(text).replace("\\", "\\e").replace("-", "\\-");
        return escaped.startsWith(".") || escaped.startsWith("'") ? "\\&" + escaped : escaped;
    }

    private static List<String> wrapped(String text, int columns) {
        List<String> lines = new java.util.ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ")) {
            if (!line.isEmpty() && line.length() + 1 + word.length() > columns) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
    }
}
