package dev.holdfast.packaging;

import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Completions for bash, zsh and fish: of each verb its own verbs, its options, and files where it takes some. */
final class Completion {
    private Completion() {}

    private static boolean takesFile(ArgSpec spec) {
        Class<?> type =
                spec.typeInfo().isMultiValue() || spec.typeInfo().isOptional() ? spec.auxiliaryTypes()[0] : spec.type();
        return type == Path.class;
    }

    private static boolean positionalFiles(CommandSpec command) {
        return command.positionalParameters().stream().anyMatch(Completion::takesFile);
    }

    private static String described(ArgSpec spec) {
        return spec.description().length == 0 ? "" : spec.description()[0];
    }

    /** One line for the shell, in single quotes. */
    private static String quoted(String words) {
        return "'" + words.replaceAll("\\s+", " ").replace("'", "’").replace("\\", "") + "'";
    }

    static String fish(Verb root) {
        String name = root.name();
        StringBuilder out = new StringBuilder("""
                # Completion of %1$s for fish.

                # The longest command that the words before the cursor name.
                function __%1$s_command
                    set -l known %2$s
                    set -l at ''
                    for word in (commandline -opc)[2..-1]
                        string match -q -- '-*' $word; and continue
                        set -l next (string trim -- "$at $word")
                        contains -- $next $known; and set at $next; or break
                    end
                    echo $at
                end

                complete -c %1$s -f
                """.formatted(
                name,
                String.join(" ", root.all().map(each -> quoted(each.path())).toList())));
        for (Verb at : root.all().toList()) {
            String when = " -n 'test (__" + name + "_command) = \"" + at.path() + "\"'";
            if (at.path().isEmpty()) {
                // An empty answer of a command is no argument at all.
                when = " -n 'test -z (__" + name + "_command)'";
            }
            for (Verb verb : at.below()) {
                out.append("complete -c ")
                        .append(name)
                        .append(when)
                        .append(" -a ")
                        .append(verb.name());
                out.append(" -d ")
                        .append(quoted(ManualPage.summary(verb.spec())))
                        .append('\n');
            }
            for (OptionSpec option : at.spec().options()) {
                if (option.hidden()) {
                    continue;
                }
                out.append("complete -c ").append(name).append(when);
                for (String each : option.names()) {
                    out.append(each.startsWith("--") ? " -l " + each.substring(2) : " -s " + each.substring(1));
                }
                if (option.arity().max() > 0) {
                    out.append(takesFile(option) ? " -r -F" : " -x");
                }
                out.append(" -d ").append(quoted(described(option))).append('\n');
            }
            if (positionalFiles(at.spec())) {
                out.append("complete -c ").append(name).append(when).append(" -F\n");
            }
        }
        return out.toString();
    }

    static String bash(Verb root) {
        String name = root.name();
        StringBuilder out = new StringBuilder("""
                # Completion of %1$s for bash.

                _%1$s() {
                    local at= next word verbs= options=
                    local -A known=(%2$s)
                    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                        [[ $word == -* ]] && continue
                        next=${at:+$at }$word
                        [[ -n ${known[$next]} ]] || break
                        at=$next
                    done
                    case $at in
                """.formatted(
                        name,
                        String.join(
                                " ",
                                root.all()
                                        .filter(each -> !each.path().isEmpty())
                                        .map(each -> "[" + quoted(each.path()) + "]=1")
                                        .toList())));
        for (Verb at : root.all().toList()) {
            out.append("    ").append(quoted(at.path())).append(")\n        verbs='");
            out.append(String.join(" ", at.below().stream().map(Verb::name).toList()))
                    .append("'\n        options='");
            out.append(String.join(
                    " ",
                    at.spec().options().stream()
                            .filter(option -> !option.hidden())
                            .flatMap(option -> List.of(option.names()).stream())
                            .toList()));
            out.append("'\n        ;;\n");
        }
        return out.append("""
                    esac
                    if [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then
                        COMPREPLY=($(compgen -W "$options" -- "${COMP_WORDS[COMP_CWORD]}"))
                    elif [[ -n $verbs ]]; then
                        COMPREPLY=($(compgen -W "$verbs" -- "${COMP_WORDS[COMP_CWORD]}"))
                    else
                        COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
                    fi
                }
                complete -o filenames -F _%1$s %1$s
                """.formatted(name)).toString();
    }

    static String zsh(Verb root) {
        String name = root.name();
        StringBuilder out = new StringBuilder("""
                #compdef %1$s
                # Completion of %1$s for zsh.

                local at= word next
                local -a verbs options
                local -A known=(%2$s)
                for word in ${words[2,CURRENT-1]}; do
                    [[ $word == -* ]] && continue
                    next=${at:+$at }$word
                    (( ${+known[$next]} )) || break
                    at=$next
                done
                case $at in
                """.formatted(
                        name,
                        String.join(
                                " ",
                                root.all()
                                        .filter(each -> !each.path().isEmpty())
                                        .map(each -> quoted(each.path()) + " 1")
                                        .toList())));
        for (Verb at : root.all().toList()) {
            out.append(quoted(at.path())).append(")\n");
            List<Verb> verbs = at.below();
            if (!verbs.isEmpty()) {
                out.append("    verbs=(");
                verbs.forEach(verb -> out.append("\n        ")
                        .append(quoted(colon(verb.name()) + ":" + ManualPage.summary(verb.spec()))));
                out.append(")\n");
            }
            out.append("    options=(");
            for (OptionSpec option : at.spec().options()) {
                if (!option.hidden()) {
                    for (String each : option.names()) {
                        out.append("\n        ").append(quoted(colon(each) + ":" + described(option)));
                    }
                }
            }
            out.append(")\n    ;;\n");
        }
        return out.append("""
                esac
                if [[ $PREFIX == -* ]]; then
                    _describe -o option options
                elif (( $#verbs )); then
                    _describe command verbs
                else
                    _files
                fi
                """).toString();
    }

    private static String colon(String word) {
        return word.replace(":", "\\:");
    }
}
