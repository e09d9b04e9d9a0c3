package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class SeldomLogTest {
    @Test
    void oneLineAMinuteHoweverManyAreSaid() {
        AtomicLong nanos = new AtomicLong();
        SeldomLog log = new SeldomLog(LoggerFactory.getLogger(SeldomLogTest.class), nanos::get);
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
        assertThat(written.toString(StandardCharsets.UTF_8).lines()).hasSize(3);
    }
}
