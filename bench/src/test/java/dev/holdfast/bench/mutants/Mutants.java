package dev.holdfast.bench.mutants;

import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/**
 * Puts each slip of the lists into the code and sees the tests fail that are named for it. First those tests must pass without any
 * slip, or nothing would be shown. One thread; two processes with tests at a time.
 */
final class Mutants {
    private static final int AT_ONCE = 2;

    private final BuildTree tree;
    private final Path folder;

    /**
     * @param root of the tree, built with its tests
     * @param folder for changed classes and logs
     */
    Mutants(Path root, Path folder) throws IOException {
        this.tree = new BuildTree(root);
        this.folder = folder.toAbsolutePath();
    }

    /** All or some: by the name of a list, or {@code list/id}. */
    public static void main(String[] args) throws Exception {
        Path root = Path.of("..");
        List<Mutant> chosen = chosen(MutantList.readAll(root.resolve("bench/mutants")), List.of(args));
        MutantReport report = new Mutants(root, Path.of("target/mutants")).run(chosen);
        System.out.println(report.text());
        List<String> faults = report.faults(args.length == 0);
        faults.forEach(System.out::println);
        System.exit(faults.isEmpty() ? 0 : 1);
    }

    static List<Mutant> chosen(List<Mutant> all, List<String> names) {
        List<Mutant> chosen = all.stream()
                .filter(mutant -> names.isEmpty() || names.contains(mutant.area()) || names.contains(mutant.name()))
                .toList();
        if (chosen.isEmpty()) {
            throw new IllegalArgumentException("no mutant or list is named " + String.join(" ", names));
        }
        return chosen;
    }

    /** A tenth of them; ten days in a row try them all. */
    static List<Mutant> tenth(List<Mutant> all, LocalDate day) {
        return IntStream.range(0, all.size())
                .filter(i -> i % 10 == Math.floorMod(day.toEpochDay(), 10))
                .mapToObj(all::get)
                .toList();
    }

    static LocalDate today() {
        return LocalDate.now(ZoneOffset.UTC);
    }

    /** {@link IllegalArgumentException} where a list no longer fits the code, or the tests do not pass without any slip. */
    MutantReport run(List<Mutant> mutants) throws IOException, InterruptedException {
        MutantCompiler compiler = new MutantCompiler(tree);
        Map<Path, List<Mutant>> byModule = new LinkedHashMap<>();
        for (Mutant mutant : mutants) {
            compiler.changed(mutant);
            byModule.computeIfAbsent(module(mutant), module -> new ArrayList<>())
                    .add(mutant);
        }
        try (ExecutorService turns = Executors.newFixedThreadPool(AT_ONCE)) {
            List<Future<Map<Mutant, MutantReport.Outcome>>> runs = new ArrayList<>();
            byModule.forEach(
                    (module, some) -> runs.add(turns.submit(() -> new ModuleRuns(tree, folder, module).run(some))));
            Map<Mutant, MutantReport.Outcome> outcomes = new LinkedHashMap<>();
            for (Future<Map<Mutant, MutantReport.Outcome>> run : runs) {
                outcomes.putAll(done(run));
            }
            return new MutantReport(outcomes);
        }
    }

    /** The module that has the tests of a slip. */
    private Path module(Mutant mutant) {
        List<Path> modules = mutant.tests().stream()
                .map(name -> tree.test(name).module())
                .distinct()
                .toList();
        if (modules.size() != 1) {
            throw new IllegalArgumentException(mutant.name() + " has tests in several modules");
        }
        return modules.getFirst();
    }

    private static <T> T done(Future<T> future) throws InterruptedException, IOException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException cause) {
                throw cause;
            }
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e);
        }
    }
}
