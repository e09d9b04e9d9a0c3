package dev.holdfast.control;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How much memory there is for models, as Linux tells it. What cannot be read sets no limit. All in bytes; stateless.
 *
 * <pre>
 * /proc/meminfo                            MemTotal of the machine, proc(5)
 * /proc/self/cgroup                        the groups of this process, cgroups(7)
 * /sys/fs/cgroup/GROUP/memory.max          version 2; a group is within the limits of all groups above it
 * /sys/fs/cgroup/memory/GROUP/memory.limit_in_bytes      version 1
 * </pre>
 */
public final class MemoryBudget {
    private static final int MAX_BYTES = 64 * 1024;
    private static final Pattern TOTAL = Pattern.compile("(?m)^MemTotal:\\s+([0-9]{1,15}) kB$");
    private static final Pattern NUMBER = Pattern.compile("[0-9]{1,18}");

    private final Path proc;
    private final Path groups;

    /** The files of a system below other roots than {@code /proc} and {@code /sys/fs/cgroup}. */
    MemoryBudget(Path proc, Path groups) {
        this.proc = proc;
        this.groups = groups;
    }

    private static MemoryBudget system() {
        return new MemoryBudget(Path.of("/proc"), Path.of("/sys/fs/cgroup"));
    }

    /** Memory of the machine. */
    public static long machineBytes() {
        return system().machine();
    }

    /** Memory that this process may have: that of the machine, or less where a control group says so. */
    public static long processBytes() {
        return system().process();
    }

    /** What models may take of {@code bytes} where nobody configured it: three quarters. The rest is for programs and the system. */
    public static long defaultOf(long bytes) {
        return bytes / 4 * 3;
    }

    long machine() {
        return read(proc.resolve("meminfo"))
                .map(TOTAL::matcher)
                .filter(Matcher::find)
                .map(found -> Long.parseLong(found.group(1)) * 1024)
                .orElse(Long.MAX_VALUE);
    }

    long process() {
        long least = machine();
        for (String line : read(proc.resolve("self/cgroup")).orElse("").lines().toList()) {
            // hierarchy-ID:controller-list:path; version 2 has no controllers here.
            String[] parts = line.split(":", 3);
            if (parts.length == 3 && parts[1].isEmpty()) {
                least = Math.min(least, limit(groups, parts[2], "memory.max"));
            } else if (parts.length == 3 && ("," + parts[1] + ",").contains(",memory,")) {
                least = Math.min(least, limit(groups.resolve("memory"), parts[2], "memory.limit_in_bytes"));
            }
        }
        return least;
    }

    /** The least limit on the way from a group up to the root. */
    private static long limit(Path root, String group, String file) {
        long least = Long.MAX_VALUE;
        Path at = root.resolve(group.replaceFirst("^/+", "")).normalize();
        while (at != null && at.startsWith(root)) {
            least = Math.min(least, number(at.resolve(file)));
            at = at.getParent();
        }
        return least;
    }

    /** {@code max}, and whatever else is not a number, is no limit. */
    private static long number(Path file) {
        return read(file)
                .map(String::strip)
                .filter(text -> NUMBER.matcher(text).matches())
                .map(Long::parseLong)
                .orElse(Long.MAX_VALUE);
    }

    private static Optional<String> read(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return Optional.of(new String(in.readNBytes(MAX_BYTES), StandardCharsets.US_ASCII));
        } catch (IOException e) {
            return Optional.empty();
        }
    }
}
