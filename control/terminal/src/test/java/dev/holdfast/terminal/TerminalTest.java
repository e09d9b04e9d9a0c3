package dev.holdfast.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class TerminalTest {
    private static Terminal on(boolean isTerminal, Terminal.Colour wish, Map<String, String> environment) {
        return Terminal.of(isTerminal, wish, environment);
    }

    @Test
    void onlyATerminalIsColouredByItself() {
        assertThat(on(true, Terminal.Colour.AUTO, Map.of()).colour()).isTrue();
        assertThat(on(false, Terminal.Colour.AUTO, Map.of()).colour()).isFalse();
        assertThat(on(true, Terminal.Colour.AUTO, Map.of("NO_COLOR", "1")).colour())
                .isFalse();
        assertThat(on(true, Terminal.Colour.AUTO, Map.of("NO_COLOR", "")).colour())
                .as("empty does not count")
                .isTrue();
        assertThat(on(true, Terminal.Colour.AUTO, Map.of("TERM", "dumb")).colour())
                .isFalse();
    }

    @Test
    void whatIsSaidOnTheCommandLineIsDone() {
        assertThat(on(false, Terminal.Colour.ALWAYS, Map.of("NO_COLOR", "1")).colour())
                .isTrue();
        assertThat(on(true, Terminal.Colour.NEVER, Map.of()).colour()).isFalse();
    }

    @Test
    void theWidthIsTheTerminalsAndNothingElseHasOne() {
        assertThat(on(true, Terminal.Colour.AUTO, Map.of("COLUMNS", "132")).width())
                .isEqualTo(132);
        assertThat(on(true, Terminal.Colour.AUTO, Map.of("COLUMNS", "x")).width())
                .isEqualTo(80);
        assertThat(on(true, Terminal.Colour.AUTO, Map.of("COLUMNS", "0")).width())
                .isEqualTo(80);
        assertThat(on(true, Terminal.Colour.AUTO, Map.of("COLUMNS", "99999999999"))
                        .width())
                .isEqualTo(80);
        assertThat(on(false, Terminal.Colour.AUTO, Map.of("COLUMNS", "60")).width())
                .isEqualTo(Terminal.UNBOUNDED);
    }

    @Test
    void moreThanAsciiIsDrawnWhereTheLocaleSaysSo() {
        assertThat(on(true, Terminal.Colour.AUTO, Map.of("LANG", "C.UTF-8")).unicode())
                .isTrue();
        assertThat(on(true, Terminal.Colour.AUTO, Map.of("LANG", "C.UTF-8", "LC_ALL", "C"))
                        .unicode())
                .isFalse();
        assertThat(on(true, Terminal.Colour.AUTO, Map.of()).unicode()).isFalse();
    }

    @Test
    void devicesOfTerminalsAreKnown() {
        assertThat(Terminal.isTerminal("/dev/pts/3")).isTrue();
        assertThat(Terminal.isTerminal("/dev/tty1")).isTrue();
        assertThat(Terminal.isTerminal("pipe:[123]")).isFalse();
        assertThat(Terminal.isTerminal("/dev/null")).isFalse();
    }
}
