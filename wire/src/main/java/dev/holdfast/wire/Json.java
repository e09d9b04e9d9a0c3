package dev.holdfast.wire;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * JSON by Jackson with hard limits: nesting, number and string length are bounded, duplicate names and trailing bytes
 * are refused. Thread-safe.
 */
public final class Json {
    /** Deeper than any document of ours or of the OpenAI wire format needs. */
    public static final int MAX_DEPTH = 32;
    /** Holds every 64-bit integer and every double that is written by a sane encoder. */
    public static final int MAX_NUMBER_CHARS = 32;

    private static final ObjectMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(MAX_DEPTH)
                            .maxNumberLength(MAX_NUMBER_CHARS)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private Json() {}

    /** Reads one JSON document of at most {@code maxBytes} UTF-8 bytes. */
    public static Verdict<JsonNode> read(byte[] utf8, int maxBytes) {
        if (utf8.length > maxBytes) {
            return Verdict.rejected(Code.WIRE_TOO_LARGE, utf8.length + " bytes of JSON, at most " + maxBytes);
        }
        try {
            JsonNode node = MAPPER.readTree(utf8);
            return node == null || node.isMissingNode()
                    ? Verdict.rejected(Code.WIRE_JSON, "empty")
                    : Verdict.accepted(node);
        } catch (JsonProcessingException e) {
            long offset = e.getLocation() == null
                    ? Rejection.NO_OFFSET
                    : e.getLocation().getByteOffset();
            return new Verdict.Rejected<>(new Rejection(Code.WIRE_JSON, e.getOriginalMessage(), offset));
        } catch (IOException e) {
            return Verdict.rejected(Code.WIRE_JSON, String.valueOf(e.getMessage()));
        }
    }

    /** Reads a document that must be an object. */
    public static Verdict<JsonNode> readObject(byte[] utf8, int maxBytes) {
        return read(utf8, maxBytes)
                .then(node -> node.isObject()
                        ? Verdict.accepted(node)
                        : Verdict.rejected(Code.WIRE_JSON, "a JSON object is expected"));
    }

    public static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    /** Compact UTF-8 of a tree that we made ourselves. */
    public static byte[] write(JsonNode node) {
        try {
            return MAPPER.writeValueAsBytes(node);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Indented text for a person. */
    public static String pretty(JsonNode node) {
        return node.toPrettyString();
    }
}
