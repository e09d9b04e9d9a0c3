package dev.holdfast.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The bill of materials of a package in CycloneDX 1.6, and what its copyright file says of each library:
 * {@code BillOfMaterials programs PACKAGE VERSION JARS FOLDER BOM...} joins those that Maven's plugin wrote for the programs, without what
 * differs from one build to the next; {@code BillOfMaterials runtime VENDOR VERSION FOLDER MODULE...} names the modules of Java. A jar that no
 * bill names is an error.
 */
public final class BillOfMaterials {
    static final String FILE = "sbom.cdx.json";
    private static final String SPEC = "1.6";

    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(SerializationFeature.INDENT_OUTPUT)
            .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);

    private BillOfMaterials() {}

    public static void main(String[] args) throws IOException {
        Instant made = Instant.ofEpochSecond(Long.parseLong(System.getenv().getOrDefault("SOURCE_DATE_EPOCH", "0")));
        List<String> rest = List.of(args);
        switch (args[0]) {
            case "programs" ->
                programs(
                        document(args[1], args[2], made),
                        Path.of(args[3]),
                        Path.of(args[4]),
                        rest.subList(5, rest.size()).stream().map(Path::of).toList());
            case "runtime" ->
                runtime(
                        document("holdfast-runtime", args[2], made),
                        args[1],
                        args[2],
                        Path.of(args[3]),
                        rest.subList(4, rest.size()));
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static ObjectNode document(String name, String version, Instant made) {
        ObjectNode document = JSON.createObjectNode()
                .put("bomFormat", "CycloneDX")
                .put("specVersion", SPEC)
                .put("version", 1);
        ObjectNode metadata = document.putObject("metadata").put("timestamp", made.toString());
        metadata.putObject("component")
                .put("type", "application")
                .put("name", name)
                .put("version", version)
                .put("purl", "pkg:deb/holdfast/" + name + "@" + version);
        return document;
    }

    static void programs(ObjectNode document, Path jars, Path folder, List<Path> bills) throws IOException {
        SortedMap<String, ObjectNode> byFile = new TreeMap<>();
        for (Path bill : bills) {
            JsonNode read = JSON.readTree(Files.readAllBytes(bill));
            List<JsonNode> components = new ArrayList<>();
            components.add(read.path("metadata").path("component"));
            read.path("components").forEach(components::add);
            for (JsonNode component : components) {
                byFile.putIfAbsent(file(component), component.deepCopy());
            }
        }
        List<String> shipped;
        try (Stream<Path> files = Files.list(jars)) {
            shipped = files.map(each -> String.valueOf(each.getFileName()))
                    .sorted()
                    .toList();
        }
        ArrayNode components = document.putArray("components");
        StringBuilder licences = new StringBuilder();
        for (String name : shipped) {
            ObjectNode component = byFile.get(name);
            if (component == null) {
                throw new IOException("no bill of materials names " + name);
            }
            component.remove(List.of("bom-ref", "evidence", "externalReferences", "properties"));
            ObjectNode property = JSON.createObjectNode();
            // The hashes are those of what Maven fetched; here it is packed without compression.
            property.put("name", "holdfast:sha256-as-shipped").put("value", sha256(jars.resolve(name)));
            component.putArray("properties").add(property);
            components.add(component);
            licences.append("Files: usr/lib/")
                    .append(document.at("/metadata/component/name").textValue())
                    .append("/jars/")
                    .append(name)
                    .append("\nCopyright: the authors of ")
                    .append(component.path("group").asText(""))
                    .append(' ')
                    .append(component.path("name").asText())
                    .append("\nLicense: ")
                    .append(licence(component))
                    .append("\n\n");
        }
        Files.writeString(folder.resolve(FILE), JSON.writeValueAsString(document) + "\n");
        Files.writeString(folder.resolve("licences"), licences);
    }

    private static void runtime(ObjectNode document, String vendor, String version, Path folder, List<String> modules)
            throws IOException {
        ObjectNode jdk = document.putArray("components")
                .addObject()
                .put("type", "platform")
                .put("group", vendor)
                .put("name", "OpenJDK")
                .put("version", version)
                .put("cpe", "cpe:2.3:a:oracle:openjdk:" + version.replaceAll("[+-].*", "") + ":*:*:*:*:*:*:*");
        jdk.putArray("licenses").addObject().put("expression", "GPL-2.0-only WITH Classpath-exception-2.0");
        ArrayNode properties = jdk.putArray("properties");
        modules.forEach(
                module -> properties.addObject().put("name", "jlink:module").put("value", module));
        Files.writeString(folder.resolve(FILE), JSON.writeValueAsString(document) + "\n");
    }

    /** {@code netty-transport-native-epoll-4.2.17.Final-linux-x86_64.jar}, as Maven names the file. */
    private static String file(JsonNode component) {
        String purl = component.path("purl").asText("");
        int at = purl.indexOf("classifier=");
        String classifier =
                at < 0 ? "" : "-" + purl.substring(at + "classifier=".length()).replaceAll("&.*", "");
        return component.path("name").asText() + "-" + component.path("version").asText() + classifier + ".jar";
    }

    /** In SPDX's names where the bill has them; {@code unknown} is said as such. */
    private static String licence(JsonNode component) {
        List<String> names = new ArrayList<>();
        for (JsonNode each : component.path("licenses")) {
            String name = each.path("expression")
                    .asText(each.path("license")
                            .path("id")
                            .asText(each.path("license").path("name").asText("")));
            if (!name.isEmpty()) {
                names.add(name);
            }
        }
        return names.isEmpty() ? "unknown" : String.join(" or ", names);
    }

    private static String sha256(Path file) throws IOException {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
