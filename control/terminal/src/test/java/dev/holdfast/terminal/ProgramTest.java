package dev.holdfast.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.ExitCode;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

class ProgramTest {
    @Command(
            name = "tool",
            mixinStandardHelpOptions = true,
            scope = CommandLine.ScopeType.INHERIT,
            subcommands = Verb.class)
    static final class Tool {}

    @Command(name = "verb")
    static final class Verb implements Callable<Integer> {
        private final Exception failure;

        Verb(Exception failure) {
            this.failure = failure;
        }

        @Option(names = "--seconds")
        int seconds;

        @Override
        public Integer call() throws Exception {
            throw failure;
        }
    }

    private record Ran(int status, String said) {}

    private static Ran run(Exception failure, String... args) {
        CommandLine line = new CommandLine(new Tool(), new CommandLine.IFactory() {
            @Override
            public <K> K create(Class<K> type) {
                return type.cast(new Verb(failure));
            }
        });
        StringWriter said = new StringWriter();
        Program program = new Program(line);
        line.setOut(new PrintWriter(said, true)).setErr(new PrintWriter(said, true));
        return new Ran(program.execute(args), said.toString());
    }

    static Stream<Arguments> failures() {
        return Stream.of(
                Arguments.of(new RejectedException(Code.UPD_ROLLBACK, "older"), ExitCode.FAILED, "UPD-ROLLBACK: older"),
                Arguments.of(
                        new RejectedException(Code.CFG_INVALID, "key"), ExitCode.CONFIGURATION, "CFG-INVALID: key"),
                Arguments.of(new RejectedException(Code.LNK_DOWN, "x"), ExitCode.UNAVAILABLE, "LNK-DOWN: x"),
                Arguments.of(new RejectedException(Code.API_BUSY, "x"), ExitCode.TRY_AGAIN, "API-BUSY: x"),
                Arguments.of(new NoSuchFileException("/none"), ExitCode.FAILED, "there is no file /none"),
                Arguments.of(new AccessDeniedException("/a/b"), ExitCode.PERMISSION, "/a/b: this user may not"),
                Arguments.of(new IOException("No space left on device"), ExitCode.FAILED, "the disk is full"),
                Arguments.of(new IllegalStateException("odd"), ExitCode.INTERNAL, "a fault of the program: odd"));
    }

    @ParameterizedTest
    @MethodSource("failures")
    void failuresSayWhatWhereAndWhatToDo(Exception failure, ExitCode code, String what) {
        Ran ran = run(failure, "verb");
        assertThat(ran.status()).isEqualTo(code.number());
        assertThat(ran.said())
                .startsWith(what)
                .contains("\n  -> ")
                .doesNotContain("Exception")
                .doesNotContain("\tat ");
    }

    @Test
    void debugShowsWhere() {
        assertThat(run(new IllegalStateException("odd"), "verb", "--debug").said())
                .contains("IllegalStateException")
                .contains("\tat ");
    }

    @Test
    void wrongUsageIsTwoAndNamesTheVerb() {
        Ran ran = run(new IOException("never"), "verb", "--secnds", "3");
        assertThat(ran.status()).isEqualTo(ExitCode.USAGE.number());
        assertThat(ran.said())
                .startsWith("tool verb: Unknown option")
                .contains("did you mean --seconds?")
                .contains("tool verb --help");
        assertThat(run(new IOException("never"), "vreb").said())
                .startsWith("tool: there is no verb vreb")
                .contains("did you mean verb?");
        assertThat(run(new IOException("never"), "verb", "--seconds=x").status())
                .isEqualTo(ExitCode.USAGE.number());
    }

    @Test
    void helpHasEveryExitCode() {
        String help = run(new IOException("never"), "--help").said();
        assertThat(Arrays.stream(ExitCode.values()))
                .allSatisfy(code ->
                        assertThat(help).contains("  " + code.number() + " ").contains(code.meaning()));
        assertThat(run(new IOException("never"), "verb", "--help").said()).contains("--color", "--debug");
    }

    @Test
    void theColourOfHelpIsReadBeforeTheLine() {
        assertThat(run(new IOException("x"), "verb", "--color=always").said()).contains("\u001b[31m");
        assertThat(run(new IOException("x"), "verb", "--color", "never").said()).doesNotContain("\u001b");
    }
}
