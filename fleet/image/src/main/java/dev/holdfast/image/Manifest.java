package dev.holdfast.image;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * An image, or something that belongs to one (OCI image specification 1.1, manifest.md).
 *
 * @param artifactType what it is where it is no image; empty for an image
 * @param subject the image that it belongs to; an image has none
 */
record Manifest(
        String artifactType,
        Descriptor config,
        List<Descriptor> layers,
        Optional<Descriptor> subject,
        SortedMap<String, String> annotations) {
    /** Of a manifest or an index; registries take 4 MiB, ours have some kilobytes. */
    static final int MAX_BYTES = 256 * 1024;

    private static final int MAX_LAYERS = 127;
    private static final int MAX_TYPE_CHARS = 255;
    private static final int SCHEMA_VERSION = 2;

    Manifest {
        layers = List.copyOf(layers);
        annotations = Collections.unmodifiableSortedMap(new TreeMap<>(annotations));
    }

    /** {@code IMG-FORMAT} where it is none. */
    static Manifest read(byte[] bytes) throws RejectedException {
        Fields fields = document(bytes);
        if (fields.integer("schemaVersion", 0, SCHEMA_VERSION) != SCHEMA_VERSION) {
            throw fields.wrong("schemaVersion", String.valueOf(SCHEMA_VERSION));
        }
        if (fields.has("mediaType") && !fields.text("mediaType", MAX_TYPE_CHARS).equals(MediaTypes.MANIFEST)) {
            throw fields.wrong("mediaType", MediaTypes.MANIFEST);
        }
        List<Descriptor> layers = new ArrayList<>();
        for (JsonNode layer : fields.array("layers", MAX_LAYERS)) {
            layers.add(Descriptor.read(layer));
        }
        return new Manifest(
                fields.has("artifactType") ? fields.text("artifactType", MAX_TYPE_CHARS) : "",
                Descriptor.read(fields.node().path("config")),
                layers,
                fields.has("subject")
                        ? Optional.of(Descriptor.read(fields.node().path("subject")))
                        : Optional.empty(),
                Descriptor.annotations(fields));
    }

    /** A JSON object of an image, of whatever kind. {@code IMG-FORMAT}. */
    static Fields document(byte[] bytes) throws RejectedException {
        return switch (Json.readObject(bytes, MAX_BYTES)) {
            case Verdict.Accepted<JsonNode>(JsonNode node) -> new Fields(node, Code.IMG_FORMAT);
            case Verdict.Rejected<JsonNode>(Rejection why) ->
                throw new RejectedException(Code.IMG_FORMAT, why.detail(), why.offset());
        };
    }

    byte[] toBytes() {
        ObjectNode json = Json.object().put("schemaVersion", SCHEMA_VERSION).put("mediaType", MediaTypes.MANIFEST);
        if (!artifactType.isEmpty()) {
            json.put("artifactType", artifactType);
        }
        json.set("config", config.toJson());
        ArrayNode all = json.putArray("layers");
        layers.forEach(layer -> all.add(layer.toJson()));
        subject.ifPresent(image -> json.set("subject", image.toJson()));
        Descriptor.put(json, annotations);
        return Json.write(json);
    }
}
