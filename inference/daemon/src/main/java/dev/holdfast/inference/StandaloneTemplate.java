package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.engine.text.TemplateFamilies;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The chat template of a file that nobody published: the one that its user names, or that of the family which the file's own
 * template is of, or none.
 *
 * @param json in the form of a target's {@code template}
 * @param told what a person should know of where it is from
 */
record StandaloneTemplate(JsonNode json, String told) {
    private static final int MAX_BYTES = 64 * 1024;

    /** Text goes in and comes out as it is. */
    private static final String NONE = """
            {"bos":[],"roles":{"user":{"before":[],"after":[]},"assistant":{"before":[],"after":[]}},
             "generation":[],"stop":[]}""";

    /** @param named file of a template, which need not bind to the model: loading it finds that out */
    static StandaloneTemplate of(GgufFile model, Optional<Path> named) throws IOException, RejectedException {
        if (named.isPresent()) {
            try (InputStream in = Files.newInputStream(named.get())) {
                JsonNode json =
                        Json.readObject(in.readNBytes(MAX_BYTES + 1), MAX_BYTES).orThrow();
                return new StandaloneTemplate(json, "Chat template: " + named.get());
            }
        }
        return switch (TemplateFamilies.of(model, Optional.empty())) {
            case Verdict.Accepted<TemplateFamilies.Imported>(TemplateFamilies.Imported found) ->
                new StandaloneTemplate(
                        found.template().toJson(),
                        "Chat template: of the family " + found.family() + ", by the file's own"
                                + String.join(
                                        "",
                                        found.notes().stream()
                                                .map(note -> "\n  " + note)
                                                .toList()));
            case Verdict.Rejected<TemplateFamilies.Imported> refused ->
                new StandaloneTemplate(
                        Json.read(NONE.getBytes(StandardCharsets.US_ASCII), MAX_BYTES)
                                .orThrow(),
                        "No chat template: the model continues texts as they are, without the turns of a chat ("
                                + refused.reason().detail() + "). Another: --template FILE.json");
        };
    }
}
