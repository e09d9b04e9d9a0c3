package dev.holdfast.bench.mutants;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** Reads {@code bench/mutants/AREA.txt}; the form is in {@code bench/mutants/README.md}. Whatever is not of that form is an error. */
final class MutantList {
    private static final String BEGIN = "== ";
    private static final String TEXT = "---";
    private static final String REPLACEMENT = "+++";
    private static final Set<String> KEYS = Set.of("promise", "file", "tests", "survives");

    private MutantList() {}

    /** All of a folder, by the names of its files. */
    static List<Mutant> readAll(Path folder) throws IOException {
        List<Mutant> all = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(path -> path.toString().endsWith(".txt"))
                    .sorted()
                    .toList()) {
                all.addAll(read(file.getFileName().toString().replace(".txt", ""), Files.readAllLines(file)));
            }
        }
        Set<String> names = new HashSet<>();
        all.forEach(mutant -> require(names.add(mutant.name()), mutant.name() + " is there twice"));
        return all;
    }

    static List<Mutant> read(String area, List<String> lines) {
        List<Mutant> mutants = new ArrayList<>();
        int at = 0;
        while (at < lines.size()) {
            int end = at + 1;
            while (end < lines.size() && !lines.get(end).startsWith(BEGIN)) {
                end++;
            }
            if (lines.get(at).startsWith(BEGIN)) {
                mutants.add(one(area, lines.subList(at, end)));
            } else {
                // What comes before the first mutant is about the list.
                for (String line : lines.subList(at, end)) {
                    require(line.isBlank() || line.startsWith("#"), area + " begins with neither # nor ==: " + line);
                }
            }
            at = end;
        }
        return mutants;
    }

    private static Mutant one(String area, List<String> lines) {
        String id = lines.getFirst().substring(BEGIN.length()).strip();
        String name = area + "/" + id;
        int text = lines.indexOf(TEXT);
        int replacement = lines.indexOf(REPLACEMENT);
        require(text > 0 && replacement > text, name + " has no " + TEXT + " and " + REPLACEMENT);
        Map<String, String> said = new HashMap<>();
        for (String line : lines.subList(1, text)) {
            int colon = line.indexOf(": ");
            require(colon > 0 && KEYS.contains(line.substring(0, colon)), name + ": not understood: " + line);
            require(
                    said.put(line.substring(0, colon), line.substring(colon + 2).strip()) == null,
                    name + ": twice: " + line);
        }
        for (String key : List.of("promise", "file", "tests")) {
            require(!said.getOrDefault(key, "").isEmpty(), name + " has no " + key);
        }
        Mutant mutant = new Mutant(
                area,
                id,
                said.getOrDefault("promise", ""),
                said.getOrDefault("file", ""),
                joined(lines.subList(text + 1, replacement)),
                joined(lines.subList(replacement + 1, lines.size())),
                List.of(said.getOrDefault("tests", "").split("[ ,]+")),
                Optional.ofNullable(said.get("survives")));
        require(!mutant.text().isEmpty(), name + " replaces nothing");
        require(!mutant.text().equals(mutant.replacement()), name + " changes nothing");
        return mutant;
    }

    private static String joined(List<String> lines) {
        return String.join("\n", lines).strip();
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalArgumentException(otherwise);
        }
    }
}
