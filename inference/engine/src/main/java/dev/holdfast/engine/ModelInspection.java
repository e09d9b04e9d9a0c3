package dev.holdfast.engine;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.engine.architectures.Architectures;
import dev.holdfast.engine.architectures.TensorTable;
import dev.holdfast.engine.text.Tokenizer;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.gguf.GgufValue;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Path;
import java.util.Map;

/** What a model file says of itself, for {@code holdfast model inspect}. */
public record ModelInspection(ObjectNode json) {
    private static final int MAX_SHOWN_CHARS = 200;

    /** Reads the head of a file and hashes the whole. */
    public static Verdict<ModelInspection> of(Path path) {
        return MappedModel.map(path).then(mapped -> {
            try (mapped) {
                return mapped.head()
                        .then(file -> Verdict.accepted(new ModelInspection(describe(file, mapped.digest(), mapped))));
            }
        });
    }

    private static ObjectNode describe(GgufFile file, Sha256 digest, MappedModel mapped) {
        ObjectNode json = Json.object();
        json.put("format", "gguf");
        json.put("digest", digest.hex());
        json.put("length", file.length());
        long parameters =
                file.tensors().stream().mapToLong(GgufTensor::elements).sum();
        json.put("parameters", parameters);
        ObjectNode metadata = json.putObject("metadata");
        for (Map.Entry<String, GgufValue> entry : file.metadata().entrySet()) {
            put(metadata, entry.getKey(), entry.getValue());
        }
        ArrayNode tensors = json.putArray("tensors");
        for (GgufTensor tensor : file.tensors()) {
            ObjectNode one = tensors.addObject();
            one.put("name", tensor.name());
            one.put("type", tensor.type().name());
            ArrayNode dims = one.putArray("dims");
            tensor.dims().forEach(dims::add);
            one.put("offset", tensor.offset());
            one.put("bytes", tensor.byteLength());
        }
        Verdict<?> engine = Verdict.of(() -> Architectures.load(new TensorTable(file, mapped.bytes())));
        json.put("runnable", engine.isAccepted());
        if (engine instanceof Verdict.Rejected<?> rejected) {
            json.put("reason", rejected.reason().toString());
        }
        Verdict<?> words = Verdict.of(() -> Tokenizer.of(file));
        json.put("tokenizes", words.isAccepted());
        if (words instanceof Verdict.Rejected<?> rejected) {
            json.put("tokenizer_reason", rejected.reason().toString());
        }
        return json;
    }

    private static void put(ObjectNode json, String key, GgufValue value) {
        switch (value) {
            case GgufValue.Whole whole -> json.put(key, whole.value());
            case GgufValue.Real real -> json.put(key, real.value());
            case GgufValue.Flag flag -> json.put(key, flag.value());
            case GgufValue.Text(String text) ->
                json.put(
                        key,
                        text.length() <= MAX_SHOWN_CHARS
                                ? text
                                : text.substring(0, MAX_SHOWN_CHARS) + "... (" + text.length() + " characters)");
            case GgufValue.Numbers numbers -> json.put(key, "[" + numbers.size() + " of " + numbers.type() + "]");
            case GgufValue.Texts texts -> json.put(key, "[" + texts.size() + " of STRING]");
        }
    }
}
