package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SpecVersion;
import dev.holdfast.fleet.AttachmentFiles;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.SampleRelease;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is published about a model, through the command line. */
class AttachmentsTest {
    private static final Path DEMO = Path.of("..", "..", "demo", "intent-1.0.0.gguf");

    @TempDir
    Path dir;

    private FleetRepository repository;
    private String errors = "";

    @BeforeEach
    void init() throws Exception {
        repository = new FleetRepository(new FleetDirectory(dir.resolve("fleet")), Clock.systemUTC());
        Path root = repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1"));
        assertThat(root).exists();
    }

    private int publish(Path file, String... more) {
        List<String> args = new ArrayList<>(List.of(
                "publish",
                "--dir",
                dir.resolve("fleet").toString(),
                "tiny",
                "1.0.0",
                file.toString(),
                "--template",
                DEMO.resolveSibling("template.json").toString()));
        args.addAll(List.of(more));
        StringWriter err = new StringWriter();
        int code = FleetCommand.run(
                new PrintWriter(new StringWriter()), new PrintWriter(err, true), args.toArray(new String[0]));
        errors = err.toString();
        return code;
    }

    private ModelTarget model() throws Exception {
        return repository.release("tiny", "1.0.0").model();
    }

    private Attachment attached(Attachment.Kind kind) throws Exception {
        return model().attachments().stream()
                .filter(one -> one.kind() == kind)
                .findFirst()
                .orElseThrow();
    }

    private JsonNode content(Attachment.Kind kind) throws Exception {
        TargetFile named = attached(kind).file();
        byte[] bytes = Files.readAllBytes(repository.directory().blob(named.sha256()));
        assertThat(bytes.length).isEqualTo(named.length());
        return Json.readObject(bytes, 1 << 20).orThrow();
    }

    @Test
    void writesABillOfMaterialsWithWhatIsKnown() throws Exception {
        assertThat(publish(DEMO, "--licence", "Apache-2.0", "--base-model", "org/base"))
                .as(errors)
                .isZero();
        JsonNode component = content(Attachment.Kind.BOM).at("/metadata/component");
        assertThat(content(Attachment.Kind.BOM).path("specVersion").asText()).isEqualTo("1.6");
        assertThat(component.path("type").asText()).isEqualTo("machine-learning-model");
        assertThat(component.path("name").asText()).isEqualTo("tiny");
        assertThat(component.path("version").asText()).isEqualTo("1.0.0");
        assertThat(component.at("/hashes/0/content").asText())
                .isEqualTo(model().file().sha256().hex());
        assertThat(component.at("/licenses/0/expression").asText()).isEqualTo("Apache-2.0");
        assertThat(component.at("/pedigree/ancestors/0/name").asText()).isEqualTo("org/base");
        assertThat(component.at("/modelCard/modelParameters/modelArchitecture").asText())
                .isEqualTo("llama");
        assertThat(component.path("properties").toString())
                .contains("holdfast:quantization")
                .contains("Q");
    }

    /** By the schema that CycloneDX publishes, with all that a bill of ours may hold. */
    @Test
    void theBillOfMaterialsIsOneByTheOfficialSchema() throws Exception {
        JsonSchema schema = JsonSchemaFactory.getInstance(
                        SpecVersion.VersionFlag.V7,
                        builder -> builder.schemaMappers(
                                mappers -> mappers.mapPrefix("http://cyclonedx.org/schema/", "classpath:")))
                .getSchema(SchemaLocation.of("classpath:bom-1.6.schema.json"));
        assertThat(publish(DEMO, "--licence", "Apache-2.0", "--base-model", "org/base"))
                .as(errors)
                .isZero();
        ObjectNode bill = (ObjectNode) content(Attachment.Kind.BOM);
        assertThat(schema.validate(bill)).isEmpty();
        bill.put("specVersion", 16);
        assertThat(schema.validate(bill)).as("what the schema refuses").isNotEmpty();
    }

    @Test
    void takesThePublishersOwnBillWhereItIsAboutThisModel() throws Exception {
        String digest = Sha256.ofFile(DEMO).hex();
        Path own = Files.writeString(
                dir.resolve("own.json"),
                "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":[{\"type\":\"machine-learning-model\","
                        + "\"name\":\"x\",\"hashes\":[{\"alg\":\"SHA-256\",\"content\":\"" + digest + "\"}]}]}");
        assertThat(publish(DEMO, "--bom", own.toString())).as(errors).isZero();
        assertThat(content(Attachment.Kind.BOM).at("/components/0/name").asText())
                .isEqualTo("x");
    }

    @Test
    void refusesABillAboutAnotherModelAndPublishesNothing() throws Exception {
        for (String text : List.of("{}", "{\"bomFormat\":\"CycloneDX\"}", "[]", "nothing")) {
            Path other = Files.writeString(dir.resolve("other.json"), text);
            assertThat(publish(DEMO, "--bom", other.toString())).as(text).isEqualTo(1);
        }
        assertThat(repository.targets()).isEmpty();
    }

    /** The vectors of trust: openssl signed them. */
    @Test
    void pinsTheSignersKeyOfAProvenanceThatVerifies() throws Exception {
        Path vectors = Path.of("../../updater/trust/src/test/resources/dev/holdfast/trust/release/oms");
        byte[] model = Files.readAllBytes(vectors.resolve("model.bin"));
        Path signature = vectors.resolve("p384.json");
        Path key = vectors.resolve("p384.pem");
        assertThatThrownBy(() -> sign(model, signature, Optional.empty())).hasMessageContaining("CFG-INVALID");
        assertThatThrownBy(() -> sign(model, signature, Optional.of(vectors.resolve("p256.pem"))))
                .hasMessageContaining("OMS-KEY");
        assertThat(publish(DEMO, "--provenance", signature.toString(), "--provenance-key", key.toString()))
                .isEqualTo(1);
        assertThat(errors).contains("OMS-SUBJECT");
        sign(model, signature, Optional.of(key));
        assertThat(attached(Attachment.Kind.PROVENANCE).signer().orElseThrow().toPem())
                .isEqualTo(Files.readString(key));
        assertThat(content(Attachment.Kind.PROVENANCE).has("dsseEnvelope")).isTrue();
    }

    /** What the vectors sign is no model. */
    private void sign(byte[] model, Path signature, Optional<Path> key) throws Exception {
        AttachmentFiles about =
                new AttachmentFiles(Optional.of(signature), key, Optional.empty(), Optional.empty(), Optional.empty());
        SampleRelease.sign(repository, "tiny", "1.0.0", model, Json.object(), Optional.empty(), about);
    }
}
