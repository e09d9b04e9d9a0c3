package dev.holdfast.image;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.ArrayList;
import java.util.List;

/**
 * Who built an image, from which commit and from what else: an in-toto statement v1 with a SLSA provenance v1. It has no times, so that the
 * same input gives the same bytes.
 *
 * @param image digest of the image's manifest
 * @param builder the URI of who built it
 * @param source the URI of the repository; empty where nobody named one
 * @param commit of the repository, in hexadecimal
 * @param uncommitted whether the tree had changes that no commit has
 * @param materials what else went into it, such as Debian packages
 * @param bill SHA-256 of the image's bill of materials
 */
public record Provenance(
        String name,
        String version,
        String architecture,
        Sha256 image,
        String builder,
        String source,
        String commit,
        boolean uncommitted,
        List<Material> materials,
        Sha256 bill) {
    static final String PREDICATE = "https://slsa.dev/provenance/v1";

    private static final String STATEMENT = "https://in-toto.io/Statement/v1";
    /** How these images are built: by packaging/image.sh of the commit. */
    private static final String BUILD_TYPE = "tag:holdfast.dev,2026:image-1";

    private static final String BILL = "sbom.cdx.json";
    private static final String GIT = "git+";
    private static final int MAX_MATERIALS = 1024;
    private static final int MAX_CHARS = 512;

    /**
     * Something that the image was made of.
     *
     * @param uri a package URL
     * @param sha256 of its file in hexadecimal; empty where there is none
     */
    public record Material(String uri, String sha256) {}

    public Provenance {
        materials = List.copyOf(materials);
    }

    byte[] toBytes() {
        ObjectNode json = Json.object().put("_type", STATEMENT);
        ObjectNode subject = json.putArray("subject").addObject().put("name", name);
        subject.putObject("digest").put("sha256", image.hex());
        json.put("predicateType", PREDICATE);
        ObjectNode predicate = json.putObject("predicate");
        ObjectNode build = predicate.putObject("buildDefinition").put("buildType", BUILD_TYPE);
        build.putObject("externalParameters")
                .put("image", name)
                .put("version", version)
                .put("architecture", architecture)
                .put("uncommitted", uncommitted);
        ArrayNode from = build.putArray("resolvedDependencies");
        ObjectNode tree = from.addObject().put("name", "source");
        if (!source.isEmpty()) {
            tree.put("uri", GIT + source);
        }
        tree.putObject("digest").put("gitCommit", commit);
        for (Material material : materials) {
            ObjectNode one = from.addObject().put("uri", material.uri());
            if (!material.sha256().isEmpty()) {
                one.putObject("digest").put("sha256", material.sha256());
            }
        }
        ObjectNode run = predicate.putObject("runDetails");
        run.putObject("builder").put("id", builder);
        ObjectNode made =
                run.putArray("byproducts").addObject().put("name", BILL).put("mediaType", MediaTypes.CYCLONEDX);
        made.putObject("digest").put("sha256", bill.hex());
        return Json.write(json);
    }

    /** {@code IMG-PROVENANCE} where it is none of an image of ours, or is about another one than {@code image}. */
    static Provenance read(byte[] statement, Sha256 image) throws RejectedException {
        Fields fields = Envelope.document(statement);
        require(fields, "_type", STATEMENT);
        require(fields, "predicateType", PREDICATE);
        Fields predicate = fields.object("predicate");
        Fields build = predicate.object("buildDefinition");
        require(build, "buildType", BUILD_TYPE);
        Fields subject = only(fields, "subject");
        Sha256 about = sha256(subject.object("digest"), "sha256");
        if (!about.equals(image)) {
            throw new RejectedException(
                    Code.IMG_PROVENANCE, "it is about " + Descriptor.text(about) + ", the image is " + image);
        }
        Fields asked = build.object("externalParameters");
        List<JsonNode> from = build.array("resolvedDependencies", MAX_MATERIALS);
        if (from.isEmpty()) {
            throw build.wrong("resolvedDependencies", "the source, and what else went into the image");
        }
        Fields tree = Fields.of(from.getFirst(), Code.IMG_PROVENANCE);
        List<Material> materials = new ArrayList<>();
        for (JsonNode each : from.subList(1, from.size())) {
            Fields one = Fields.of(each, Code.IMG_PROVENANCE);
            materials.add(new Material(
                    one.text("uri", MAX_CHARS),
                    one.has("digest") ? sha256(one.object("digest"), "sha256").hex() : ""));
        }
        Fields run = predicate.object("runDetails");
        return new Provenance(
                subject.text("name", MAX_CHARS),
                asked.text("version", MAX_CHARS),
                asked.text("architecture", MAX_CHARS),
                image,
                run.object("builder").text("id", MAX_CHARS),
                tree.has("uri") ? tree.text("uri", MAX_CHARS).replaceFirst("^git\\+", "") : "",
                tree.object("digest").text("gitCommit", MAX_CHARS),
                asked.flag("uncommitted"),
                materials,
                sha256(only(run, "byproducts").object("digest"), "sha256"));
    }

    private static void require(Fields fields, String name, String value) throws RejectedException {
        if (!fields.text(name, MAX_CHARS).equals(value)) {
            throw fields.wrong(name, value);
        }
    }

    private static Fields only(Fields fields, String name) throws RejectedException {
        List<JsonNode> all = fields.array(name, 1);
        if (all.isEmpty()) {
            throw fields.wrong(name, "an array of one item");
        }
        return Fields.of(all.getFirst(), Code.IMG_PROVENANCE);
    }

    private static Sha256 sha256(Fields digests, String name) throws RejectedException {
        try {
            return digests.sha256(name);
        } catch (RejectedException e) {
            throw digests.wrong(name, "64 hexadecimal digits");
        }
    }
}
