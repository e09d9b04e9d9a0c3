package dev.holdfast.bench.mutants;

import java.util.List;
import java.util.Optional;

/**
 * A slip that somebody could make.
 *
 * @param area name of the list that it is in
 * @param id its own name there
 * @param promise what no longer holds with it
 * @param file end of the path of a main source file; exactly one has it
 * @param text what is replaced; exactly once in the file
 * @param tests classes or {@code Class#method}, by the end of their qualified name, with {@code /}
 * @param survives why no test can see it, or where else it is caught; empty for one that must be killed
 */
record Mutant(
        String area,
        String id,
        String promise,
        String file,
        String text,
        String replacement,
        List<String> tests,
        Optional<String> survives) {
    Mutant {
        tests = List.copyOf(tests);
    }

    String name() {
        return area + "/" + id;
    }

    /** Simple name of the class. */
    String className() {
        return file.substring(file.lastIndexOf('/') + 1).replace(".java", "");
    }
}
