package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.release.Attachment;
import dev.holdfast.trust.release.BlockTree;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.release.OmsSigner;
import dev.holdfast.trust.release.SignerKey;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files about a model: its provenance is verified before the model is fetched, and both are kept beside it as long as it is kept. */
class AttachmentTest {
    private static final byte[] BOM = "{\"bomFormat\":\"CycloneDX\"}".getBytes(StandardCharsets.US_ASCII);

    private final InstallWorld world;
    private final OmsSigner signer = new OmsSigner();
    private final Sha256 model;

    AttachmentTest(@TempDir Path dir) throws IOException {
        world = new InstallWorld(dir, true);
        model = Sha256.of(world.first);
    }

    private ObjectNode custom() throws IOException {
        Path file = Files.write(world.dir.resolve("publish"), world.first);
        return RepositorySimulator.modelCustom("1.0.0", 1, 1, BlockTree.of(file, InstallWorld.BLOCK));
    }

    private ObjectNode signed(byte[] bundle, SignerKey pinned) throws IOException {
        ObjectNode custom = custom();
        world.about(custom, Attachment.Kind.PROVENANCE, bundle).put("key", pinned.toPem());
        return custom;
    }

    private byte[] bundle() {
        return signer.bundle(signer.statement(model), bundle -> {});
    }

    private InstallOutcome install(ObjectNode custom) throws IOException {
        return world.installer()
                .install(InstallWorld.order(1, InstallWorld.target(world.first, "1.0.0", custom), List.of()));
    }

    private void assertFailsBeforeTheModelIsFetched(ObjectNode custom, Code code) throws IOException {
        assertThat(install(custom))
                .isInstanceOfSatisfying(
                        InstallOutcome.Failed.class,
                        f -> assertThat(f.reason().code()).isEqualTo(code));
        assertThat(world.delivered).noneMatch(block -> block.startsWith(model.hex()));
        assertThat(world.serving()).isEmpty();
        assertThat(names("about")).isEmpty();
        assertThat(names("partial")).isEmpty();
    }

    private SlotId slot(ObjectNode custom) {
        return TargetSlot.of(InstallWorld.target(world.first, "1.0.0", custom)).slotId();
    }

    /** The same bytes signed again with other words: what is about the release in service stays as it is. */
    @Test
    void eachReleaseOfTheSameBytesHasItsOwn() throws Exception {
        ObjectNode custom = custom();
        world.about(custom, Attachment.Kind.BOM, BOM);
        assertThat(install(custom)).isInstanceOf(InstallOutcome.Committed.class);
        ObjectNode next = custom().put("version", "1.0.1").put("release", 2);
        byte[] other = "{\"bomFormat\":\"other\"}".getBytes(StandardCharsets.US_ASCII);
        world.about(next, Attachment.Kind.BOM, other);
        assertThat(world.installer()
                        .install(InstallWorld.order(2, InstallWorld.target(world.first, "1.0.1", next), List.of())))
                .isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.store.attachment(slot(custom), Attachment.Kind.BOM)).hasBinaryContent(BOM);
        assertThat(names("about")).hasSize(2);
    }

    private List<String> names(String folder) throws IOException {
        try (var files = Files.list(world.dir.resolve("store").resolve(folder))) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void keepsProvenanceAndBillOfMaterialsBesideTheModelAsLongAsItIsKept() throws Exception {
        ObjectNode custom = signed(bundle(), signer.key());
        world.about(custom, Attachment.Kind.BOM, BOM);
        assertThat(install(custom)).isInstanceOf(InstallOutcome.Committed.class);
        SlotId slot = slot(custom);
        assertThat(names("about")).containsExactly(slot + ".cdx.json", slot + ".oms.json");
        assertThat(world.store.attachment(slot, Attachment.Kind.BOM)).hasBinaryContent(BOM);

        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(names("about")).contains(slot + ".cdx.json").hasSize(3);
        byte[] third = InstallWorld.nudged(world.second);
        ModelOrder thirdOrder = InstallWorld.order(3, world.target(third, "3.0.0", 1), List.of());
        assertThat(world.installer().install(thirdOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(names("about"))
                .containsExactlyInAnyOrder(
                        TargetSlot.of(world.secondOrder.model()).slotId() + ".cdx.json",
                        TargetSlot.of(thirdOrder.model()).slotId() + ".cdx.json");
    }

    @Test
    void replacesWhatLiesInItsPlaceButIsNotWhatWasSigned() throws Exception {
        ObjectNode custom = custom();
        world.about(custom, Attachment.Kind.BOM, BOM);
        Files.write(world.store.attachment(slot(custom), Attachment.Kind.BOM), new byte[BOM.length]);
        assertThat(install(custom)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(world.store.attachment(slot(custom), Attachment.Kind.BOM)).hasBinaryContent(BOM);
    }

    @Test
    void failsClosedWhereProvenanceDoesNotHold() throws Exception {
        assertFailsBeforeTheModelIsFetched(signed(bundle(), new OmsSigner().key()), Code.OMS_KEY);
        Sha256 other = Sha256.of(world.second);
        assertFailsClosed(signer.bundle(signer.statement(other), bundle -> {}), Code.OMS_SUBJECT);
        assertFailsClosed("{}".getBytes(StandardCharsets.US_ASCII), Code.OMS_FORMAT);
    }

    private void assertFailsClosed(byte[] bundle, Code code) throws IOException {
        InstallOutcome outcome = world.installer()
                .install(InstallWorld.order(
                        world.installer().history().getLast().orderVersion() + 1,
                        InstallWorld.target(world.first, "1.0.0", signed(bundle, signer.key())),
                        List.of()));
        assertThat(outcome)
                .isInstanceOfSatisfying(
                        InstallOutcome.Failed.class,
                        f -> assertThat(f.reason().code()).isEqualTo(code));
        assertThat(world.serving()).isEmpty();
    }

    @Test
    void refusesBytesThatFitTheTreeButNotTheDigest() throws Exception {
        ObjectNode custom = custom();
        Sha256 wrong = Sha256.of(new byte[9]);
        world.about(custom, Attachment.Kind.BOM, BOM).put("digest", wrong.hex());
        world.service.put(wrong, BOM);
        assertFailsBeforeTheModelIsFetched(custom, Code.INS_DIGEST);
    }

    @Test
    void refusesABlockThatNamesSuchAFileBadly() throws Exception {
        ObjectNode noKey = custom();
        world.about(noKey, Attachment.Kind.PROVENANCE, bundle());
        ObjectNode badKey = signed(bundle(), signer.key());
        ((ObjectNode) badKey.path("provenance")).put("key", "none");
        ObjectNode tooLong = custom();
        world.about(tooLong, Attachment.Kind.BOM, BOM).put("length", Attachment.MAX_BYTES + 1);
        ObjectNode noObject = custom().put("bom", "x");
        for (ObjectNode custom : List.of(noKey, badKey, tooLong, noObject)) {
            TargetFile file = new TargetFile("models/intent/1.0.0/model.gguf", world.first.length, model, custom);
            assertThat(ModelTarget.of(file))
                    .as(Json.pretty(custom))
                    .isInstanceOfSatisfying(
                            Verdict.Rejected.class,
                            r -> assertThat(r.reason().code()).isIn(Code.UPD_FORMAT, Code.OMS_KEY));
        }
    }
}
