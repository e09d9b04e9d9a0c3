package dev.holdfast.bench;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/** General-purpose delta tools, as Debian ships them, at their strongest setting. */
enum DeltaPeer {
    BSDIFF("bsdiff", "bspatch") {
        @Override
        List<String> create(String base, String next, String patch) {
            return List.of("bsdiff", base, next, patch);
        }

        @Override
        List<String> apply(String base, String patch, String made) {
            return List.of("bspatch", base, made, patch);
        }
    },
    XDELTA("xdelta3", "xdelta3") {
        @Override
        List<String> create(String base, String next, String patch) {
            return List.of("xdelta3", "-e", "-9", "-f", "-B", "268435456", "-s", base, next, patch);
        }

        @Override
        List<String> apply(String base, String patch, String made) {
            return List.of("xdelta3", "-d", "-f", "-B", "268435456", "-s", base, patch, made);
        }
    },
    ZSTD("zstd", "zstd") {
        @Override
        List<String> create(String base, String next, String patch) {
            return List.of("zstd", "-q", "-f", "-19", "--long=27", "--patch-from=" + base, next, "-o", patch);
        }

        @Override
        List<String> apply(String base, String patch, String made) {
            return List.of("zstd", "-q", "-f", "-d", "--long=27", "--patch-from=" + base, patch, "-o", made);
        }
    };

    private static final int LIMIT_MINUTES = 15;

    final String tool;
    private final String applier;

    DeltaPeer(String tool, String applier) {
        this.tool = tool;
        this.applier = applier;
    }

    abstract List<String> create(String base, String next, String patch);

    abstract List<String> apply(String base, String patch, String made);

    boolean isInstalled() {
        return List.of(tool, applier).stream()
                .allMatch(program -> Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
                        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program))));
    }

    /** The patch's length; empty where the tool failed, took too long, or did not make the same file again. */
    OptionalLong measure(Path base, Path next, Path dir) throws IOException, InterruptedException {
        Path patch = dir.resolve(tool + ".patch");
        Path made = dir.resolve(tool + ".made");
        boolean well = run(create(base.toString(), next.toString(), patch.toString()))
                && run(apply(base.toString(), patch.toString(), made.toString()))
                && Files.mismatch(next, made) < 0;
        return well ? OptionalLong.of(Files.size(patch)) : OptionalLong.empty();
    }

    /** Seconds that applying the patch of {@link #measure} takes, process start included. */
    double applySeconds(Path base, Path dir) throws IOException, InterruptedException {
        long start = System.nanoTime();
        run(apply(
                base.toString(),
                dir.resolve(tool + ".patch").toString(),
                dir.resolve(tool + ".made").toString()));
        return (System.nanoTime() - start) / 1e9;
    }

    private static boolean run(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        if (!process.waitFor(LIMIT_MINUTES, TimeUnit.MINUTES)) {
            process.destroyForcibly();
            return false;
        }
        return process.exitValue() == 0;
    }
}
