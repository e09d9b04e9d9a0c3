package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every file that a device keeps, damaged while the device is off. It comes back serving a verified model. Where its
 * root of trust is what was damaged, its agent says so in one coded line and does not start; inference serves all the same.
 */
class DamagedFilesTest {
    private static final Duration LIMIT = Duration.ofSeconds(120);

    /** One of so many files in every run, with each kind of damage in turn. */
    private static final int SAMPLED = 3;

    /** Where one of these is damaged, the device has another root of trust, or none: only a person can say that this is right. */
    private static final Set<Path> ROOT_OF_TRUST = Set.of(Path.of("tee/keyset.json"), Path.of("tee/state"));

    @TempDir
    static Path dir;

    private static Stack rest;

    @BeforeAll
    static void aDeviceServesVersionTwoAfterOne() throws Exception {
        rest = Stack.prepare(dir.resolve("rest"), false);
        rest.startBroker();
        rest.startFleet();
        rest.startInference();
        rest.startAgent();
        for (String version : List.of("1.0.0", "2.0.0")) {
            rest.desire(version);
            rest.awaitCommitted(version);
        }
        rest.stop("agent");
        rest.stop("inference");
    }

    @AfterAll
    static void stop() {
        if (rest != null) {
            rest.close();
        }
    }

    @TestFactory
    List<DynamicTest> aDamagedFileCostsNoService() throws Exception {
        return damaged(number -> number % SAMPLED == 0);
    }

    @TestFactory
    @Tag("full")
    List<DynamicTest> anyDamagedFileCostsNoService() throws Exception {
        return damaged(number -> number % SAMPLED != 0);
    }

    private static List<DynamicTest> damaged(IntPredicate chosen) throws Exception {
        Path device = rest.dir.resolve("device");
        List<Path> files;
        try (var all = Files.walk(device)) {
            files = all.filter(Files::isRegularFile)
                    .sorted()
                    .map(device::relativize)
                    .toList();
        }
        assertThat(files).hasSizeGreaterThan(8);
        List<DynamicTest> tests = new ArrayList<>();
        for (int i = 0; i < files.size(); i++) {
            Path file = files.get(i);
            Damage damage = Damage.values()[i % Damage.values().length];
            String name = "case-" + i;
            if (chosen.test(i)) {
                tests.add(DynamicTest.dynamicTest(file + " " + damage, () -> comesBack(name, file, damage)));
            }
        }
        return tests;
    }

    private static void comesBack(String name, Path file, Damage damage) throws Exception {
        try (Stack stack = rest.copyTo(dir.resolve(name))) {
            damage.inflict(stack.dir.resolve("device").resolve(file));
            stack.startInference();
            stack.startAgent();
            boolean runs = !ROOT_OF_TRUST.contains(file);
            Tools.until(
                    LIMIT,
                    "a verified model serves, and the agent " + (runs ? "runs" : "has ended"),
                    () -> stack.serves().matches("intent@[12]\\.0\\.0")
                            && (runs
                                    ? agentRuns(stack)
                                    : !stack.process("agent").isAlive()));
            assertThat(stack.process("agent").isAlive()).isEqualTo(runs);
            if (!runs) {
                assertThat(stack.log("agent"))
                        .as("the agent's last word")
                        .containsPattern("TEE-STATE: .*then holdfast provision --again");
            }
            stack.assertNoTraces();
        }
    }

    private static boolean agentRuns(Stack stack) throws Exception {
        return stack.status().path("state").asText().equals("idle");
    }

    private enum Damage {
        CUT {
            @Override
            byte[] of(byte[] good) {
                return Arrays.copyOf(good, good.length / 2);
            }
        },
        BIT_FLIPPED {
            @Override
            byte[] of(byte[] good) {
                byte[] bad = good.clone();
                bad[bad.length / 2] ^= 4;
                return bad;
            }
        },
        GARBAGE {
            @Override
            byte[] of(byte[] good) {
                byte[] bad = new byte[good.length + 100];
                new Random(good.length).nextBytes(bad);
                return bad;
            }
        },
        EMPTY {
            @Override
            byte[] of(byte[] good) {
                return new byte[0];
            }
        };

        abstract byte[] of(byte[] good);

        void inflict(Path file) throws Exception {
            byte[] good = Files.readAllBytes(file);
            file.toFile().setWritable(true);
            Files.write(file, good.length == 0 ? new byte[] {1} : of(good));
        }
    }
}
