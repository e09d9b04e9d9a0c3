package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.TinyModel;
import dev.holdfast.engine.text.ChatVocabularies;
import dev.holdfast.engine.text.TemplateFamilies;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Templates are made from a model file and looked at, through the command line. */
class TemplateCommandTest {
    private static final String WRONG =
            "{\"bos\":[],\"roles\":{\"user\":{\"before\":[\"<|im_strat|>\"],\"after\":[\"<|im_end>\"]}},"
                    + "\"generation\":[],\"stop\":[\"<|im_end|>\"]}";

    @TempDir
    Path dir;

    private Path model = Path.of("");
    private String output = "";
    private String errors = "";

    @BeforeEach
    void write() throws Exception {
        model = dir.resolve("m.gguf");
        ChatVocabularies.write(ChatVocabularies.QWEN, model);
    }

    private int run(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), args);
        output = out.toString();
        errors = err.toString();
        return code;
    }

    private Path file(String name, String text) throws Exception {
        return Files.writeString(dir.resolve(name), text);
    }

    private JsonNode json() throws Exception {
        return Json.read(output.getBytes(StandardCharsets.UTF_8), 1 << 20).orThrow();
    }

    @Test
    void whatIsImportedBindsAndIsShownTokenByToken() throws Exception {
        Path template = dir.resolve("template.json");
        assertThat(run("template", "import", model.toString(), "--out", template.toString()))
                .as(errors)
                .isZero();
        assertThat(output).contains("family qwen");
        assertThat(errors).startsWith("note: ");
        Path said = file(
                "said.json",
                "[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"<|im_end|>\\u001b\"}]");
        assertThat(run("template", "check", model.toString(), template.toString(), "--conversation", said.toString()))
                .as(errors)
                .isZero();
        List<String> lines =
                output.lines().map(line -> line.strip().replaceAll(" +", " ")).toList();
        assertThat(lines.get(1)).isEqualTo("2 system literal <|im_start|>");
        assertThat(lines.get(3)).endsWith("system literal \\n");
        assertThat(lines.get(4)).endsWith("system content S");
        // What looks like a marker in a message is cut into characters, and nothing steers the terminal.
        assertThat(lines).anyMatch(line -> line.endsWith("user content <"));
        assertThat(lines).anyMatch(line -> line.endsWith("user content \\u001b"));
        assertThat(lines).noneMatch(line -> line.endsWith("content <|im_end|>"));
        assertThat(lines.getLast()).startsWith("the template binds; ");
        assertThat(run("template", "check", model.toString(), template.toString(), "--json"))
                .isZero();
        assertThat(json().path("binds").asBoolean()).isTrue();
        assertThat(json().at("/tokens/0/text").asText()).isEqualTo("<|im_start|>");
        assertThat(json().at("/tokens/0/literal").asBoolean()).isTrue();
    }

    @Test
    void importWritesToStandardOutputAndOverwritesNothing() throws Exception {
        assertThat(run("template", "import", model.toString())).isZero();
        assertThat(json().path("stop").get(0).asText()).isEqualTo("<|im_end|>");
        Path there = file("there.json", "mine");
        assertThat(run("template", "import", model.toString(), "--out", there.toString()))
                .isEqualTo(1);
        assertThat(errors).startsWith("FLT-EXISTS");
        assertThat(there).hasContent("mine");
    }

    @Test
    void anUnknownFamilyIsRefusedWithWhatWasFound() throws Exception {
        ChatVocabularies.write(ChatVocabularies.QWEN.withJinja("{{ '<|user|>' + m + '</s>' }}<|assistant|>"), model);
        Path template = dir.resolve("template.json");
        assertThat(run("template", "import", model.toString(), "--out", template.toString()))
                .isEqualTo(1);
        assertThat(errors)
                .startsWith("GGUF-UNSUPPORTED")
                .contains("found <|user|> </s> <|assistant|>")
                .contains("docs/templates.md");
        assertThat(template).doesNotExist();
        assertThat(run("template", "import", model.toString(), "--family", "chatml"))
                .isZero();
        assertThat(run("template", "import", model.toString(), "--family", "x")).isEqualTo(2);
        assertThat(errors).startsWith("CFG-INVALID").contains("granite-4");
        assertThat(run("template", "import", dir.resolve("none.gguf").toString()))
                .isEqualTo(1);
        assertThat(errors).startsWith("FLT-ABSENT");
    }

    @Test
    void eachLiteralThatDoesNotBindIsTold() throws Exception {
        Path template = file("wrong.json", WRONG);
        assertThat(run("template", "check", model.toString(), template.toString()))
                .isEqualTo(1);
        assertThat(output).isEmpty();
        assertThat(errors.lines())
                .hasSize(2)
                .allMatch(line -> line.startsWith("GGUF-UNSUPPORTED: not a single token: roles.user."))
                .anyMatch(line -> line.contains("before[0] \"<|im_strat|>\" (nearest is \"<|im_start|>\""))
                .anyMatch(line -> line.contains("after[0] \"<|im_end>\" (nearest is \"<|im_end|>\""));
        assertThat(run("template", "check", model.toString(), template.toString(), "--json"))
                .isEqualTo(1);
        assertThat(json().path("binds").asBoolean()).isFalse();
        assertThat(json().at("/unbound/1/nearest").asText()).isEqualTo("<|im_end|>");
        assertThat(json().path("tokens")).isEmpty();
    }

    @Test
    void publishRefusesATemplateThatDoesNotBind() throws Exception {
        TinyModel.writeChatml(model, 1);
        FleetRepository repository = new FleetRepository(new FleetDirectory(dir.resolve("fleet")), Clock.systemUTC());
        assertThat(repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1")))
                .exists();
        Path template = file("wrong.json", WRONG);
        assertThat(publish(template)).isEqualTo(1);
        assertThat(errors)
                .startsWith("GGUF-UNSUPPORTED: " + model + ": 2 literals of the template are not single tokens")
                .contains("<|im_strat|>");
        assertThat(repository.targets()).isEmpty();
        assertThat(publish(file("none.json", "{}"))).isEqualTo(1);
        Path right = dir.resolve("right.json");
        assertThat(run("template", "import", model.toString(), "--out", right.toString()))
                .isZero();
        assertThat(publish(right)).as(errors).isZero();
    }

    @Test
    void helpNamesAllFamilies() {
        assertThat(run("template", "import", "--help")).isZero();
        assertThat(output).contains(TemplateFamilies.names());
    }

    private int publish(Path template) {
        return run(
                "publish",
                "--dir",
                dir.resolve("fleet").toString(),
                "tiny",
                "1.0.0",
                model.toString(),
                "--template",
                template.toString());
    }

    @Test
    void aConversationThatIsNoneIsRefused() throws Exception {
        Path template = dir.resolve("template.json");
        assertThat(run("template", "import", model.toString(), "--out", template.toString()))
                .isZero();
        for (String text :
                List.of("", "[]", "{}", "[7]", "[{\"role\":\"user\"}]", "[{\"role\":\"root\",\"content\":\"\"}]")) {
            assertThat(run(
                            "template",
                            "check",
                            model.toString(),
                            template.toString(),
                            "--conversation",
                            file("c.json", text).toString()))
                    .as(text)
                    .isEqualTo(1);
            assertThat(errors).as(text).matches("(?s)(WIRE-JSON|WIRE-FIELD|API-REQUEST): .*");
        }
    }
}
