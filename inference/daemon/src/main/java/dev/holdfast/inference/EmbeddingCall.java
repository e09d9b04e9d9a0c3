package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.architectures.Embedding;
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
 * @param ignored fields that nobody knows
 */
record EmbeddingCall(@Nullable String model, List<String> texts, boolean base64, IgnoredFields ignored)
        implements ApiCall {
    static final int MAX_BODY_BYTES = 1024 * 1024;
    private static final int MAX_TEXTS = 2048;
    private static final int MAX_WORD_CHARS = 256;

    static Verdict<EmbeddingCall> read(byte[] body) {
        return Json.readObject(body, MAX_BODY_BYTES).then(node -> Verdict.of(() -> read(node)));
    }

    private static EmbeddingCall read(JsonNode node) throws RejectedException {
        Fields fields = Fields.of(node);
        IgnoredFields ignored = new IgnoredFields();
        CompletionGrammar.EMBEDDING.check(fields, ignored);
        String format = fields.has("encoding_format") ? fields.textOrEmpty("encoding_format", MAX_WORD_CHARS) : "float";
        if (!Set.of("float", "base64").contains(format)) {
            throw fields.wrong("encoding_format", "float or base64");
        }
        return new EmbeddingCall(
                fields.has("model") ? fields.textOrEmpty("model", ModelName.MAX_ID_CHARS) : null,
                texts(fields),
                format.equals("base64"),
                ignored);
    }

    private static List<String> texts(Fields fields) throws RejectedException {
        JsonNode input = fields.node().path("input");
        List<String> texts = new ArrayList<>();
        for (JsonNode text : input.isArray() ? input : List.of(input)) {
            if (text.isIntegralNumber() || text.isArray()) {
                // They are of another model's vocabulary, whatever the caller believes.
                throw ApiGrammar.unsupported(
                        "input",
                        "input as token ids is not offered: send text (LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))");
            }
            if (!text.isTextual() || text.textValue().isEmpty() || texts.size() == MAX_TEXTS) {
                throw fields.wrong("input", "a text or up to " + MAX_TEXTS + " texts, none of them empty");
            }
            texts.add(text.textValue());
        }
        if (texts.isEmpty()) {
            throw fields.wrong("input", "a text or up to " + MAX_TEXTS + " texts, none of them empty");
        }
        return texts;
    }

    ObjectNode reply(Embeddings embeddings) {
        ObjectNode body = Json.object()
                .put("object", "list")
                .put("model", embeddings.model().id())
                .put("system_fingerprint", embeddings.model().fingerprint());
        ArrayNode data = body.putArray("data");
        for (Embedding embedding : embeddings.vectors()) {
            ObjectNode one = data.addObject().put("object", "embedding").put("index", data.size() - 1);
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
        body.putObject("usage").put("prompt_tokens", embeddings.tokens()).put("total_tokens", embeddings.tokens());
        return body;
    }
}
