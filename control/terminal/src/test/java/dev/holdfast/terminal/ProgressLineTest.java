package dev.holdfast.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ProgressLineTest {
    private static final long MIB = 1 << 20;
    private static final Terminal SCREEN = new Terminal(true, 100, false, false);

    private final ByteArrayOutputStream written = new ByteArrayOutputStream();
    private long nanos = 5;

    private ProgressLine line(Terminal terminal) {
        return new ProgressLine(
                new PrintStream(written, true, StandardCharsets.UTF_8), terminal, "download", () -> nanos);
    }

    private List<String> drawn() {
        return Arrays.stream(written.toString(StandardCharsets.UTF_8).split("[\r\n]+"))
                .filter(one -> !one.isBlank())
                .toList();
    }

    private void run(ProgressLine line, long from, long total, long perSecond, int steps) {
        for (int i = 0; i <= steps; i++) {
            line.at(from + i * perSecond / 4, total);
            nanos += 250_000_000;
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {7, 138, 1000, 12_000})
    void columnsKeepTheirPlaces(long mebibytes) {
        long total = mebibytes * MIB;
        try (ProgressLine line = line(SCREEN)) {
            run(line, 0, total, total / 300, 200);
            run(line, total / 6, total, total / 6, 20);
        }
        List<String> lines = drawn();
        assertThat(lines).hasSizeGreaterThan(100);
        assertThat(lines.stream().map(String::length).distinct())
                .as("one width")
                .hasSize(1);
        assertThat(lines.stream().map(one -> one.indexOf(" / ")).distinct()).hasSize(1);
        assertThat(lines).allMatch(one -> one.length() < SCREEN.width());
    }

    @Test
    void aNarrowTerminalIsNotOverrun() {
        try (ProgressLine line = line(new Terminal(true, 40, false, true))) {
            run(line, 0, 100 * MIB, 3 * MIB, 40);
        }
        assertThat(drawn()).allMatch(one -> one.length() < 40);
    }

    @Test
    void theTimeLeftIsToldOnceItFalls() {
        try (ProgressLine line = line(SCREEN)) {
            run(line, 0, 100 * MIB, 10 * MIB, 3);
            assertThat(drawn()).noneMatch(one -> one.contains("left"));
            run(line, 10 * MIB, 100 * MIB, 10 * MIB, 16);
        }
        assertThat(drawn().getLast()).contains("10.0 MiB/s").contains("5 s left");
    }

    @Test
    void whatWasThereAtTheBeginningIsNoRate() {
        try (ProgressLine line = line(SCREEN)) {
            run(line, 500 * MIB, 1000 * MIB, 2 * MIB, 12);
        }
        assertThat(drawn().getLast()).contains("2.0 MiB/s");
    }

    @Test
    void theRateIsThatOfTheLastTenSeconds() {
        try (ProgressLine line = line(SCREEN)) {
            run(line, 0, 10_000 * MIB, 100 * MIB, 80);
            run(line, 2000 * MIB, 10_000 * MIB, MIB, 80);
        }
        assertThat(drawn().getLast()).containsPattern(" 1\\.[0-9] MiB/s");
    }

    @Test
    void withoutATerminalThereIsALineEachFewSeconds() {
        try (ProgressLine line = line(Terminal.PLAIN)) {
            run(line, 0, 100 * MIB, MIB, 4 * 21);
        }
        assertThat(written.toString(StandardCharsets.UTF_8)).doesNotContain("\r");
        assertThat(drawn()).hasSize(4).first().asString().startsWith("download 5 %, 5.0 of 100 MiB, 1.0 MiB/s");
    }

    @Test
    void aShortJobSaysNothingWithoutATerminal() {
        try (ProgressLine line = line(Terminal.PLAIN)) {
            run(line, 0, 4 * MIB, MIB, 12);
            line.at(4 * MIB, 4 * MIB);
        }
        assertThat(drawn()).isEmpty();
    }
}
