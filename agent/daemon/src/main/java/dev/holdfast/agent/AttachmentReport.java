package dev.holdfast.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Slot;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.updater.ModelStore;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What is beside a model in the store: where it is, and of a bill of materials the lines that people ask for first. */
final class AttachmentReport {
    private static final int MAX_TEXT_CHARS = 100;

    private AttachmentReport() {}

    /** Adds {@code provenance} and {@code bom} where the store has them. */
    static void into(ObjectNode brief, ModelStore store, Slot slot) {
        for (Attachment.Kind kind : Attachment.Kind.values()) {
            Path file = store.attachment(slot.slotId(), kind);
            try {
                if (Files.isRegularFile(file) && Files.size(file) <= Attachment.MAX_BYTES) {
                    brief.set(kind.field(), facts(kind, file));
                }
            } catch (IOException e) {
                brief.put(kind.field(), String.valueOf(e.getMessage()));
            }
        }
    }

    private static ObjectNode facts(Attachment.Kind kind, Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        ObjectNode facts = Json.object()
                .put("path", file.toString())
                .put("bytes", bytes.length)
                .put("digest", Sha256.of(bytes).hex());
        if (kind == Attachment.Kind.BOM
                && Json.readObject(bytes, Attachment.MAX_BYTES) instanceof Verdict.Accepted<JsonNode>(JsonNode bom)) {
            text(facts, "format", bom.path("bomFormat"));
            text(facts, "specVersion", bom.path("specVersion"));
            JsonNode licence = bom.at("/metadata/component/licenses/0");
            text(facts, "licence", licence.path("expression"));
            text(facts, "licence", licence.at("/license/id"));
            text(facts, "licence", licence.at("/license/name"));
            text(facts, "base", bom.at("/metadata/component/pedigree/ancestors/0/name"));
            for (JsonNode property : bom.at("/metadata/component/properties")) {
                if (property.path("name").asText().equals("holdfast:quantization")) {
                    text(facts, "quantization", property.path("value"));
                }
            }
        }
        return facts;
    }

    private static void text(ObjectNode facts, String name, JsonNode value) {
        if (value.isTextual()) {
            String text = value.textValue();
            facts.put(name, text.substring(0, Math.min(MAX_TEXT_CHARS, text.length())));
        }
    }
}
