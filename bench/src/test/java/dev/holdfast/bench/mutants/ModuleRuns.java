package dev.holdfast.bench.mutants;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** All slips whose tests are in one module, one after the other. First the tests must pass without any. One thread. */
final class ModuleRuns {
    /** Beyond five times what the tests take without the slip. */
    private static final long GRACE_SECONDS = 45;

    private static final long REFERENCE_SECONDS = 900;
    /** What tests leave in a process, it does not keep for long. */
    private static final int JOBS_OF_A_PROCESS = 25;

    private final BuildTree tree;
    private final MutantCompiler compiler;
    private final Path folder;
    private final Path module;
    private @Nullable TestChild child;
    private int jobs;
    private int processes;

    ModuleRuns(BuildTree tree, Path folder, Path module) {
        this.tree = tree;
        this.compiler = new MutantCompiler(tree);
        this.folder = folder;
        this.module = module;
    }

    /** {@link IllegalArgumentException} where a list no longer fits the code, or the tests do not pass without any slip. */
    Map<Mutant, MutantReport.Outcome> run(List<Mutant> mutants) throws IOException, InterruptedException {
        try {
            Map<String, TestChild.Result> reference = reference(mutants);
            Map<Mutant, MutantReport.Outcome> outcomes = new LinkedHashMap<>();
            for (Mutant mutant : mutants) {
                outcomes.put(mutant, tried(mutant, reference));
            }
            return outcomes;
        } finally {
            if (child != null) {
                child.close();
            }
        }
    }

    private TestChild.Run job(Optional<Path> first, List<BuildTree.Test> tests, long seconds)
            throws IOException, InterruptedException {
        TestChild process = child;
        if (process == null || jobs >= JOBS_OF_A_PROCESS) {
            if (process != null) {
                process.close();
            }
            String name = tree.root().relativize(module).toString().replace('/', '-') + "-" + ++processes + ".log";
            process = new TestChild(tree, module, folder.resolve(name));
            child = process;
            jobs = 0;
        }
        jobs++;
        TestChild.Run run = process.run(first, tests, seconds);
        if (run.end() != TestChild.End.DONE) {
            process.close();
            child = null;
        }
        return run;
    }

    private List<BuildTree.Test> tests(Mutant mutant) {
        return mutant.tests().stream().map(tree::test).toList();
    }

    /** Each test without a slip, once. */
    private Map<String, TestChild.Result> reference(List<Mutant> mutants) throws IOException, InterruptedException {
        Set<BuildTree.Test> tests = new LinkedHashSet<>();
        mutants.forEach(mutant -> tests.addAll(tests(mutant)));
        TestChild.Run run = job(Optional.empty(), List.copyOf(tests), REFERENCE_SECONDS);
        Map<String, TestChild.Result> results = new LinkedHashMap<>();
        for (TestChild.Result result : run.results()) {
            if (result.failed().isPresent()) {
                throw new IllegalArgumentException(
                        result.failed().get() + " fails without any slip; " + folder + " has what it printed");
            }
            if (result.passed() == 0 && result.skipped() == 0) {
                throw new IllegalArgumentException(result.selector() + " has no test that runs");
            }
            results.put(result.selector(), result);
        }
        if (run.end() != TestChild.End.DONE) {
            throw new IllegalArgumentException("the tests of " + module + " do not end without any slip");
        }
        return results;
    }

    private MutantReport.Outcome tried(Mutant mutant, Map<String, TestChild.Result> reference)
            throws IOException, InterruptedException {
        List<BuildTree.Test> tests = tests(mutant);
        long millis = 0;
        long passing = 0;
        for (BuildTree.Test test : tests) {
            TestChild.Result result = reference.get(test.selector());
            passing += result == null ? 0 : result.passed();
            millis += result == null ? 0 : result.millis();
        }
        if (passing == 0) {
            return MutantReport.Outcome.LEFT_OUT;
        }
        Path classes = folder.resolve("classes").resolve(mutant.name());
        compiler.compile(mutant, classes);
        TestChild.Run run = job(Optional.of(classes), tests, GRACE_SECONDS + 5 * millis / 1000);
        MutantReport.Outcome outcome = switch (run.end()) {
            case LATE -> MutantReport.Outcome.KILLED_BY_TIME;
            // By memory, for example: the tests end with their process.
            case GONE -> MutantReport.Outcome.KILLED;
            case DONE ->
                run.results().getLast().failed().isPresent()
                        ? MutantReport.Outcome.KILLED
                        : MutantReport.Outcome.SURVIVED;
        };
        System.out.println(outcome + " " + mutant.name()
                + (outcome == MutantReport.Outcome.KILLED && !run.results().isEmpty()
                        ? " " + run.results().getLast().failed().orElse("")
                        : ""));
        return outcome;
    }
}
