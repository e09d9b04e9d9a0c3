package dev.holdfast.engine.kernels;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * {@link KernelsTest} in JVMs of other vector lengths. The JVM caps {@code MaxVectorSize} at what the machine has; the last row
 * therefore asks for 512 bits by name, which the JVM then computes lane by lane where the machine is too short.
 */
class KernelWidthsTest {
    private static final int TIMEOUT_SECONDS = 120;
    private static final String REPORT = "kernels ran with vectors of ";

    /** @param least bits that every machine can give */
    @ParameterizedTest
    @CsvSource({
        "-XX:MaxVectorSize=16, 128, 128",
        "-XX:MaxVectorSize=32, 128, 256",
        "-XX:MaxVectorSize=64, 128, 512",
        "-Dholdfast.vector-bits=512, 512, 512"
    })
    void kernelsAgreeWithTheirScalarTwin(String option, int least, int most) throws Exception {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process child = new ProcessBuilder(
                        java,
                        option,
                        "-Xmx512m",
                        "--add-modules",
                        "jdk.incubator.vector",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Child.class.getName())
                .redirectErrorStream(true)
                .start();
        String output = new String(child.getInputStream().readAllBytes(), UTF_8);
        assertThat(child.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(child.exitValue()).as(output).isZero();
        String report =
                output.lines().filter(l -> l.startsWith(REPORT)).findFirst().orElseThrow();
        int bits = Integer.parseInt(report.substring(REPORT.length()).split(" ")[0]);
        System.out.println(option + ": " + report + (bits < most ? "; the machine has no longer ones" : ""));
        assertThat(bits).isBetween(least, most);
    }

    /** What such a JVM runs; ends with 1 when a test failed. */
    static final class Child {
        private Child() {}

        public static void main(String[] none) {
            SummaryGeneratingListener listener = new SummaryGeneratingListener();
            LauncherFactory.create()
                    .execute(
                            LauncherDiscoveryRequestBuilder.request()
                                    .selectors(List.of(selectClass(KernelsTest.class)))
                                    .build(),
                            listener);
            TestExecutionSummary summary = listener.getSummary();
            summary.printFailuresTo(new PrintWriter(System.out, true, UTF_8), 5);
            System.out.println(REPORT + VectorKernels.shape().vectorBitSize() + " bits; "
                    + summary.getTestsSucceededCount() + " tests passed, " + summary.getTestsFailedCount() + " failed");
            System.exit(summary.getTestsSucceededCount() > 0 && summary.getTotalFailureCount() == 0 ? 0 : 1);
        }
    }
}
