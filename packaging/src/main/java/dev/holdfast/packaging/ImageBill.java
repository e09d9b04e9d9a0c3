package dev.holdfast.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.image.Provenance.Material;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;

/** The bill of materials of a container image in CycloneDX 1.6: that of its packages, and the Debian packages of its base. */
final class ImageBill {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

    private ImageBill() {}

    static byte[] of(String name, String version, Instant made, List<Path> bills, List<Material> debian)
            throws IOException {
        ObjectNode document = JSON.createObjectNode()
                .put("bomFormat", "CycloneDX")
                .put("specVersion", "1.6")
                .put("version", 1);
        document.putObject("metadata")
                .put("timestamp", made.toString())
                .putObject("component")
                .put("type", "container")
                .put("name", name)
                .put("version", version);
        ArrayNode components = document.putArray("components");
        for (Material each : debian) {
            // pkg:deb/debian/NAME@VERSION?...
            String[] words = each.uri().replaceFirst("^pkg:deb/debian/", "").split("[@?]", 3);
            ObjectNode one = components
                    .addObject()
                    .put("type", "library")
                    .put("group", "debian")
                    .put("name", words[0])
                    .put("version", words[1].replace("%2B", "+").replace("%7E", "~"))
                    .put("purl", each.uri());
            one.putArray("hashes").addObject().put("alg", "SHA-256").put("content", each.sha256());
        }
        for (Path bill : bills) {
            JsonNode read = JSON.readTree(Files.readAllBytes(bill));
            components.add(read.path("metadata").path("component"));
            components.addAll((ArrayNode) read.path("components"));
        }
        return (JSON.writeValueAsString(document) + "\n").getBytes(java.nio.charset.StandardCharsets.UTF_8);
    }
}
