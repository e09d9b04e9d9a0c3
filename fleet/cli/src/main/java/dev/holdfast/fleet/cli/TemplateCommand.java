package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.MappedModel;
import dev.holdfast.engine.text.ChatTemplate;
import dev.holdfast.engine.text.Message;
import dev.holdfast.engine.text.PromptPiece;
import dev.holdfast.engine.text.PromptWriter;
import dev.holdfast.engine.text.TemplateCheck;
import dev.holdfast.engine.text.TemplateFamilies;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Makes the chat template that is signed with a model, and looks at one before it is published. Needs no fleet directory. */
@Command(name = "template", description = "Makes a chat template from a model file; checks one before it is published.")
final class TemplateCommand {
    private static final int MAX_TEMPLATE_BYTES = 1024 * 1024;

    @Spec
    CommandSpec spec = CommandSpec.create();

    private PrintWriter out() {
        return spec.commandLine().getOut();
    }

    @Command(
            name = "import",
            description = {
                "Writes the template of a model file whose chat format is known. The file's Jinja is searched for the"
                        + " format's markers, never executed.",
                "Exit code 1 where the format is not known, or the vocabulary lacks one of its markers."
            })
    int take(
            @Parameters(paramLabel = "FILE.gguf", description = "The model.") Path model,
            @Option(
                            names = "--out",
                            paramLabel = "FILE.json",
                            description = "Where to write it; a new file (default: standard output).")
                    Optional<Path> file,
            @Option(
                            names = "--family",
                            paramLabel = "NAME",
                            description = "Take this format, whatever the file says: chatml, qwen, smollm2, smollm3,"
                                    + " llama-3, gemma-3, granite-3, granite-4 or phi-3.")
                    Optional<String> family)
            throws Exception {
        if (family.isPresent() && !TemplateFamilies.names().contains(family.get())) {
            throw new ParameterException(
                    spec.commandLine(),
                    "fleet template import: --family takes " + String.join(", ", TemplateFamilies.names()));
        }
        if (file.isPresent() && Files.exists(file.get())) {
            throw new RejectedException(Code.FLT_EXISTS, file.get() + " is there already");
        }
        TemplateFamilies.Imported imported;
        try (MappedModel mapped = map(model)) {
            imported = TemplateFamilies.of(mapped.head().orThrow(), family).orThrow();
        }
        String text = Json.pretty(imported.template().toJson()) + "\n";
        if (file.isPresent()) {
            FleetDirectory.replace(file.get(), text.getBytes(StandardCharsets.UTF_8));
            out().println("wrote " + file.get() + ", a template of the family " + imported.family());
        } else {
            out().print(text);
            out().flush();
        }
        // Beside the template, so that standard output may go to a file.
        imported.notes().forEach(note -> spec.commandLine().getErr().println("note: " + note));
        return 0;
    }

    @Command(
            name = "check",
            description = {
                "Says which literals of a template are no single token of a model's vocabulary, and shows how a"
                        + " conversation becomes tokens.",
                "Exit code 1 where the template does not bind; fleet publish refuses it then."
            })
    int check(
            @Parameters(index = "0", paramLabel = "FILE.gguf", description = "The model.") Path model,
            @Parameters(index = "1", paramLabel = "TEMPLATE.json", description = "The template.") Path template,
            @Option(
                            names = "--conversation",
                            paramLabel = "FILE.json",
                            description = "An array of messages with role and content (default: a short one).")
                    Optional<Path> conversation,
            @Option(names = "--json", description = "print JSON") boolean json)
            throws Exception {
        ChatTemplate read = ChatTemplate.read(Json.readObject(bytes(template, MAX_TEMPLATE_BYTES), MAX_TEMPLATE_BYTES)
                        .orThrow())
                .orThrow();
        List<Message> messages = conversation.isPresent()
                ? ConversationFile.read(bytes(conversation.get(), ConversationFile.MAX_BYTES))
                        .orThrow()
                : sample(read);
        Tokenizer tokenizer;
        try (MappedModel mapped = map(model)) {
            tokenizer = Tokenizer.of(mapped.head().orThrow());
        }
        TemplateCheck check = TemplateCheck.of(read, tokenizer);
        List<PromptPiece> pieces = check.binds()
                ? PromptWriter.bind(read, tokenizer).orThrow().explain(messages).orThrow()
                : List.of();
        if (json) {
            out().println(new String(Json.write(toJson(check, pieces)), StandardCharsets.UTF_8));
        } else {
            print(check, pieces);
        }
        return check.binds() ? 0 : 1;
    }

    private static MappedModel map(Path model) throws NoSuchFileException, RejectedException {
        if (!Files.isRegularFile(model)) {
            throw new NoSuchFileException(model.toString());
        }
        return MappedModel.map(model).orThrow();
    }

    private static byte[] bytes(Path file, int most) throws IOException, RejectedException {
        if (Files.size(file) > most) {
            throw new RejectedException(Code.WIRE_TOO_LARGE, file + " has more than " + most + " bytes");
        }
        return Files.readAllBytes(file);
    }

    /** Instructions and two questions, as far as the template has roles for them. */
    private static List<Message> sample(ChatTemplate template) {
        List<Message> messages = new ArrayList<>();
        if (template.system() != ChatTemplate.Instructions.NONE) {
            messages.add(new Message("system", "Answer in one word."));
        }
        messages.add(new Message("user", "Which colour has the sky?"));
        if (template.roles().containsKey("assistant")) {
            messages.add(new Message("assistant", "Blue."));
            messages.add(new Message("user", "And grass?"));
        }
        return messages;
    }

    private void print(TemplateCheck check, List<PromptPiece> pieces) {
        PrintWriter err = spec.commandLine().getErr();
        for (TemplateCheck.Unbound each : check.unbound()) {
            err.println(new Rejection(Code.GGUF_UNSUPPORTED, "not a single token: " + each));
        }
        if (!check.binds()) {
            return;
        }
        out().printf("%8s  %-9s %-10s %s%n", "id", "role", "what", "text");
        for (PromptPiece piece : pieces) {
            out().printf(
                            "%8d  %-9s %-10s %s%n",
                            piece.id(),
                            piece.role().isEmpty() ? "-" : piece.role(),
                            piece.literal() ? "literal" : "content",
                            piece.text());
        }
        long literals = pieces.stream().filter(PromptPiece::literal).count();
        out().println("the template binds; " + pieces.size() + " tokens, of which " + literals + " are literals");
    }

    private static ObjectNode toJson(TemplateCheck check, List<PromptPiece> pieces) {
        ObjectNode json = Json.object().put("binds", check.binds());
        ArrayNode unbound = json.putArray("unbound");
        for (TemplateCheck.Unbound each : check.unbound()) {
            ObjectNode one = unbound.addObject().put("place", each.place()).put("literal", each.literal());
            each.pieces().forEach(one.putArray("pieces")::add);
            each.nearest().ifPresent(nearest -> one.put("nearest", nearest));
        }
        ArrayNode tokens = json.putArray("tokens");
        for (PromptPiece piece : pieces) {
            tokens.addObject()
                    .put("id", piece.id())
                    .put("text", piece.text())
                    .put("literal", piece.literal())
                    .put("role", piece.role());
        }
        return json;
    }
}
