package dev.holdfast.control;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryBudgetTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private MemoryBudget budget;

    @BeforeEach
    void open() throws IOException {
        budget = new MemoryBudget(folder.resolve("proc"), folder.resolve("groups"));
        write("proc/meminfo", "MemFree:  5 kB\nMemTotal:       2097152 kB\nMemAvailable: 7 kB\n");
    }

    private void write(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    @Test
    void theMachineSaysItsMemory() {
        assertThat(budget.machine()).isEqualTo(2048 * MIB);
        assertThat(budget.process()).as("no groups").isEqualTo(2048 * MIB);
    }

    @Test
    void theLeastLimitOnTheWayToTheRootCounts() throws IOException {
        write("proc/self/cgroup", "0::/system.slice/holdfast-inference.service\n");
        write("groups/system.slice/holdfast-inference.service/memory.max", "max\n");
        write("groups/system.slice/memory.max", (512 * MIB) + "\n");
        write("groups/memory.max", (900 * MIB) + "\n");
        assertThat(budget.process()).isEqualTo(512 * MIB);
        write("groups/system.slice/holdfast-inference.service/memory.max", (100 * MIB) + "\n");
        assertThat(budget.process()).isEqualTo(100 * MIB);
        write("groups/system.slice/holdfast-inference.service/memory.max", (4096 * MIB) + "\n");
        write("groups/system.slice/memory.max", "max\n");
        write("groups/memory.max", "max\n");
        assertThat(budget.process()).as("more than the machine has").isEqualTo(2048 * MIB);
    }

    @Test
    void versionOneLimitsMemoryInAHierarchyOfItsOwn() throws IOException {
        write("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/a/b\n3:cpuset:/\n0::/\n");
        write("groups/memory/a/memory.limit_in_bytes", (300 * MIB) + "\n");
        write("groups/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assertThat(budget.process()).isEqualTo(300 * MIB);
    }

    @Test
    void aGroupThatIsNotVisibleHereLeavesTheRoot() throws IOException {
        write("proc/self/cgroup", "0::/../outside\n");
        write("outside/memory.max", "5\n");
        write("groups/memory.max", (700 * MIB) + "\n");
        assertThat(budget.process()).as("never outside the root").isEqualTo(2048 * MIB);
        write("proc/self/cgroup", "0::/gone\n");
        assertThat(budget.process()).isEqualTo(700 * MIB);
    }

    @Test
    void whatDoesNotReadSetsNoLimit() throws IOException {
        write("proc/self/cgroup", "garbage\n0::\n\n::::\n0::/x\n");
        write("groups/x/memory.max", "-5\n");
        write("groups/memory.max", "99999999999999999999999\n");
        assertThat(budget.process()).isEqualTo(2048 * MIB);
        write("proc/meminfo", "MemTotal: lots kB\n");
        assertThat(budget.machine()).isEqualTo(Long.MAX_VALUE);
        Files.delete(folder.resolve("proc/meminfo"));
        assertThat(budget.process()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void thisMachineHasMemoryAndModelsGetThreeQuarters() {
        assertThat(MemoryBudget.machineBytes()).isBetween(16 * MIB, Long.MAX_VALUE - 1);
        assertThat(MemoryBudget.processBytes()).isBetween(MIB, MemoryBudget.machineBytes());
        assertThat(MemoryBudget.defaultOf(400 * MIB)).isEqualTo(300 * MIB);
        assertThat(MemoryBudget.defaultOf(Long.MAX_VALUE)).isPositive();
    }
}
