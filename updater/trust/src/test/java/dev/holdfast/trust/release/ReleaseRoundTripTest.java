package dev.holdfast.trust.release;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a publisher writes is what a device reads, and what was signed before today still has the same bytes. */
class ReleaseRoundTripTest {
    private static final Sha256 ONE = Sha256.of(new byte[] {1});
    private static final Sha256 TWO = Sha256.of(new byte[] {2});
    private static final String PATH = "models/intent/1.0.0/model.gguf";
    private static final Instant NOW = Instant.parse("2027-01-02T03:04:05Z");

    @TempDir
    Path dir;

    private ModelTarget model(List<Attachment> attachments) {
        ObjectNode template = Json.object().put("generation", "<|a|>");
        ObjectNode gate = Json.object().put("minPassRatio", 0.9).put("maxLoadMillis", 20000);
        return new ModelTarget(
                new TargetFile(PATH, 100_000, ONE, Json.object()),
                new BlockTree(32768, TWO),
                "intent",
                "1.0.0",
                3,
                2,
                template,
                gate,
                "0.1.0",
                5,
                attachments);
    }

    private Attachment attachment(Attachment.Kind kind, Optional<SignerKey> signer) throws Exception {
        Path file = Files.writeString(dir.resolve("about"), "{}");
        return Attachment.of(kind, PATH, file, Sha256.ofFile(file), BlockTree.MIN_BYTES, signer);
    }

    private static ModelTarget read(ModelTarget written) throws Exception {
        return ModelTarget.of(written.listed()).orThrow();
    }

    /** The same but for the block that a target that was read carries. */
    private static ModelTarget bare(ModelTarget read) {
        TargetFile file = read.file();
        return new ModelTarget(
                new TargetFile(file.path(), file.length(), file.hashes(), Json.object()),
                read.blocks(),
                read.model(),
                read.version(),
                read.release(),
                read.epoch(),
                read.template(),
                read.gate(),
                read.minAgent(),
                read.memoryBytes(),
                read.attachments());
    }

    @Test
    void aModelIsReadAsItWasWritten() throws Exception {
        ModelTarget written = model(List.of());
        assertThat(bare(read(written))).isEqualTo(written);
        assertThat(read(written).listed()).isEqualTo(written.listed());
        assertThat(ModelTarget.is(written.listed())).isTrue();
        assertThat(DeltaTarget.is(written.listed())).isFalse();
    }

    @Test
    void theBlockOfAModelHasTheBytesThatFleetsSigned() {
        assertThat(new String(Json.write(model(List.of()).toCustom()), StandardCharsets.UTF_8))
                .isEqualTo("{\"kind\":\"model\",\"model\":\"intent\",\"version\":\"1.0.0\",\"release\":3,\"epoch\":2,"
                        + "\"format\":\"gguf\",\"minAgent\":\"0.1.0\",\"blocks\":{\"bytes\":32768,\"root\":\""
                        + TWO.hex()
                        + "\"},\"template\":{\"generation\":\"<|a|>\"},\"gate\":{\"minPassRatio\":0.9,"
                        + "\"maxLoadMillis\":20000},\"needs\":{\"memoryBytes\":5}}");
    }

    @Test
    void filesAboutAModelAreReadAsTheyWereWritten() throws Exception {
        Attachment provenance = attachment(Attachment.Kind.PROVENANCE, Optional.of(new OmsSigner().key()));
        Attachment bom = attachment(Attachment.Kind.BOM, Optional.empty());
        ModelTarget written = model(List.of(provenance, bom));
        assertThat(read(written).attachments()).containsExactly(provenance, bom);
        assertThat(bare(read(written))).isEqualTo(written);
        assertThat(new String(Json.write(written.toCustom().path("bom")), StandardCharsets.UTF_8))
                .isEqualTo("{\"digest\":\"" + bom.file().sha256().hex() + "\",\"length\":2,\"blocks\":{\"bytes\":1024,"
                        + "\"root\":\"" + bom.blocks().root().hex() + "\"}}");
        assertThat(written.toCustom().path("provenance").path("key").asText())
                .isEqualTo(provenance.signer().orElseThrow().toPem());
    }

    @Test
    void aPatchIsReadAsItWasWritten() throws Exception {
        TargetFile file = new TargetFile("models/intent/2.0.0/from-x.hfd", 900, TWO, Json.object());
        DeltaTarget written =
                new DeltaTarget(file, new BlockTree(1024, ONE), "intent", "2.0.0", "hfd2", ONE, TWO, Long.MAX_VALUE);
        DeltaTarget read = DeltaTarget.of(written.listed()).orThrow();
        assertThat(read).usingRecursiveComparison().ignoringFields("file").isEqualTo(written);
        assertThat(read.listed()).isEqualTo(written.listed());
        assertThat(new String(Json.write(written.toCustom()), StandardCharsets.UTF_8))
                .isEqualTo(
                        "{\"kind\":\"delta\",\"model\":\"intent\",\"version\":\"2.0.0\",\"codec\":\"hfd2\",\"base\":\""
                                + ONE.hex() + "\",\"result\":\"" + TWO.hex() + "\",\"resultLength\":" + Long.MAX_VALUE
                                + ",\"blocks\":{\"bytes\":1024,\"root\":\"" + ONE.hex() + "\"}}");
    }

    @ParameterizedTest
    @ValueSource(ints = {BlockTree.MIN_BYTES, 32768, BlockTree.MAX_BYTES})
    void aBlockTreeIsReadAsItWasWritten(int bytes) throws Exception {
        BlockTree written = new BlockTree(bytes, ONE);
        ObjectNode parent = Json.object();
        written.put(parent);
        assertThat(BlockTree.read(Fields.of(parent), 1)).isEqualTo(written);
    }

    @Test
    void termsOfARolloutAreReadAsTheyWereWritten() throws Exception {
        for (Rollout written : List.of(
                new Rollout("r", NOW, Duration.ofHours(4), Optional.of(new Rollout.Window(1380, 180)), 9),
                new Rollout("r", Instant.EPOCH, Duration.ZERO, Optional.empty(), Long.MAX_VALUE))) {
            assertThat(Rollout.fromJson(written.toJson()).orThrow()).isEqualTo(written);
        }
    }

    /** As the Image repository lists it, so read once: a number in memory may be of another width than one that was read. */
    private TargetFile listed() throws Exception {
        JsonNode custom =
                Json.read(Json.write(model(List.of()).toCustom()), 10_000).orThrow();
        return new TargetFile(PATH, 100_000, ONE, custom);
    }

    @Test
    void anOrderIsReadAsItWasWritten() throws Exception {
        List<TargetFile> files = List.of(
                listed(),
                new TargetFile("adapters/polite.gguf", 10, ONE, Json.object()),
                new TargetFile("models/draft/1/model.gguf", 10, TWO, Json.object()),
                older());
        Binary nonce = Binary.copyOf(new byte[DirectorOrder.NONCE_BYTES]);
        Rollout rollout = new Rollout("r", NOW, Duration.ofHours(4), Optional.empty(), 9);
        ModelTerms atOnce = new ModelTerms(PATH, true, Optional.empty());
        ModelTerms all = new ModelTerms(
                PATH,
                true,
                3,
                Optional.of(rollout),
                List.of(new ModelTerms.Grace("models/old/1/model.gguf", 1798859045)),
                Optional.of("models/draft/1/model.gguf"),
                List.of("adapters/polite.gguf"),
                Optional.of(Json.object().put("scheme", "aes")));
        DirectorOrder asked = DirectorOrder.answering(
                nonce, "device-1", 7, NOW, NOW.plusSeconds(60), files.subList(0, 3), named(atOnce));
        for (DirectorOrder written : List.of(
                asked,
                DirectorOrder.answering(nonce, "device-1", 7, NOW, NOW.plusSeconds(60), files, named(all)),
                DirectorOrder.answering(
                        nonce, "device-1", 7, NOW, NOW.plusSeconds(60), List.of(), Collections.emptySortedMap()),
                DirectorOrder.offline("device-1", 7, NOW, NOW.plusSeconds(60), files, named(all)),
                new DirectorOrder(
                        "device-1",
                        7,
                        asked.issuedSeconds(),
                        asked.expires(),
                        asked.nonce(),
                        files,
                        named(all),
                        Optional.of(86_400L)))) {
            byte[] file = RepositorySimulator.DIRECTOR.sign(written.signedPart());
            assertThat(DirectorOrder.read(Envelope.parse(file, "director", 100_000)))
                    .isEqualTo(written);
        }
    }

    /** The same release under another path. */
    private TargetFile older() throws Exception {
        return new TargetFile("models/old/1/model.gguf", listed().length(), listed().hashes(), listed().custom());
    }

    private static SortedMap<String, ModelTerms> named(ModelTerms terms) {
        return new TreeMap<>(Map.of("intent", terms));
    }

    @Test
    void anOrderHasTheBytesThatFleetsSign() {
        String head = "{\"_type\":\"director\",\"device\":\"d\",\"expires\":\"2027-01-02T03:05:05Z\","
                + "\"issued\":1798859045,\"models\":";
        String tail = "\"spec_version\":\"1.0.34\",\"targets\":{},\"version\":7}";
        Binary nonce = Binary.copyOf(new byte[] {1, (byte) 255});
        assertThat(canonical(DirectorOrder.answering(
                                nonce, "d", 7, NOW, NOW.plusSeconds(60), List.of(), Collections.emptySortedMap())
                        .signedPart()))
                .isEqualTo(head + "{},\"nonce\":\"01ff\"," + tail);
        Rollout rollout = new Rollout("r", NOW, Duration.ofHours(4), Optional.empty(), 9);
        ModelTerms terms = new ModelTerms(PATH, true, Optional.of(rollout));
        assertThat(canonical(DirectorOrder.offline("d", 7, NOW, NOW.plusSeconds(60), List.of(), named(terms))
                        .signedPart()))
                .isEqualTo(head + "{\"intent\":{\"default\":true,\"rollout\":{\"byteBudget\":9,\"id\":\"r\","
                        + "\"spreadSeconds\":14400,\"start\":1798859045},\"target\":\"" + PATH
                        + "\"}},\"offline\":true," + tail);
    }

    /** Both sides name templates, authorities and slots by these, so that none of them may ever change. */
    @Test
    void namesInEvidenceAreTheHashesThatTheyWere() throws Exception {
        JsonNode template = Json.read("{\"b\":1,\"a\":[\"x\"]}".getBytes(StandardCharsets.UTF_8), 100)
                .orThrow();
        assertThat(CanonicalJson.digest(template))
                .isEqualTo(Sha256.of("{\"a\":[\"x\"],\"b\":1}".getBytes(StandardCharsets.UTF_8)));
        assertThat(AuthorityId.of("ab12"))
                .isEqualTo(Sha256.of("ab12".getBytes(StandardCharsets.UTF_8)).value());
        String slot = "{\"digest\":\"" + ONE.hex() + "\",\"epoch\":2,\"gate\":\"" + TWO.hex()
                + "\",\"release\":3,\"target\":\"" + PATH + "\",\"template\":\"" + ONE.hex() + "\"}";
        assertThat(SlotId.of(PATH, 3, 2, ONE, ONE, TWO).value())
                .isEqualTo(Sha256.of(slot.getBytes(StandardCharsets.UTF_8)));
    }

    private static String canonical(JsonNode node) {
        return new String(CanonicalJson.bytes(node), StandardCharsets.UTF_8);
    }
}
