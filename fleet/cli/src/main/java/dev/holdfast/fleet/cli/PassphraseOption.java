package dev.holdfast.fleet.cli;

import dev.holdfast.trust.signing.Passphrase;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.Console;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The passphrase of keys that are encrypted: out of a file, or asked for on the terminal, once, and only where it is needed. */
final class PassphraseOption implements Passphrase {
    private static final int MAX_BYTES = 1024;
    private static final int MIN_CHARS = 8;

    @Option(
            names = "--passphrase-file",
            paramLabel = "FILE",
            description = "File whose first line is the passphrase of encrypted keys; /dev/stdin and /dev/fd/N will do"
                    + " (default: the terminal is asked).")
    Optional<Path> file = Optional.empty();

    private Optional<char[]> known = Optional.empty();

    @Override
    public char[] get() throws IOException, RejectedException {
        if (known.isEmpty()) {
            known = Optional.of(file.isPresent() ? read(file.get()) : ask("Passphrase of the keys: "));
        }
        return known.get();
    }

    /** One that is given to new keys: asked for twice. */
    char[] choose() throws IOException, RejectedException {
        char[] chosen = get();
        if (chosen.length < MIN_CHARS) {
            throw new RejectedException(
                    Code.CFG_INVALID, "a passphrase has at least " + MIN_CHARS + " characters: take several words");
        }
        if (file.isEmpty() && !new String(chosen).equals(new String(ask("The same again: ")))) {
            throw new RejectedException(Code.CFG_INVALID, "these were two passphrases; begin again");
        }
        return chosen;
    }

    private static char[] read(Path file) throws IOException, RejectedException {
        try (var in = Files.newInputStream(file)) {
            String text = new String(in.readNBytes(MAX_BYTES), StandardCharsets.UTF_8);
            String line = text.lines().findFirst().orElse("");
            if (line.isEmpty()) {
                throw new RejectedException(Code.CFG_INVALID, "the first line of " + file + " is empty");
            }
            return line.toCharArray();
        }
    }

    private static char[] ask(String question) throws RejectedException {
        Console console = System.console();
        char[] answer = console == null || !console.isTerminal() ? null : console.readPassword("%s", question);
        if (answer == null) {
            throw new RejectedException(
                    Code.FLT_KEYS,
                    "the keys need a passphrase, and there is no terminal to ask on: --passphrase-file FILE");
        }
        return answer;
    }
}
