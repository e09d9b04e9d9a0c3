package dev.holdfast.cli;

import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code holdfast run}: one question, whose answer is printed as it comes, or a conversation on a terminal. */
@Command(
        name = "run",
        description = {
            "Asks a model, and prints the answer as it comes.",
            "Without a prompt it reads one from a pipe; on a terminal it is a conversation, in which /clear forgets,"
                    + " /bye ends it, and Ctrl-C ends an answer. On a terminal the name of a model alone begins one with"
                    + " it."
        },
        footer = {
            "",
            "Examples:",
            "  holdfast run \"What is an anchor?\"",
            "  holdfast run chat \"Summarise this.\" --max-tokens 200",
            "  journalctl -n 50 | holdfast run --system \"Say what is wrong.\""
        })
final class RunCommand extends HoldfastCommand.OnSocket {
    /** A body has at most 1 MiB, in which a character may take six bytes; most take one. */
    private static final int MAX_PROMPT_BYTES = 768 * 1024;

    private static final Path STDIN = Path.of("/proc/self/fd/0");
    private static final Path STDOUT = Path.of("/proc/self/fd/1");

    @Option(names = "--model", paramLabel = "MODEL", description = "name of the model; the default one if not given")
    @Nullable
    String model;

    @Option(names = "--system", paramLabel = "TEXT", description = "instructions for the model")
    @Nullable
    String system;

    @Option(names = "--max-tokens", paramLabel = "N", description = "most tokens of an answer; 512 if not given")
    @Nullable
    Integer maxTokens;

    @Option(names = "--temperature", paramLabel = "X", description = "0 to 2; 0, the most likely token, if not given")
    @Nullable
    Double temperature;

    @Option(names = "--stats", description = "tells speed and tokens on standard error")
    boolean stats;

    @Parameters(
            paramLabel = "[MODEL] [PROMPT]",
            arity = "0..2",
            description = "one is the prompt, two are the model and the prompt")
    List<String> words = List.of();

    @Override
    public Integer call() throws Exception {
        boolean typed = TerminalText.isTerminal(STDIN);
        Conversation talk = new Conversation(
                inference(),
                new Conversation.Wishes(
                        Optional.ofNullable(system), Optional.ofNullable(maxTokens), Optional.ofNullable(temperature)),
                TerminalText.isTerminal(STDOUT),
                stats);
        Optional<String> prompt = prompt(talk, typed && TerminalText.isTerminal(STDOUT));
        talk.useModel(Optional.ofNullable(model));
        if (prompt.isEmpty() && typed) {
            new Dialogue(talk, System.in).run();
            return 0;
        }
        talk.ask(prompt.isPresent() ? prompt.get() : piped(System.in));
        return 0;
    }

    /** What the words on the command line ask; a model that they name is taken from them. */
    private Optional<String> prompt(Conversation talk, boolean terminal) throws IOException, RejectedException {
        if (words.size() == 2) {
            if (model != null) {
                throw new RejectedException(Code.API_REQUEST, "the model is named twice: --model and " + words.get(0));
            }
            model = words.get(0);
            return Optional.of(words.get(1));
        }
        if (words.size() == 1 && terminal && model == null && talk.serves(words.get(0))) {
            model = words.get(0);
            return Optional.empty();
        }
        return words.stream().findFirst();
    }

    /** The prompt from a pipe or a file: UTF-8, of at most {@value #MAX_PROMPT_BYTES} bytes. */
    static String piped(InputStream in) throws IOException, RejectedException {
        byte[] bytes = in.readNBytes(MAX_PROMPT_BYTES + 1);
        if (bytes.length > MAX_PROMPT_BYTES) {
            throw new RejectedException(
                    Code.API_TOO_LARGE, "standard input is longer than " + MAX_PROMPT_BYTES + " bytes");
        }
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString()
                    .stripTrailing();
            if (text.isEmpty()) {
                throw new RejectedException(Code.API_REQUEST, "there is no prompt: standard input is empty");
            }
            return text;
        } catch (CharacterCodingException e) {
            throw new RejectedException(Code.API_REQUEST, "standard input is not UTF-8");
        }
    }
}
