package dev.holdfast.storage;

import dev.holdfast.storage.CrashDisk.Loss;
import dev.holdfast.storage.CrashDisk.Moment;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Cuts the power around every operation that a program makes on the disk, as the program itself lists them, and counts what
 * it survived. One for each test class; {@link #print} when all its scenarios are through. Scenarios may run at the same time, each
 * in a directory of its own ({@link #in}).
 */
public final class CutMatrix {
    /** How a process ended. */
    public enum End {
        /** The process alone, as by kill -9: the machine, its boot and what the kernel had in memory live on. */
        KILL,
        POWER
    }

    /** What is interrupted, on a disk that is put back before each trial. */
    public interface Scenario {
        void restore() throws Exception;

        /**
         * A process from its start to its end. Lets {@link CrashDisk.Killed} through and keeps in mind what was acknowledged
         * before it; goes on where an operation of the disk failed.
         */
        void run(Disk disk) throws Exception;

        /** Starts again and asserts that nothing is lost that was acknowledged, and that the work comes to its end. */
        void comesBack(End end) throws Exception;
    }

    private interface Trial {
        void run() throws Exception;
    }

    private static final int ENOUGH_FAILURES = 40;

    private final String of;
    private final Path root;
    private final Map<String, int[]> tally;
    private List<String> failures = new ArrayList<>();

    /** @param root the directory that {@link CrashDisk} models */
    public CutMatrix(String of, Path root) {
        this(of, root, new TreeMap<>());
    }

    private CutMatrix(String of, Path root, Map<String, int[]> tally) {
        this.of = of;
        this.root = root;
        this.tally = tally;
    }

    /** The same one, which counts for this one, too, on another directory. */
    public CutMatrix in(Path other) {
        return new CutMatrix(of, other, tally);
    }

    /** A directory for the files; the platter is modelled, so it may be where fsync costs nothing. */
    public static Path directory() throws IOException {
        Path memory = Path.of("/dev/shm");
        return Files.isWritable(memory)
                ? Files.createTempDirectory(memory, "holdfast-cut-")
                : Files.createTempDirectory("holdfast-cut-");
    }

    /** Deletes all that is in {@code directory}, and what was made in it. */
    public static void clear(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            return;
        }
        try (Stream<Path> walk = Files.walk(directory)) {
            for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
                if (!path.equals(directory)) {
                    Files.delete(path);
                }
            }
        }
    }

    /** Ends the process at each moment of each operation, and cuts the power after each with every loss. */
    public void everyOperation(String name, Scenario scenario) throws Exception {
        List<String> operations = operations(scenario);
        require(operations.size() > 3, "there are operations to interrupt");
        for (int at = 0; at < operations.size(); at++) {
            int number = at;
            String where = name + " at " + at + ", " + operations.get(at);
            for (Moment moment : Moment.values()) {
                if (moment != Moment.AMID || operations.get(at).startsWith("write")) {
                    trial(name + " " + moment, where + ", " + moment, () -> {
                        scenario.restore();
                        crash(scenario, number, moment);
                        scenario.comesBack(End.KILL);
                    });
                }
            }
            for (Loss loss : Loss.values()) {
                Random random = new Random(31L * at + loss.ordinal());
                trial(name + " power, lost " + loss, where + ", power, " + loss, () -> {
                    scenario.restore();
                    crash(scenario, number, Moment.AFTER).cutPower(loss, random);
                    scenario.comesBack(End.POWER);
                });
            }
            // An operation failed, the process went on, and only then the power went: what it said meanwhile holds.
            trial(name + " ERROR, then power", where + ", ERROR, then power", () -> {
                scenario.restore();
                crash(scenario, number, Moment.ERROR).cutPower(Loss.ALL, new Random(0));
                scenario.comesBack(End.POWER);
            });
        }
        report();
    }

    /** The power goes, and goes again while the program recovers. */
    public void twice(String name, int times, Scenario scenario) throws Exception {
        int count = operations(scenario).size();
        Random random = new Random(7);
        for (int i = 0; i < times; i++) {
            int first = random.nextInt(count);
            int second = random.nextInt(count);
            Loss loss = Loss.values()[random.nextInt(Loss.values().length)];
            Random pages = new Random(i);
            trial(name + " power, twice", name + " cut at " + first + ", then at " + second + ", " + loss, () -> {
                scenario.restore();
                crash(scenario, first, Moment.AFTER).cutPower(loss, pages);
                CrashDisk disk = new CrashDisk(root, second, Moment.AFTER);
                end(scenario, disk).ifPresent(CutMatrix::raise);
                disk.cutPower(loss, pages);
                scenario.comesBack(End.POWER);
            });
        }
        report();
    }

    /** How many were tried and survived, a line for each way to end and one for all. */
    public void print() {
        int tried = 0;
        int survived = 0;
        for (Map.Entry<String, int[]> line : tally.entrySet()) {
            line(line.getKey(), line.getValue()[0], line.getValue()[1]);
            tried += line.getValue()[0];
            survived += line.getValue()[1];
        }
        line("all", tried, survived);
    }

    private void line(String group, int tried, int survived) {
        System.out.printf("power-cut matrix of %s: %-40s tried %5d, survived %5d%n", of, group, tried, survived);
    }

    private List<String> operations(Scenario scenario) throws Exception {
        scenario.restore();
        CrashDisk disk = new CrashDisk(root, -1, Moment.BEFORE);
        scenario.run(disk);
        return disk.operations;
    }

    private CrashDisk crash(Scenario scenario, int at, Moment moment) throws Exception {
        CrashDisk disk = new CrashDisk(root, at, moment);
        Optional<Exception> failure = end(scenario, disk);
        require(disk.fired, "the operation is reached");
        // Only a failing disk fails.
        if (failure.isPresent() && moment != Moment.ERROR) {
            throw failure.get();
        }
        return disk;
    }

    private static Optional<Exception> end(Scenario scenario, CrashDisk disk) {
        try {
            scenario.run(disk);
            return Optional.empty();
        } catch (CrashDisk.Killed e) {
            return Optional.empty();
        } catch (Exception e) {
            return Optional.of(e);
        }
    }

    private static void raise(Exception failure) {
        throw new AssertionError(failure);
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError("not so: " + what);
        }
    }

    private void trial(String group, String name, Trial trial) {
        count(group, 0);
        try {
            trial.run();
            count(group, 1);
        } catch (Exception | AssertionError e) {
            failures.add(name + ": " + e);
        }
    }

    private void count(String group, int column) {
        synchronized (tally) {
            tally.computeIfAbsent(group, g -> new int[2])[column]++;
        }
    }

    private void report() {
        List<String> all = failures;
        failures = new ArrayList<>();
        if (!all.isEmpty()) {
            throw new AssertionError(all.size() + " failed:\n"
                    + String.join("\n", all.subList(0, Math.min(all.size(), ENOUGH_FAILURES))));
        }
    }
}
