package dev.holdfast.image;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What points to a blob (OCI image specification 1.1, descriptor.md).
 *
 * @param digest of the blob's bytes; only SHA-256 is known here
 * @param sizeBytes of the blob
 * @param artifactType what a manifest is that is no image; empty where it is none
 * @param annotations in the order of their names
 */
public record Descriptor(
        String mediaType, Sha256 digest, long sizeBytes, String artifactType, SortedMap<String, String> annotations) {
    /** Of one blob: more than a model has that a device could hold. Blobs are read in pieces, so that this costs no memory. */
    static final long MAX_BLOB_BYTES = 256L << 30;

    private static final int MAX_TYPE_CHARS = 255;
    private static final int MAX_ANNOTATIONS = 64;
    private static final int MAX_KEY_CHARS = 255;
    private static final int MAX_VALUE_CHARS = 8192;
    private static final String ALGORITHM = "sha256:";

    public Descriptor {
        annotations = Collections.unmodifiableSortedMap(new TreeMap<>(annotations));
    }

    static Descriptor of(String mediaType, byte[] blob) {
        return new Descriptor(mediaType, Sha256.of(blob), blob.length, "", Collections.emptySortedMap());
    }

    Descriptor annotated(Map<String, String> more) {
        SortedMap<String, String> all = new TreeMap<>(annotations);
        all.putAll(more);
        return new Descriptor(mediaType, digest, sizeBytes, artifactType, all);
    }

    /** {@code sha256:} and 64 hexadecimal digits. */
    static String text(Sha256 digest) {
        return ALGORITHM + digest.hex();
    }

    static Sha256 digest(Fields fields, String name) throws RejectedException {
        String text = fields.text(name, ALGORITHM.length() + 2 * Sha256.BYTES);
        if (!text.startsWith(ALGORITHM)) {
            throw fields.wrong(name, "a digest by sha256");
        }
        try {
            return Sha256.fromHex(text.substring(ALGORITHM.length())).orThrow();
        } catch (RejectedException e) {
            throw fields.wrong(name, "sha256: and 64 hexadecimal digits");
        }
    }

    /** Fields that this reader does not know are passed over, as the specification asks. {@code IMG-FORMAT}. */
    static Descriptor read(JsonNode node) throws RejectedException {
        Fields fields = Fields.of(node, Code.IMG_FORMAT);
        return new Descriptor(
                fields.text("mediaType", MAX_TYPE_CHARS),
                digest(fields, "digest"),
                fields.integer("size", 0, MAX_BLOB_BYTES),
                fields.has("artifactType") ? fields.text("artifactType", MAX_TYPE_CHARS) : "",
                annotations(fields));
    }

    static SortedMap<String, String> annotations(Fields fields) throws RejectedException {
        SortedMap<String, String> read = new TreeMap<>();
        if (!fields.has("annotations")) {
            return read;
        }
        Fields all = fields.object("annotations");
        if (all.node().size() > MAX_ANNOTATIONS) {
            throw fields.wrong("annotations", "at most " + MAX_ANNOTATIONS);
        }
        for (var each : all.node().properties()) {
            if (each.getKey().length() > MAX_KEY_CHARS) {
                throw fields.wrong("annotations", "names of at most " + MAX_KEY_CHARS + " characters");
            }
            read.put(each.getKey(), all.textOrEmpty(each.getKey(), MAX_VALUE_CHARS));
        }
        return read;
    }

    String annotation(String name) {
        return annotations.getOrDefault(name, "");
    }

    ObjectNode toJson() {
        ObjectNode json = Json.object()
                .put("mediaType", mediaType)
                .put("digest", text(digest))
                .put("size", sizeBytes);
        if (!artifactType.isEmpty()) {
            json.put("artifactType", artifactType);
        }
        put(json, annotations);
        return json;
    }

    static void put(ObjectNode json, SortedMap<String, String> annotations) {
        if (!annotations.isEmpty()) {
            ObjectNode all = json.putObject("annotations");
            annotations.forEach(all::put);
        }
    }
}
