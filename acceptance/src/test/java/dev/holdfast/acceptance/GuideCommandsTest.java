package dev.holdfast.acceptance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.agent.AgentCommand;
import dev.holdfast.bridge.BridgeCommand;
import dev.holdfast.cli.HoldfastCommand;
import dev.holdfast.fleet.cli.FleetCommand;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/**
 * Every line of the pages that calls {@code holdfast} or {@code fleet} is one that the program understands: its verb, its options, and as
 * many words as it takes. Whether it does what the page says is for the tests that carry pages out.
 */
class GuideCommandsTest {
    private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
    private static final Pattern BLOCK = Pattern.compile("(?ms)^```[a-z ]*\n(.*?)^```$");
    private static final Pattern CALL =
            Pattern.compile("(?m)^(?:runuser -u [a-z-]+ -- )?(?:\\./dev )?(holdfast|fleet) (?!=)(.*)$");
    /** What is said about a command stands apart from it; what another program does with its output is that one's. */
    private static final Pattern REMARK = Pattern.compile("\\s{2,}.*|\\s&$| \\|\\|? .*");

    private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|(\\S+)");
    /** It reads its own options, and its guide's test runs it. */
    private static final String BY_ITSELF = "standalone";

    @Test
    void areUnderstood() throws IOException {
        Map<String, String> wrong = new TreeMap<>();
        int calls = 0;
        for (Path page : LinksTest.pages()) {
            for (Matcher block = BLOCK.matcher(Files.readString(page)); block.find(); ) {
                String lines = block.group(1).replaceAll("\\\\\n\\s*", "");
                for (Matcher call = CALL.matcher(lines); call.find(); calls++) {
                    String refusal = refusal(call.group(1), words(call.group(2)));
                    if (!refusal.isEmpty()) {
                        wrong.put(ROOT.relativize(page) + ": " + call.group(), refusal);
                    }
                }
            }
        }
        assertThat(calls).isGreaterThan(30);
        assertThat(wrong).isEmpty();
    }

    private static List<String> words(String call) {
        List<String> words = new ArrayList<>();
        WORD.matcher(REMARK.matcher(call).replaceFirst(""))
                .results()
                .forEach(word -> words.add(word.group(1) == null ? word.group(2) : word.group(1)));
        return words;
    }

    private static String refusal(String program, List<String> words) {
        if (program.equals("fleet")) {
            return refusal(FleetCommand.commandLine(), words);
        }
        return switch (words.getFirst()) {
            case BY_ITSELF -> "";
            case "bridge" -> refusal(BridgeCommand.commandLine(), words.subList(1, words.size()));
            case String verb
            when AgentCommand.commandLine().getSubcommands().containsKey(verb) ->
                refusal(AgentCommand.commandLine(), words);
            default -> refusal(HoldfastCommand.commandLine(), words);
        };
    }

    private static String refusal(CommandLine program, List<String> words) {
        try {
            program.parseArgs(words.toArray(String[]::new));
            return "";
        } catch (ParameterException e) {
            return String.valueOf(e.getMessage());
        }
    }
}
