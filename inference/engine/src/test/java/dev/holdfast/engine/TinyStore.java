package dev.holdfast.engine;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.control.Pointer;
import dev.holdfast.engine.kernels.ModelShape;
import dev.holdfast.gguf.GgmlType;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A model store with tiny models. */
public final class TinyStore {
    public static final String TEMPLATE = """
            {"bos":["<s>"],
             "roles":{"user":{"before":["<|user|>"],"after":[]},
                      "assistant":{"before":["<|assistant|>"],"after":["</s>"]}},
             "generation":["<|assistant|>"],"stop":["</s>"]}""";

    /** What models have that continue no text. */
    public static final String NO_CHAT = """
            {"bos":[],"roles":{"user":{"before":[],"after":[]}},"generation":[],"stop":[]}""";

    private final Path folder;

    public TinyStore(Path folder) throws IOException {
        this.folder = folder;
        Files.createDirectories(blobs());
    }

    public Path folder() {
        return folder;
    }

    public Path blobs() {
        return folder.resolve("blobs");
    }

    /** The slot of a new model. */
    public ObjectNode add(String version, long seed, TinyModel.Flaw flaw) throws IOException {
        Path file = folder.resolve("new.gguf");
        TinyModel.write(file, seed, flaw);
        return add(version, Files.readAllBytes(file));
    }

    /** The slot of a new encoder, which embeds texts of up to 128 tokens in 96 dimensions. */
    public ObjectNode addEncoder(String model, String version, long seed) throws IOException {
        Path file = folder.resolve("new.gguf");
        ModelShape shape = new ModelShape(128, 3, 96, 4, 4, 24, 160, 300);
        new RandomModel("bert", shape, GgmlType.F32, seed)
                .put("pooling_type", 1)
                .writeEncoder(file);
        ObjectNode slot = add(model, version, Files.readAllBytes(file));
        slot.set("template", node(NO_CHAT));
        return slot;
    }

    public ObjectNode add(String version, byte[] bytes) throws IOException {
        return add("intent", version, bytes);
    }

    /** The same under another name. */
    public ObjectNode add(String model, String version, byte[] bytes) throws IOException {
        Sha256 digest = Sha256.of(bytes);
        Files.write(blobs().resolve(digest.hex()), bytes);
        ObjectNode slot = Json.object();
        slot.put("target", "models/" + model + "/" + version + "/model.gguf");
        slot.put("model", model);
        slot.put("version", version);
        slot.put("release", 1);
        slot.put("epoch", 1);
        slot.put("digest", digest.hex());
        slot.put("length", bytes.length);
        slot.set("template", node(TEMPLATE));
        slot.set("gate", gate(Map.of()));
        return slot;
    }

    public static ObjectNode gate(Map<String, String> canaries) {
        ObjectNode gate = Json.object();
        ArrayNode array = gate.putArray("canaries");
        canaries.forEach(
                (prompt, expect) -> array.addObject().put("prompt", prompt).put("expect", expect));
        gate.put("minPassRatio", 0.9);
        gate.put("maxAnswerTokens", 12);
        gate.put("maxLoadMillis", 20000);
        return gate;
    }

    /** Replaces the pointer. */
    public void point(Pointer pointer) throws IOException {
        Files.write(folder.resolve(Pointer.FILE_NAME), Json.write(pointer.toJson()));
    }

    /** Replaces the pointer by one of the format that knew one model. */
    public void serving(JsonNode serving, @Nullable JsonNode fallback) throws IOException {
        ObjectNode record = Json.object();
        record.put("format", 1);
        record.set("serving", serving);
        record.set("fallback", fallback);
        Files.write(folder.resolve("serving.json"), Json.write(record));
    }

    public static JsonNode node(String json) {
        return switch (Json.read(json.getBytes(StandardCharsets.UTF_8), 1 << 20)) {
            case Verdict.Accepted<JsonNode>(JsonNode node) -> node;
            case Verdict.Rejected<JsonNode> rejected ->
                throw new AssertionError(rejected.reason().toString());
        };
    }
}
