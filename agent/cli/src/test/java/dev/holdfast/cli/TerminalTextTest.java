package dev.holdfast.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TerminalTextTest {
    @TempDir
    Path dir;

    @Test
    void noControlCharacterReachesATerminal() {
        assertThat(TerminalText.printable("\u001b]0;title\u0007\u001b[2J\u009b31mred\r\b\u007f\u0000"))
                .isEqualTo("?]0;title??[2J?31mred????");
        assertThat(TerminalText.printable("rm \u202egpj.exe")).isEqualTo("rm ?gpj.exe");
    }

    @Test
    void textStaysAsItIs() {
        String text = "Grüße, 日本\tשלום\n👩\u200d🚀";
        assertThat(TerminalText.printable(text)).isEqualTo(text);
        assertThat(TerminalText.printable("a\r\nb")).isEqualTo("a\nb");
    }

    @Test
    void onlyATerminalIsOne() throws Exception {
        Path link = dir.resolve("fd");
        for (String terminal : new String[] {"/dev/pts/3", "/dev/tty1", "/dev/ttyS0", "/dev/console"}) {
            Files.createSymbolicLink(link, Path.of(terminal));
            assertThat(TerminalText.isTerminal(link)).as(terminal).isTrue();
            Files.delete(link);
        }
        for (String other : new String[] {"pipe:[1]", "/dev/null", "/home/me/answer", "socket:[7]"}) {
            Files.createSymbolicLink(link, Path.of(other));
            assertThat(TerminalText.isTerminal(link)).as(other).isFalse();
            Files.delete(link);
        }
        assertThat(TerminalText.isTerminal(link)).as("where nobody knows").isTrue();
    }
}
