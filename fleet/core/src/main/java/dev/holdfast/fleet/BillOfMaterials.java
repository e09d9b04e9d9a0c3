package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.gguf.GgufFile;
import dev.holdfast.gguf.GgufReader;
import dev.holdfast.gguf.GgufTensor;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;

/** A CycloneDX 1.6 bill of materials of one model: brought by the publisher, or written with what is known. */
final class BillOfMaterials {
    private static final String FORMAT = "CycloneDX";
    private static final String MODEL_TYPE = "machine-learning-model";

    private BillOfMaterials() {}

    /** Reads the publisher's own; {@code CFG-INVALID} where it is none, or names no component with this SHA-256. */
    static ObjectNode read(Path file, Sha256 model) throws IOException, RejectedException {
        if (Files.size(file) > Attachment.MAX_BYTES) {
            throw new RejectedException(Code.CFG_INVALID, file + " is longer than " + Attachment.MAX_BYTES + " bytes");
        }
        JsonNode read =
                Json.readObject(Files.readAllBytes(file), Attachment.MAX_BYTES).orThrow();
        if (!(read instanceof ObjectNode bom) || !bom.path("bomFormat").asText().equals(FORMAT)) {
            throw new RejectedException(Code.CFG_INVALID, file + " is not a CycloneDX document");
        }
        boolean named = hashes(bom.at("/metadata/component"), model);
        for (JsonNode component : bom.path("components")) {
            named |= hashes(component, model);
        }
        if (!named) {
            throw new RejectedException(Code.CFG_INVALID, file + " has no component of SHA-256 " + model);
        }
        return bom;
    }

    private static boolean hashes(JsonNode component, Sha256 model) {
        for (JsonNode hash : component.path("hashes")) {
            if (hash.path("alg").asText().equals("SHA-256")
                    && hash.path("content").asText().equalsIgnoreCase(model.hex())) {
                return true;
            }
        }
        return false;
    }

    /**
     * Writes one.
     *
     * @param file the model; what it says of itself is taken where it is a GGUF
     * @param licence an SPDX expression
     * @param base the model that this one was made from, such as {@code org/name}
     */
    static ObjectNode write(
            String model,
            String version,
            Path file,
            Sha256 digest,
            Optional<String> licence,
            Optional<String> base,
            Instant now)
            throws IOException {
        ObjectNode bom = Json.object()
                .put("bomFormat", FORMAT)
                .put("specVersion", "1.6")
                .put("serialNumber", "urn:uuid:" + UUID.nameUUIDFromBytes(digest.toArray()))
                .put("version", 1);
        ObjectNode metadata = bom.putObject("metadata")
                .put("timestamp", now.truncatedTo(ChronoUnit.SECONDS).toString());
        ObjectNode component = metadata.putObject("component")
                .put("type", MODEL_TYPE)
                .put("bom-ref", "model")
                .put("name", model)
                .put("version", version);
        component.putArray("hashes").addObject().put("alg", "SHA-256").put("content", digest.hex());
        ArrayNode properties = Json.object().putArray("properties");
        property(properties, "bytes", Long.toString(Files.size(file)));
        Optional<String> ownLicence = Optional.empty();
        Optional<String> ownBase = Optional.empty();
        try (Arena arena = Arena.ofConfined();
                FileChannel channel = FileChannel.open(file)) {
            if (GgufReader.read(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena))
                    instanceof Verdict.Accepted<GgufFile>(GgufFile gguf)) {
                text(gguf, "general.architecture")
                        .ifPresent(architecture -> component
                                .putObject("modelCard")
                                .putObject("modelParameters")
                                .put("modelArchitecture", architecture));
                describe(gguf, properties);
                ownLicence = text(gguf, "general.license");
                ownBase = text(gguf, "general.base_model.0.name");
            }
        }
        if (licence.isPresent()) {
            component.putArray("licenses").addObject().put("expression", licence.get());
        } else {
            ownLicence.ifPresent(name -> component
                    .putArray("licenses")
                    .addObject()
                    .putObject("license")
                    .put("name", name));
        }
        (base.isPresent() ? base : ownBase)
                .ifPresent(name -> component
                        .putObject("pedigree")
                        .putArray("ancestors")
                        .addObject()
                        .put("type", MODEL_TYPE)
                        .put("name", name));
        component.set("properties", properties);
        return bom;
    }

    private static Optional<String> text(GgufFile gguf, String key) {
        return gguf.text(key, "") instanceof Verdict.Accepted<String>(String text) && !text.isEmpty()
                ? Optional.of(text)
                : Optional.empty();
    }

    /** The quantization is that of most bytes. */
    private static void describe(GgufFile gguf, ArrayNode properties) {
        Map<String, Long> bytes = new TreeMap<>();
        long weights = 0;
        for (GgufTensor tensor : gguf.tensors()) {
            bytes.merge(tensor.type().name(), tensor.byteLength(), Long::sum);
            weights += tensor.elements();
        }
        bytes.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .ifPresent(most -> property(properties, "quantization", most.getKey()));
        property(properties, "weights", Long.toString(weights));
    }

    private static void property(ArrayNode properties, String name, String value) {
        properties.addObject().put("name", "holdfast:" + name).put("value", value);
    }
}
