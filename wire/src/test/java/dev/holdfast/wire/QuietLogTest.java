package dev.holdfast.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class QuietLogTest {
    @Test
    void soManyLinesAMinuteHoweverManyAreSaid() {
        AtomicLong nanos = new AtomicLong();
        QuietLog log = new QuietLog(LoggerFactory.getLogger(QuietLogTest.class), 2, nanos::get);
        PrintStream before = System.err;
        ByteArrayOutputStream written = new ByteArrayOutputStream();
        System.setErr(new PrintStream(written, true, StandardCharsets.UTF_8));
        try {
            for (int i = 0; i < 3 * 60; i++) {
                log.warn("nobody answers, {}", i);
                nanos.addAndGet(Duration.ofSeconds(1).toNanos());
            }
        } finally {
            System.setErr(before);
        }
        assertThat(written.toString(StandardCharsets.UTF_8).lines().map(line -> line.replaceAll(".* - ", "")))
                .containsExactly(
                        "nobody answers, 0",
                        "nobody answers, 1",
                        "58 more warnings were left out",
                        "nobody answers, 60",
                        "nobody answers, 61",
                        "58 more warnings were left out",
                        "nobody answers, 120",
                        "nobody answers, 121");
    }
}
