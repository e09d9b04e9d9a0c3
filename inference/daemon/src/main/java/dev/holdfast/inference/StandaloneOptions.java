package dev.holdfast.inference;

import dev.holdfast.engine.MemoryNeeds;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The command line of {@code holdfast standalone --model}.
 *
 * @param model the file to serve
 * @param template file of a chat template, in the form of a target's {@code template}
 * @param name under which it serves
 * @param socket where applications connect
 * @param contextTokens the longest sequence
 * @param threads that share one step
 */
record StandaloneOptions(
        Path model, Optional<Path> template, String name, Optional<Path> socket, int contextTokens, int threads) {
    private static final int MAX_THREADS = 16;
    private static final int MAX_CONTEXT = 131_072;

    static final String USAGE = """
            Usage: holdfast standalone --model FILE.gguf [--template FILE.json] [--name NAME] [--socket PATH]
                                       [--context N] [--threads N]
                   holdfast standalone [--config FILE]
            With --model, serves one file on a Unix socket, without TPM, fleet and configuration file. What it serves is
            not attested, and says so. Without --model, starts both daemons, for development.

              --model FILE.gguf      the model
              --template FILE.json   its chat template, as fleet publish takes it; without it that of the file's family, if known
              --name NAME            its name; the file's, if not given
              --socket PATH          where programs connect; $XDG_RUNTIME_DIR/holdfast/inference.sock, or below the
                                     folder for temporary files, if not given
              --context N            longest sequence in tokens, 16 to 131072 (2048)
              --threads N            threads of one step, 1 to 16 (all cores)
            holdfast run --socket PATH asks it; HOLDFAST_SOCKET=PATH says the same.""";

    /** Each option is {@code --name value} or {@code --name=value}. */
    static StandaloneOptions read(String[] arguments) throws RejectedException {
        Optional<Path> model = Optional.empty();
        Optional<Path> template = Optional.empty();
        Optional<String> name = Optional.empty();
        Optional<Path> socket = Optional.empty();
        int context = MemoryNeeds.DEFAULT_CONTEXT_TOKENS;
        int threads = Math.min(Runtime.getRuntime().availableProcessors(), MAX_THREADS);
        for (int i = 0; i < arguments.length; i++) {
            String option = arguments[i];
            int equals = option.indexOf('=');
            String value;
            if (option.startsWith("--") && equals > 0) {
                value = option.substring(equals + 1);
                option = option.substring(0, equals);
            } else if (i + 1 < arguments.length) {
                value = arguments[++i];
            } else {
                throw wrong(option + " has no value");
            }
            switch (option) {
                case "--model" -> model = Optional.of(Path.of(value));
                case "--template" -> template = Optional.of(Path.of(value));
                case "--name" -> name = Optional.of(value);
                case "--socket" -> socket = Optional.of(Path.of(value).toAbsolutePath());
                case "--context" -> context = number(option, value, 16, MAX_CONTEXT);
                case "--threads" -> threads = number(option, value, 1, MAX_THREADS);
                default -> throw wrong("there is no option " + option);
            }
        }
        Path file = model.orElseThrow(() -> wrong("--model is missing"));
        String called = name.orElseGet(() -> nameOf(file));
        if (!ModelName.isName(called)) {
            throw wrong("--name must be 1 to 64 letters, digits or . _ + -");
        }
        return new StandaloneOptions(file, template, called, socket, context, threads);
    }

    /** The file's name without its ending, as far as a model may be called so. */
    private static String nameOf(Path file) {
        String stem = String.valueOf(file.getFileName())
                .replaceFirst("\\.gguf$", "")
                .replaceAll("[^A-Za-z0-9._+-]", "-")
                .replaceFirst("^[^A-Za-z0-9]+", "");
        String cut = stem.substring(0, Math.min(stem.length(), ModelName.MAX_CHARS));
        return ModelName.isName(cut) ? cut : "model";
    }

    private static int number(String option, String value, int min, int max) throws RejectedException {
        try {
            int number = Integer.parseInt(value);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Told below.
        }
        throw wrong(option + " takes a number from " + min + " to " + max);
    }

    private static RejectedException wrong(String detail) {
        return new RejectedException(Code.API_REQUEST, detail);
    }
}
