package dev.holdfast.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import org.junit.jupiter.api.Test;

/** Sections, tables and units. */
class LayoutTest {
    private static final Terminal NARROW = new Terminal(true, 50, false, false);
    private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");

    @Test
    void sectionsHavePaddedKeysAndLeaveOutWhatIsEmpty() {
        String page = new Page(Terminal.PLAIN)
                .section("Device")
                .line("name", "cam-7")
                .line("refused", "")
                .section("Memory")
                .line("models need", "5 MiB")
                .toString();
        assertThat(page).isEqualTo("""
            Device
              name              cam-7

            Memory
              models need       5 MiB
            """);
    }

    @Test
    void longValuesGoOnBelowThemselves() {
        String page = new Page(NARROW)
                .line("detail", "one two three four five six seven eight")
                .toString();
        assertThat(page.lines()).allMatch(line -> line.length() <= 50).hasSize(2);
        assertThat(page.lines().toList().get(1)).startsWith(" ".repeat(20)).endsWith("eight");
    }

    @Test
    void whatOthersSaySteersNoTerminal() {
        Terminal coloured = new Terminal(true, 80, true, true);
        String page = new Page(coloured).line("detail", "a\u001b[2Jb\u202ec").toString();
        assertThat(page).contains("a?[2Jb?c");
        assertThat(new Table("NAME").row("x\ny\u001b").on(Terminal.PLAIN)).isEqualTo("NAME\nx?y?\n");
    }

    @Test
    void tablesAreWholeWhereNobodyLooks() {
        String wide = "x".repeat(300);
        assertThat(new Table("A", ">N", "NOTE").row(wide, "7", wide).on(Terminal.PLAIN))
                .contains(wide + "  7  " + wide);
    }

    @Test
    void tablesFitTheTerminal() {
        String table = new Table("NAME", ">BYTES", "NOTE")
                .row("a-name-that-is-rather-long-for-this", "123", "one two three four five six seven")
                .row("b", "1234567", "")
                .on(NARROW);
        assertThat(table.lines()).allMatch(line -> line.length() <= 50);
        assertThat(table)
                .contains("...")
                .contains("seven")
                .contains("    123  ")
                .contains("1234567");
    }

    @Test
    void sentencesAreMadePlain() {
        String digest = "7bcf5c2f0687804e62eeb0facb00646b82fa8185a10b5e7f8fb78a18a80cb854";
        assertThat(Units.plain("signs as " + digest + ", until 2026-03-01T12:00:30.5Z", NOW))
                .startsWith("signs as 7bcf5c2f0687804e, until 2026-")
                .endsWith("(in 30 seconds)");
        assertThat(Units.plain("0123 at 2026-13-01T12:00:00Z", NOW)).isEqualTo("0123 at 2026-13-01T12:00:00Z");
    }

    @Test
    void bytesAreMebibytes() {
        assertThat(Units.bytes(0)).isEqualTo("0 B");
        assertThat(Units.bytes(1023)).isEqualTo("1023 B");
        assertThat(Units.bytes(2048)).isEqualTo("2.0 KiB");
        assertThat(Units.bytes(25 << 20)).isEqualTo("25.0 MiB");
        assertThat(Units.bytes(18_957_376_512L)).isEqualTo("18,079 MiB");
    }

    @Test
    void timesSayHowFarAwayTheyAre() {
        assertThat(Units.distance(NOW.minusSeconds(3 * 60 + 20), NOW)).isEqualTo("3 minutes ago");
        assertThat(Units.distance(NOW.plusSeconds(90), NOW)).isEqualTo("in 90 seconds");
        assertThat(Units.distance(NOW.minusSeconds(86_400 * 3), NOW)).isEqualTo("3 days ago");
        assertThat(Units.distance(NOW.minusMillis(10), NOW)).isEqualTo("now");
        assertThat(Units.time("2026-03-01T11:00:00Z", NOW)).endsWith("(60 minutes ago)");
        assertThat(Units.time("never", NOW)).isEqualTo("never");
    }
}
