package dev.holdfast.bench.mutants;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What became of each slip. */
record MutantReport(Map<Mutant, Outcome> outcomes) {
    static final int GOAL_PERCENT = 95;

    enum Outcome {
        KILLED,
        /** The tests did not end in time with it. */
        KILLED_BY_TIME,
        SURVIVED,
        /** What its tests need is not on this machine. */
        LEFT_OUT
    }

    private List<Mutant> of(Outcome... wanted) {
        return outcomes.entrySet().stream()
                .filter(entry -> List.of(wanted).contains(entry.getValue()))
                .map(Map.Entry::getKey)
                .toList();
    }

    int tried() {
        return outcomes.size() - of(Outcome.LEFT_OUT).size();
    }

    int killed() {
        return of(Outcome.KILLED, Outcome.KILLED_BY_TIME).size();
    }

    /** Tried and killed by class; the survivors, each with its reason. */
    String text() {
        Map<String, int[]> classes = new TreeMap<>();
        outcomes.forEach((mutant, outcome) -> {
            if (outcome != Outcome.LEFT_OUT) {
                int[] counts = classes.computeIfAbsent(mutant.className(), name -> new int[2]);
                counts[0]++;
                counts[1] += outcome == Outcome.SURVIVED ? 0 : 1;
            }
        });
        List<String> lines = new ArrayList<>();
        lines.add("%-28s%7s%8s".formatted("class", "tried", "killed"));
        classes.forEach((name, counts) -> lines.add("%-28s%7d%8d".formatted(name, counts[0], counts[1])));
        lines.add("%-28s%7d%8d%8.1f %%".formatted("all", tried(), killed(), 100.0 * killed() / Math.max(1, tried())));
        listed(lines, "survived:", Outcome.SURVIVED);
        listed(lines, "killed by the time limit:", Outcome.KILLED_BY_TIME);
        listed(lines, "left out, as their tests are skipped here:", Outcome.LEFT_OUT);
        return String.join("\n", lines);
    }

    private void listed(List<String> lines, String title, Outcome outcome) {
        List<Mutant> mutants = of(outcome);
        if (!mutants.isEmpty()) {
            lines.add(title);
        }
        for (Mutant mutant : mutants) {
            String why = outcome == Outcome.SURVIVED ? mutant.survives().orElse("NO TEST FAILS") : mutant.promise();
            lines.add("  " + mutant.name() + " (" + mutant.className() + "): " + why);
        }
    }

    /** @param all whether these are all, of which the share that is killed counts */
    List<String> faults(boolean all) {
        List<String> faults = new ArrayList<>();
        for (Mutant mutant : of(Outcome.SURVIVED)) {
            if (mutant.survives().isEmpty()) {
                faults.add(mutant.name() + " survives, and its list gives no reason: no test holds \""
                        + mutant.promise() + "\"");
            }
        }
        for (Mutant mutant : of(Outcome.KILLED, Outcome.KILLED_BY_TIME)) {
            if (mutant.survives().isPresent()) {
                faults.add(mutant.name() + " is killed, and its list gives a reason why it survives");
            }
        }
        if (all && killed() * 100 < GOAL_PERCENT * tried()) {
            faults.add(killed() + " of " + tried() + " are killed, less than " + GOAL_PERCENT + " %");
        }
        if ("true".equals(System.getenv("CI"))) {
            of(Outcome.LEFT_OUT).forEach(mutant -> faults.add(mutant.name() + " was not tried: its tests are skipped"));
        }
        return faults;
    }
}
