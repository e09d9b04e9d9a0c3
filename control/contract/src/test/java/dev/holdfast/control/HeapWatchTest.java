package dev.holdfast.control;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The heap of a process with the collector and the nursery of the package, through which a flood goes. */
class HeapWatchTest {
    private static final int MIB = 1 << 20;

    /** What requests leave behind: pieces that live for a while, and are nobody's afterwards. */
    static final class Flood {
        private static final int PIECE_BYTES = 16 * 1024;
        private static final int ALIVE = 1024;
        private static final int PIECES = 64 * 1024;

        public static void main(String[] args) {
            HeapWatch watch = new HeapWatch(96);
            byte[][] alive = new byte[ALIVE][];
            long most = 0;
            for (int i = 0; i < PIECES; i++) {
                alive[i % ALIVE] = new byte[PIECE_BYTES];
                if (i % ALIVE == 0) {
                    most = Math.max(most, Runtime.getRuntime().totalMemory());
                    if (Boolean.parseBoolean(args[0])) {
                        watch.look();
                    }
                }
            }
            System.out.println(most / MIB);
        }
    }

    private static int mostMib(boolean watched) throws Exception {
        Path options = Path.of("..", "..", "systemd", "jvm");
        Process process = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "@" + options.resolve("common.options"),
                        "@" + options.resolve("inference.options"),
                        "-Xmx1g",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Flood.class.getName(),
                        String.valueOf(watched)))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(process.waitFor()).isZero();
        return Integer.parseInt(said);
    }

    @Test
    void aGigabyteThatGoesThroughLeavesItSmall() throws Exception {
        assertThat(mostMib(false)).as("what the collector takes by itself").isGreaterThan(500);
        assertThat(mostMib(true)).isLessThan(250);
    }
}
