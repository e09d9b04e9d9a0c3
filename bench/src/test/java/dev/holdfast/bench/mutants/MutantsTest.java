package dev.holdfast.bench.mutants;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The tests fail when a promise is broken. */
class MutantsTest {
    private static final Path ROOT = Path.of("..");
    private static final Path LISTS = ROOT.resolve("bench/mutants");
    /** A list that shrinks no longer shows much. */
    private static final int LEAST = 200;

    private static Mutant mutant(String file, String text, String... tests) {
        return new Mutant("list", "one", "a promise", file, text, text + ";", List.of(tests), Optional.empty());
    }

    private static void assertHolds(MutantReport report, boolean all) {
        System.out.println(report.text());
        assertThat(report.faults(all)).isEmpty();
    }

    @Test
    void aTenthOfTheSlipsIsCaught() throws Exception {
        List<Mutant> some = Mutants.tenth(MutantList.readAll(LISTS), Mutants.today());
        assertHolds(new Mutants(ROOT, Path.of("target/mutants")).run(some), false);
    }

    /** Of all lists, or of those that {@code -Dholdfast.mutants} names, or of single ones of them. */
    @Test
    @Tag("soak")
    void everySlipIsCaught() throws Exception {
        String names = System.getProperty("holdfast.mutants", "");
        List<String> some = names.isBlank() ? List.of() : List.of(names.strip().split(" +"));
        List<Mutant> chosen = Mutants.chosen(MutantList.readAll(LISTS), some);
        assertHolds(new Mutants(ROOT, Path.of("target/mutants")).run(chosen), some.isEmpty());
    }

    @Test
    void theListsFitTheCodeAndTenDaysTryAllOfThem() throws Exception {
        List<Mutant> all = MutantList.readAll(LISTS);
        assertThat(all).hasSizeGreaterThanOrEqualTo(LEAST);
        BuildTree tree = new BuildTree(ROOT);
        MutantCompiler compiler = new MutantCompiler(tree);
        for (Mutant mutant : all) {
            compiler.changed(mutant);
            mutant.tests().forEach(tree::test);
        }
        Set<Mutant> tried = new HashSet<>();
        LocalDate day = LocalDate.parse("2026-12-01");
        for (int i = 0; i < 10; i++) {
            tried.addAll(Mutants.tenth(all, day.plusDays(i)));
        }
        assertThat(tried).hasSameSizeAs(all);
    }

    @Test
    void aListThatNoLongerFitsIsAnError() throws Exception {
        MutantCompiler compiler = new MutantCompiler(new BuildTree(ROOT));
        assertThatThrownBy(() -> compiler.changed(mutant("wire/Sha256.java", "no such text")))
                .hasMessageContaining("not in wire/Sha256.java");
        assertThatThrownBy(() -> compiler.changed(mutant("wire/Sha256.java", "return")))
                .hasMessageContaining("more than once");
        assertThatThrownBy(() -> compiler.changed(mutant("NoSuch.java", "x"))).hasMessageContaining("0 files");
        assertThatThrownBy(() -> compiler.compile(
                        mutant("wire/Sha256.java", "public record Sha256("), Path.of("target/mutants/broken")))
                .hasMessageContaining("does not compile");
        assertThatThrownBy(() -> new Mutants(ROOT, Path.of("target/mutants"))
                        .run(List.of(mutant(
                                "wire/Sha256.java", "public static final int BYTES = 32;", "wire/JsonTest#noSuch"))))
                .hasMessageContaining("has no test that runs");
    }

    @Test
    void whatIsNotOfTheFormIsAnError() {
        List<String> right = List.of("# about", "", "== a", "promise: p", "file: f", "tests: T", "---", "x", "+++", "");
        assertThat(MutantList.read("list", right))
                .singleElement()
                .extracting(Mutant::name, Mutant::text, Mutant::replacement)
                .containsExactly("list/a", "x", "");
        for (int left = 2; left < right.size() - 1; left++) {
            List<String> wrong = new ArrayList<>(right);
            wrong.remove(left);
            assertThatThrownBy(() -> MutantList.read("list", wrong)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    /** A slip that nothing looks at survives, and so the run fails; one that is caught does not. */
    @Test
    void aSlipThatNoTestSeesIsAFault() throws Exception {
        Mutant seen = new Mutant(
                "list",
                "seen",
                "a hash has 32 bytes",
                "wire/Sha256.java",
                "if (value.length() != BYTES) {",
                "if (value.length() == BYTES) {",
                List.of("wire/CanonicalJsonTest", "wire/BinaryTest"),
                Optional.empty());
        Mutant unseen = new Mutant(
                "list",
                "unseen",
                "nobody looks",
                "wire/Sha256.java",
                "\"a SHA-256 has 64 hexadecimal digits\"",
                "\"\"",
                List.of("wire/JsonTest"),
                Optional.empty());
        MutantReport report = new Mutants(ROOT, Path.of("target/mutants")).run(List.of(seen, unseen));
        assertThat(report.outcomes())
                .isEqualTo(Map.of(seen, MutantReport.Outcome.KILLED, unseen, MutantReport.Outcome.SURVIVED));
        assertThat(report.faults(false)).singleElement().asString().contains("list/unseen survives");
        assertThat(report.faults(true)).hasSize(2);
        assertThat(report.text()).contains("NO TEST FAILS");
    }
}
