package dev.holdfast.control;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A process of its own, one of whose threads ends by an Error. */
class UncaughtExceptionsTest {
    /** The daemon: a thread that dies, and a main thread that would wait for ever. */
    static final class Daemon {
        private Daemon() {}

        public static void main(String[] args) throws Exception {
            UncaughtExceptions.endTheProcessFor(List.of("vital-"));
            Thread dying = Thread.ofPlatform().name(args[0]).daemon().unstarted(() -> {
                throw new AssertionError("as thrown");
            });
            dying.start();
            dying.join();
            if (args[0].startsWith("vital-")) {
                Shutdown.await(() -> System.out.println("closed"));
            }
        }
    }

    @Test
    void theProcessEndsWithAThreadThatHasToLive() throws Exception {
        Ran ran = run("vital-work");
        assertThat(ran.output)
                .contains("thread vital-work ended")
                .contains("as thrown")
                .contains("code 70");
        assertThat(ran.status).isEqualTo(UncaughtExceptions.EX_SOFTWARE);
    }

    @Test
    void ofAnyOtherThreadItIsOnlySaid() throws Exception {
        Ran ran = run("a-job");
        assertThat(ran.output)
                .contains("thread a-job ended")
                .contains("as thrown")
                .doesNotContain("code 70");
        assertThat(ran.status).isZero();
    }

    private record Ran(int status, String output) {}

    private static Ran run(String thread) throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Daemon.class.getName(),
                        thread)
                .redirectErrorStream(true)
                .start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            return new Ran(process.exitValue(), output);
        } finally {
            process.destroyForcibly();
        }
    }
}
