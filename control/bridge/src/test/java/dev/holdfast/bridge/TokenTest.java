package dev.holdfast.bridge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The file of a bridge's token. */
class TokenTest {
    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void name() {
        file = folder.resolve("token");
    }

    private Token token() throws Exception {
        return Token.at(file, new SecureRandom());
    }

    private static boolean opens(Token token, String text) {
        return token.isIn(List.of("Bearer " + text));
    }

    private void refused(String words) {
        assertThatThrownBy(this::token)
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.rejection().code()).isEqualTo(Code.CFG_INVALID))
                .hasMessageContaining(words);
    }

    @Test
    void isMadeOnceForItsUserAlone() throws Exception {
        Token made = token();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        String text = Files.readString(file).strip();
        assertThat(text).matches("[A-Za-z0-9_-]{43}");
        assertThat(opens(made, text)).isTrue();
        assertThat(opens(token(), text)).as("after a restart").isTrue();
        assertThat(Files.readString(file).strip()).isEqualTo(text);
        Files.delete(file);
        assertThat(opens(token(), text)).as("another one").isFalse();
    }

    @Test
    void isNoTextOfAnyObject() throws Exception {
        Token made = token();
        assertThat(made.toString() + new RequestCheck(java.util.Optional.of(made)))
                .doesNotContain(Files.readString(file).strip());
    }

    @ParameterizedTest
    @ValueSource(strings = {"rw----r--", "rw-rw----", "rw-----w-", "rw-r--r--", "rwxrwxrwx"})
    void isRefusedWhereOthersReadOrWriteIt(String mode) throws Exception {
        token();
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
        refused("is open to others");
    }

    @Test
    void mayBeReadByAGroupWhereAnAdministratorSaysSo() throws Exception {
        token();
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        assertThat(opens(token(), Files.readString(file).strip())).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "\n",
                "short",
                "two words of some length",
                "0123456789abcdef\n0123456789abcdef",
                "0123456789abcdé"
            })
    void whatIsNoTokenIsRefusedAndNotQuoted(String text) throws Exception {
        Files.writeString(file, text);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        refused("must hold 16 to 512 letters");
        assertThatThrownBy(this::token).message().doesNotContain("0123456789abcd", "two words");
    }

    @Test
    void aFileWithoutAnEndIsNotReadToItsEnd() {
        file = Path.of("/dev/zero");
        refused("is no file");
    }

    @Test
    void aFolderThatIsNotThereIsSaid() {
        file = folder.resolve("none/token");
        assertThatThrownBy(this::token).isInstanceOf(NoSuchFileException.class).hasMessageContaining("none/token");
    }

    @Test
    void aLinkThatLeadsNowhereMakesNoFileElsewhere() throws Exception {
        Path elsewhere = folder.resolve("elsewhere");
        Files.createSymbolicLink(file, elsewhere);
        assertThatThrownBy(this::token).isInstanceOf(java.io.IOException.class);
        assertThat(elsewhere).doesNotExist();
    }
}
