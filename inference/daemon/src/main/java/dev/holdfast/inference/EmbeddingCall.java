package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.architectures.Embedding;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The body of {@code POST /v1/embeddings}.
 *
 * @param model the model asked for, or null
 * @param texts one or more
 * @param base64 vectors as base64 of little-endian 32-bit floats instead of numbers
 */
record EmbeddingCall(@Nullable String model, List<String> texts, boolean base64) {
    static final int MAX_BODY_BYTES = 256 * 1024;
    private static final int MAX_TEXTS = 64;
    private static final int MAX_WORD_CHARS = 256;
    private static final Set<String> FIELDS = Set.of("model", "input", "encoding_format");

    static Verdict<EmbeddingCall> read(byte[] body) {
        return Json.readObject(body, MAX_BODY_BYTES).then(node -> Verdict.of(() -> read(node)));
    }

    private static EmbeddingCall read(JsonNode node) throws RejectedException {
        Fields fields = Fields.of(node);
        fields.only(FIELDS);
        String format = fields.has("encoding_format") ? fields.textOrEmpty("encoding_format", MAX_WORD_CHARS) : "float";
        if (!Set.of("float", "base64").contains(format)) {
            throw new RejectedException(Code.WIRE_FIELD, "encoding_format must be float or base64");
        }
        return new EmbeddingCall(
                fields.has("model") ? fields.textOrEmpty("model", ModelName.MAX_ID_CHARS) : null,
                texts(node.path("input")),
                format.equals("base64"));
    }

    private static List<String> texts(JsonNode input) throws RejectedException {
        List<String> texts = new ArrayList<>();
        for (JsonNode text : input.isArray() ? input : List.of(input)) {
            if (!text.isTextual() || text.textValue().isEmpty() || texts.size() == MAX_TEXTS) {
                throw new RejectedException(
                        Code.WIRE_FIELD, "input must be a text or up to " + MAX_TEXTS + " texts, none of them empty");
            }
            texts.add(text.textValue());
        }
        if (texts.isEmpty()) {
            throw new RejectedException(Code.WIRE_FIELD, "input is empty");
        }
        return texts;
    }

    ObjectNode reply(Embeddings embeddings) {
        ObjectNode body = Json.object()
                .put("object", "list")
                .put("model", embeddings.model().id());
        ArrayNode data = body.putArray("data");
        int tokens = 0;
        for (Embedding embedding : embeddings.vectors()) {
            ObjectNode one = data.addObject().put("object", "embedding").put("index", data.size() - 1);
            tokens += embedding.tokens();
            if (base64) {
                ByteBuffer bytes =
                        ByteBuffer.allocate(4 * embedding.vector().length).order(ByteOrder.LITTLE_ENDIAN);
                bytes.asFloatBuffer().put(embedding.vector());
                one.put("embedding", Base64.getEncoder().encodeToString(bytes.array()));
            } else {
                ArrayNode vector = one.putArray("embedding");
                for (float value : embedding.vector()) {
                    vector.add(value);
                }
            }
        }
        body.putObject("usage").put("prompt_tokens", tokens).put("total_tokens", tokens);
        return body;
    }
}
