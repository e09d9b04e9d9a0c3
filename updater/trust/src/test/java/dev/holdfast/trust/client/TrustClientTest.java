package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.storage.CrashDisk;
import dev.holdfast.trust.release.Order;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.Meta;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.trust.schema.TargetFile;
import dev.holdfast.trust.schema.TargetsRole;
import dev.holdfast.trust.signing.RoleSigner;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.trust.signing.SignedMetadata;
import dev.holdfast.trust.signing.SigningKey;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TrustClientTest {
    @TempDir
    Path dir;

    private final RepositorySimulator repo = new RepositorySimulator();
    private final FakeTee tee = new FakeTee();
    private Instant now = RepositorySimulator.NOW;

    @BeforeEach
    void provision() throws Exception {
        byte[] factory = repo.file("1.root.json");
        Files.write(dir.resolve("factory.json"), factory);
        tee.provision(dir.resolve("state"), dir.resolve("factory.json"));
    }

    private Verdict<TrustClient> start() throws IOException {
        return TrustClient.start(
                dir.resolve("state"),
                dir.resolve("factory.json"),
                tee.anchors(),
                repo,
                Clock.fixed(now, ZoneOffset.UTC));
    }

    private TrustClient client() throws IOException, RejectedException {
        return start().orThrow();
    }

    private static void assertRefused(Verdict<?> verdict, Code code) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code())
                                .as(r.reason().toString())
                                .isEqualTo(code));
    }

    private void assertRefreshRefused(Code code) throws Exception {
        assertRefused(client().refresh(), code);
    }

    @Test
    void acceptsAWellSignedRepositoryAndItsOrder() throws Exception {
        TrustClient client = client();
        assertThat(client.refresh().orThrow().files()).containsOnlyKeys("models/intent/1.0.0/model.gguf");
        Order order = client.order("device-1").orThrow();
        assertThat(order.byDefault()).hasValue("intent");
        assertThat(order.models())
                .singleElement()
                .satisfies(one -> assertThat(one.model().version()).isEqualTo("1.0.0"));
        assertThat(client.anchorKeyId())
                .isEqualTo(RepositorySimulator.OFFLINE.keys().get(2).keyId());
        assertThat(tee.verifications).isPositive();
    }

    @Test
    void refusesAFactoryRootThatTheTeeDoesNotHold() throws Exception {
        tee.anchor(Sha256.of(new byte[1]));
        assertRefused(start(), Code.UPD_ANCHOR);
    }

    @Test
    void aRecordOrACounterThatIsGoneIsNeverMadeAnew() throws Exception {
        java.util.Map<Path, byte[]> provisioned = copyOfState();
        putBack(java.util.Map.of());
        assertRefused(start(), Code.TEE_ROLLBACK);
        assertThat(copyOfState()).isEmpty();
        putBack(provisioned);
        tee.counterGone = true;
        assertRefused(start(), Code.TEE_STATE);
        putBack(java.util.Map.of());
        assertRefused(start(), Code.TEE_STATE);
    }

    /** Who has the TEE's owner on his side can put a counter in place that says what he likes, but not one of the better kind. */
    @Test
    void aRecordHoldsForItsOwnCounterAlone() throws Exception {
        tee.counter = "guarded";
        putBack(java.util.Map.of());
        tee.provision(dir.resolve("state"), dir.resolve("factory.json"));
        assertThat(start().isAccepted()).isTrue();
        tee.counter = "";
        assertRefused(start(), Code.TEE_STATE);
        tee.counter = "guarded";
        assertThat(start().isAccepted()).isTrue();
    }

    /** By a counter that was made for it: that begins above all that the one before had counted. */
    @Test
    void aRecordIsTheNewestWhereTheNewCounterLeavesNoRoomForAnother() throws Exception {
        afterReadmission().raiseEpochFloor("intent", 3).orThrow();
        long counted = tee.generation;
        tee.counterGone = true;
        record().beginRenewal();
        record().beginRenewal();
        tee.counterGone = false;
        tee.generation = counted + 1;
        assertThat(standing()).isEqualTo(DeviceRecord.Standing.UNCOUNTED);
        assertThat(record().isNewest()).isTrue();
        assertThat(record().text()).contains("generation " + counted, "intent=3");
        assertRefused(start(), Code.TEE_STATE);
        tee.generation = counted + 2;
        assertThat(record().isNewest()).isFalse();
        assertRefused(start(), Code.TEE_STATE);
        record().sign();
        assertThat(client().epochFloors()).containsEntry("intent", 3L);
    }

    @Test
    void saysHowTheRecordStandsToWhoProvisions() throws Exception {
        assertThat(standing()).isEqualTo(DeviceRecord.Standing.CURRENT);
        tee.generation += 2;
        assertThat(standing()).isEqualTo(DeviceRecord.Standing.BEHIND);
        tee.counterGone = true;
        assertThat(standing()).isEqualTo(DeviceRecord.Standing.UNCOUNTED);
        tee.counterGone = false;
        afterReadmission().raiseEpochFloor("intent", 3).orThrow();
        java.util.Map<Path, byte[]> record = copyOfState();
        Files.writeString(dir.resolve("state/state.0.json"), "damaged");
        Files.writeString(dir.resolve("state/state.1.json"), "damaged");
        assertThat(standing()).isEqualTo(DeviceRecord.Standing.FOREIGN);
        putBack(java.util.Map.of());
        assertThat(standing()).isEqualTo(DeviceRecord.Standing.ABSENT);
        putBack(record);
        tee.generation += 5;
        DeviceRecord.begin(dir.resolve("state"), dir.resolve("factory.json"), tee.anchors())
                .orThrow();
        assertThat(client().epochFloors()).as("floors are kept").containsEntry("intent", 3L);
    }

    private TrustClient afterReadmission() throws Exception {
        DeviceRecord.begin(dir.resolve("state"), dir.resolve("factory.json"), tee.anchors())
                .orThrow();
        return client();
    }

    private DeviceRecord record() throws Exception {
        return DeviceRecord.look(dir.resolve("state"), Files.readAllBytes(dir.resolve("factory.json")), tee.anchors())
                .orThrow();
    }

    private DeviceRecord.Standing standing() throws Exception {
        return record().standing();
    }

    @Test
    void failsClosedWhenTheTeeIsAway() throws Exception {
        TrustClient client = client();
        tee.away = true;
        assertRefused(client.refresh(), Code.TEE_UNAVAILABLE);
        assertRefused(start(), Code.TEE_UNAVAILABLE);
    }

    @Test
    void reportsASilentTransportAsSuch() throws Exception {
        repo.down = true;
        assertRefreshRefused(Code.LNK_TIMEOUT);
    }

    @Test
    void followsARootRotationAndKeepsEachLinkByteForByte() throws Exception {
        repo.roles = new RoleSigners(
                RepositorySimulator.OTHER_OFFLINE,
                RepositorySimulator.OTHER_OFFLINE,
                RepositorySimulator.SNAPSHOT,
                RepositorySimulator.TIMESTAMP,
                RepositorySimulator.DIRECTOR);
        List<SigningKey> both = new java.util.ArrayList<>(RepositorySimulator.OFFLINE.keys());
        both.addAll(RepositorySimulator.OTHER_OFFLINE.keys());
        repo.root(both);
        repo.publish();
        TrustClient client = client();
        assertThat(client.refresh().isAccepted()).isTrue();
        assertThat(client.rootVersion()).isEqualTo(2);
        assertThat(Files.readAllBytes(dir.resolve("state/2.root.json"))).isEqualTo(repo.file("2.root.json"));
        repo.files.remove("2.root.json");
        assertThat(client().refresh().isAccepted())
                .as("the stored chain serves")
                .isTrue();
    }

    @Test
    void refusesARootThatOnlyItsOwnKeysSign() throws Exception {
        repo.roles = new RoleSigners(
                RepositorySimulator.OTHER_OFFLINE,
                RepositorySimulator.OFFLINE,
                RepositorySimulator.SNAPSHOT,
                RepositorySimulator.TIMESTAMP,
                RepositorySimulator.DIRECTOR);
        repo.root(RepositorySimulator.OTHER_OFFLINE.keys());
        assertRefreshRefused(Code.UPD_SIGNATURE);
        assertThat(dir.resolve("state/2.root.json")).doesNotExist();
    }

    @Test
    void refusesARootThatItsOwnKeysDoNotSign() throws Exception {
        repo.roles = new RoleSigners(
                RepositorySimulator.OTHER_OFFLINE,
                RepositorySimulator.OFFLINE,
                RepositorySimulator.SNAPSHOT,
                RepositorySimulator.TIMESTAMP,
                RepositorySimulator.DIRECTOR);
        repo.root(RepositorySimulator.OFFLINE.keys());
        assertRefreshRefused(Code.UPD_SIGNATURE);
    }

    @Test
    void refusesARootThatSkipsAVersion() throws Exception {
        repo.replace(
                "2.root.json",
                RootDocument.signedPart(3, RepositorySimulator.LATER, repo.roles.roles()),
                RepositorySimulator.OFFLINE.keys());
        assertRefreshRefused(Code.UPD_MISMATCH);
    }

    @Test
    void refusesAnExpiredRoot() throws Exception {
        now = RepositorySimulator.LATER.plusSeconds(1);
        assertRefreshRefused(Code.UPD_EXPIRED);
    }

    @Test
    void refusesAnOlderRootThanTheOneSeen() throws Exception {
        repo.root(RepositorySimulator.OFFLINE.keys());
        assertThat(client().refresh().isAccepted()).isTrue();
        Files.delete(dir.resolve("state/2.root.json"));
        repo.files.remove("2.root.json");
        assertRefreshRefused(Code.UPD_ROLLBACK);
    }

    @Test
    void refusesATimestampOfOneFamilyOfKeysOnly() throws Exception {
        byte[] snapshot = repo.file("1.snapshot.json");
        repo.replace(
                "timestamp.json",
                Meta.timestamp(2, RepositorySimulator.LATER, Meta.of(1, snapshot)),
                RepositorySimulator.TIMESTAMP.keys().subList(0, 1));
        assertRefreshRefused(Code.UPD_SIGNATURE);
    }

    @Test
    void refusesTargetsWithoutTheSignatureThatTheTeeChecks() throws Exception {
        repo.roles = new RoleSigners(
                RepositorySimulator.OFFLINE,
                new RoleSigner(RepositorySimulator.OFFLINE.keys().subList(0, 2), 2),
                RepositorySimulator.SNAPSHOT,
                RepositorySimulator.TIMESTAMP,
                RepositorySimulator.DIRECTOR);
        repo.publish();
        assertRefreshRefused(Code.UPD_SIGNATURE);
    }

    @Test
    void countsOneKeyUnderTwoIdsOnce() throws Exception {
        SigningKey key = RepositorySimulator.TIMESTAMP.keys().getFirst();
        ObjectNode root = RootDocument.signedPart(2, RepositorySimulator.LATER, repo.roles.roles());
        ((ObjectNode) root.get("keys")).set("alias", key.publicKey().toJson());
        ObjectNode role = (ObjectNode) root.get("roles").get("timestamp");
        role.putArray("keyids").add(key.keyId()).add("alias");
        repo.replace("2.root.json", root, RepositorySimulator.OFFLINE.keys());
        ObjectNode file = (ObjectNode) Json.read(
                        SignedMetadata.sign(
                                Meta.timestamp(2, RepositorySimulator.LATER, Meta.of(1, repo.file("1.snapshot.json"))),
                                List.of(key)),
                        1 << 20)
                .orThrow();
        ArrayNode signatures = (ArrayNode) file.get("signatures");
        signatures
                .addObject()
                .put("keyid", "alias")
                .set("sig", signatures.get(0).get("sig"));
        repo.files.put("timestamp.json", Json.write(file));
        assertRefreshRefused(Code.UPD_SIGNATURE);
    }

    @Test
    void refusesTwoSignaturesWithOneKeyId() throws Exception {
        ObjectNode file =
                (ObjectNode) Json.read(repo.file("timestamp.json"), 1 << 20).orThrow();
        ArrayNode signatures = (ArrayNode) file.get("signatures");
        signatures.add(signatures.get(0).deepCopy());
        repo.files.put("timestamp.json", Json.write(file));
        assertRefreshRefused(Code.UPD_FORMAT);
    }

    @Test
    void refusesUnsignedMetadata() throws Exception {
        repo.replace(
                "timestamp.json",
                Meta.timestamp(2, RepositorySimulator.LATER, Meta.of(1, repo.file("1.snapshot.json"))),
                List.of());
        assertRefreshRefused(Code.UPD_SIGNATURE);
    }

    @Test
    void refusesMetadataOfAnotherType() throws Exception {
        repo.files.put("timestamp.json", repo.file("1.snapshot.json"));
        assertRefreshRefused(Code.UPD_FORMAT);
    }

    @Test
    void refusesMetadataWithAMissingField() throws Exception {
        for (String field : List.of("_type", "spec_version", "version", "expires", "meta")) {
            ObjectNode signed = Meta.timestamp(2, RepositorySimulator.LATER, Meta.of(1, repo.file("1.snapshot.json")));
            signed.remove(field);
            repo.replace("timestamp.json", signed, RepositorySimulator.TIMESTAMP.keys());
            assertRefreshRefused(Code.UPD_FORMAT);
        }
    }

    @Test
    void refusesRollbackToAnOlderTimestamp() throws Exception {
        byte[] old = repo.file("timestamp.json");
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        repo.files.put("timestamp.json", old);
        assertRefreshRefused(Code.UPD_ROLLBACK);
    }

    @Test
    void rejectsRollbackToOlderSnapshot() throws Exception {
        byte[] snapshot = repo.file("1.snapshot.json");
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        repo.replace(
                "timestamp.json",
                Meta.timestamp(3, RepositorySimulator.LATER, Meta.of(1, snapshot)),
                RepositorySimulator.TIMESTAMP.keys());
        assertRefreshRefused(Code.UPD_ROLLBACK);
    }

    @Test
    void refusesRollbackToOlderTargets() throws Exception {
        byte[] list = repo.file("1.targets.json");
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        byte[] snapshot = SignedMetadata.sign(
                Meta.snapshot(3, RepositorySimulator.LATER, Meta.of(1, list)), RepositorySimulator.SNAPSHOT.keys());
        repo.files.put("3.snapshot.json", snapshot);
        repo.replace(
                "timestamp.json",
                Meta.timestamp(3, RepositorySimulator.LATER, Meta.of(3, snapshot)),
                RepositorySimulator.TIMESTAMP.keys());
        assertRefreshRefused(Code.UPD_ROLLBACK);
    }

    @Test
    void refusesAFrozenTimestamp() throws Exception {
        repo.root(RepositorySimulator.OFFLINE.keys());
        repo.expires = RepositorySimulator.NOW.plus(Duration.ofDays(1));
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        now = RepositorySimulator.NOW.plus(Duration.ofDays(2));
        assertRefreshRefused(Code.UPD_EXPIRED);
    }

    @Test
    void goesOnAfterMonthsOfflineWithExpiredStoredMetadata() throws Exception {
        repo.expires = RepositorySimulator.NOW.plus(Duration.ofDays(1));
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        now = RepositorySimulator.NOW.plus(Duration.ofDays(20));
        repo.expires = RepositorySimulator.LATER;
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
    }

    @Test
    void refusesAMixOfOldAndNewFiles() throws Exception {
        byte[] old = repo.file("1.targets.json");
        repo.publish();
        repo.files.put("2.targets.json", old);
        assertRefreshRefused(Code.UPD_MISMATCH);
        repo.files.put("2.snapshot.json", repo.file("1.snapshot.json"));
        assertRefreshRefused(Code.UPD_MISMATCH);
    }

    @Test
    void recoversFromAFastForwardWhenTheKeysAreRotated() throws Exception {
        repo.publish(1_000_000);
        assertThat(client().refresh().isAccepted()).isTrue();
        repo.publish(2);
        assertRefreshRefused(Code.UPD_ROLLBACK);
        repo.roles = new RoleSigners(
                RepositorySimulator.OFFLINE,
                RepositorySimulator.OFFLINE,
                RepositorySimulator.SNAPSHOT,
                RepositorySimulator.OTHER,
                RepositorySimulator.DIRECTOR);
        repo.root(RepositorySimulator.OFFLINE.keys());
        repo.publish(3);
        assertThat(client().refresh().isAccepted()).isTrue();
    }

    private java.util.Map<Path, byte[]> copyOfState() throws Exception {
        java.util.Map<Path, byte[]> copy = new java.util.HashMap<>();
        for (Path file : CrashDisk.files(dir.resolve("state"))) {
            copy.put(file, Files.readAllBytes(file));
        }
        return copy;
    }

    private void putBack(java.util.Map<Path, byte[]> copy) throws Exception {
        for (Path file : CrashDisk.files(dir.resolve("state"))) {
            Files.delete(file);
        }
        for (java.util.Map.Entry<Path, byte[]> file : copy.entrySet()) {
            Files.write(file.getKey(), file.getValue());
        }
    }

    @Test
    void noticesAnOldCopyOfItsDirectory() throws Exception {
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        java.util.Map<Path, byte[]> old = copyOfState();
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        java.util.Map<Path, byte[]> current = copyOfState();
        putBack(old);
        assertRefused(start(), Code.TEE_ROLLBACK);
        putBack(java.util.Map.of());
        assertRefused(start(), Code.TEE_ROLLBACK);
        putBack(current);
        assertThat(client().refresh().isAccepted()).isTrue();
    }

    @Test
    void anOldCopyIsAcceptedWhenSomebodySaysSo() throws Exception {
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        java.util.Map<Path, byte[]> old = copyOfState();
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        for (java.util.Map<Path, byte[]> copy : List.of(old, java.util.Map.<Path, byte[]>of())) {
            putBack(copy);
            assertThat(TrustClient.readmit(dir.resolve("state"), dir.resolve("factory.json"), tee.anchors())
                            .isAccepted())
                    .isTrue();
            assertThat(client().refresh().isAccepted()).isTrue();
            assertThat(client().refresh().isAccepted()).isTrue();
        }
    }

    @Test
    void aCutBetweenTheRecordAndItsCountIsFinished() throws Exception {
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        java.util.Map<Path, byte[]> old = copyOfState();
        long counted = tee.generation;
        repo.publish();
        tee.generationStuck = true;
        assertThat(client().refresh().isAccepted()).isFalse();
        assertThat(tee.generation).isEqualTo(counted);
        tee.generationStuck = false;
        assertThat(client().refresh().isAccepted()).isTrue();
        assertThat(tee.generation).isGreaterThan(counted);
        putBack(old);
        assertRefused(start(), Code.TEE_ROLLBACK);
    }

    @Test
    void theCounterDoesNotWearOutWhereOnlyTheTimestampIsNew() throws Exception {
        repo.publish();
        TrustClient client = client();
        assertThat(client.refresh().isAccepted()).isTrue();
        long counted = tee.generation;
        for (int i = 0; i < 20; i++) {
            assertThat(client.refresh().isAccepted()).isTrue();
        }
        assertThat(tee.generation).isEqualTo(counted);
    }

    @Test
    void survivesATornStateRecordAndRefusesAForgedOne() throws Exception {
        repo.publish();
        TrustClient client = client();
        assertThat(client.refresh().isAccepted()).isTrue();
        Path newest = dir.resolve("state/state.0.json");
        Files.write(newest, new byte[] {'{'});
        assertThat(client().refresh().isAccepted()).isTrue();
        Files.writeString(dir.resolve("state/state.0.json"), "{}");
        Files.writeString(dir.resolve("state/state.1.json"), "{}");
        assertRefused(start(), Code.TEE_STATE);
    }

    @Test
    void refusesAnOrderForAnotherDevice() throws Exception {
        repo.device = "device-2";
        assertRefused(client().order("device-1"), Code.UPD_DIRECTOR_DEVICE);
    }

    @Test
    void refusesAReplayedOrder() throws Exception {
        repo.orderLie = order -> order.put("nonce", "00".repeat(32));
        assertRefused(client().order("device-1"), Code.UPD_DIRECTOR_NONCE);
    }

    @Test
    void refusesAnOlderOrder() throws Exception {
        repo.directorVersion = 5;
        assertThat(client().order("device-1").isAccepted()).isTrue();
        repo.directorVersion = 4;
        assertRefused(client().order("device-1"), Code.UPD_ROLLBACK);
    }

    @Test
    void refusesAnExpiredOrder() throws Exception {
        repo.orderLie = order -> order.put("expires", "2026-11-24T11:59:59Z");
        assertRefused(client().order("device-1"), Code.UPD_EXPIRED);
    }

    @Test
    void refusesAnOrderThatTheDirectorDidNotSign() throws Exception {
        TrustClient client = client();
        assertThat(client.refresh().isAccepted()).isTrue();
        repo.roles = new RoleSigners(
                RepositorySimulator.OFFLINE,
                RepositorySimulator.OFFLINE,
                RepositorySimulator.SNAPSHOT,
                RepositorySimulator.TIMESTAMP,
                RepositorySimulator.OTHER);
        assertRefused(client.order("device-1"), Code.UPD_SIGNATURE);
    }

    @Test
    void refusesAnOrderForWhatIsNotPublished() throws Exception {
        TargetFile unlisted = repo.target("models/evil/1.0.0/model.gguf", 1);
        repo.ordered = java.util.Optional.of(List.of(unlisted));
        assertRefused(client().order("device-1"), Code.UPD_TARGET_UNKNOWN);
    }

    @Test
    void refusesAnOrderThatDiffersInCustomBlockOnly() throws Exception {
        TargetFile listed = repo.targets.values().iterator().next();
        ObjectNode custom = ((ObjectNode) listed.custom()).put("epoch", 2);
        repo.ordered =
                java.util.Optional.of(List.of(new TargetFile(listed.path(), listed.length(), listed.sha256(), custom)));
        assertRefused(client().order("device-1"), Code.UPD_DIRECTOR_DISAGREES);
    }

    // --- orders of a set ---

    /** A chat model and an embedder of another epoch. */
    private void listTwo() {
        repo.target("embed", "models/embed/1.0.0/model.gguf", 1);
        repo.publish();
    }

    @Test
    void anOrderOfTwoModelsNamesEachWithItsPatchesAndTerms() throws Exception {
        listTwo();
        Order order = client().order("device-1").orThrow();
        assertThat(order.byDefault()).hasValue("intent");
        assertThat(order.models()).extracting(one -> one.model().model()).containsExactly("embed", "intent");
        assertThat(order.models()).allSatisfy(one -> {
            assertThat(one.version()).isEqualTo(order.version());
            assertThat(one.device()).isEqualTo("device-1");
            assertThat(one.terms().target()).isEqualTo(one.model().file().path());
        });
    }

    @Test
    void anOrderWithoutAnyModelIsAccepted() throws Exception {
        repo.ordered = java.util.Optional.of(List.of());
        Order order = client().order("device-1").orThrow();
        assertThat(order.models()).isEmpty();
        assertThat(order.byDefault()).isEmpty();
    }

    @Test
    void anOrderOfTheTimeBeforeSeveralModelsIsAccepted() throws Exception {
        repo.orderLie = order -> {
            order.remove("models");
            return order;
        };
        Order order = client().order("device-1").orThrow();
        assertThat(order.byDefault()).hasValue("intent");
        assertThat(order.models()).hasSize(1);
    }

    /** Whoever has the Director's keys says this; none of it may pass, nor be remembered. */
    private static Map<String, UnaryOperator<ObjectNode>> wrongSets() {
        Map<String, UnaryOperator<ObjectNode>> lies = new LinkedHashMap<>();
        lies.put("no default", order -> changed(order, "intent", model -> model.remove("default")));
        lies.put("two defaults", order -> changed(order, "embed", model -> model.put("default", true)));
        lies.put("a target that is not listed", order -> changed(order, "embed", model -> model.put("target", "x")));
        lies.put(
                "a model under another's name",
                order -> changed(order, "embed", model -> model.put("target", "models/intent/1.0.0/model.gguf")));
        lies.put("two models under each other's names", order -> {
            changed(order, "embed", model -> model.put("target", "models/intent/1.0.0/model.gguf"));
            return changed(order, "intent", model -> model.put("target", "models/embed/1.0.0/model.gguf"));
        });
        lies.put("a target without a model", order -> {
            ((ObjectNode) order.get("models")).remove("embed");
            return order;
        });
        lies.put("a model without a target", order -> {
            ((ObjectNode) order.get("models")).putObject("other").put("target", "models/other");
            return order;
        });
        lies.put("two models and no word about them", order -> {
            order.remove("models");
            return order;
        });
        lies.put("more models than a device runs", order -> {
            ObjectNode models = (ObjectNode) order.get("models");
            for (int i = 0; i < 16; i++) {
                models.putObject("m" + i).put("target", "models/embed/1.0.0/model.gguf");
            }
            return order;
        });
        lies.put("models that are a list", order -> {
            order.putArray("models");
            return order;
        });
        return lies;
    }

    private static ObjectNode changed(ObjectNode order, String model, Consumer<ObjectNode> change) {
        change.accept((ObjectNode) order.get("models").get(model));
        return order;
    }

    static List<String> namesOfWrongSets() {
        return List.copyOf(wrongSets().keySet());
    }

    @ParameterizedTest
    @MethodSource("namesOfWrongSets")
    void refusesAnOrderOf(String wrong) throws Exception {
        listTwo();
        repo.directorVersion = 9;
        repo.orderLie = Objects.requireNonNull(wrongSets().get(wrong));
        TrustClient client = client();
        assertRefused(client.order("device-1"), Code.UPD_FORMAT);
        repo.orderLie = order -> order;
        repo.directorVersion = 1;
        assertThat(client.order("device-1").isAccepted())
                .as("the refused order left no number behind")
                .isTrue();
    }

    // --- floors of the security epoch ---

    @Test
    void aFloorIsOfOneModelAndOutlivesTheProcess() throws Exception {
        TrustClient client = client();
        assertThat(client.epochFloors()).isEmpty();
        assertThat(client.raiseEpochFloor("intent", 5).orThrow()).isEqualTo(5);
        assertThat(client.raiseEpochFloor("embed", 1).orThrow()).isEqualTo(1);
        assertThat(client().epochFloors()).isEqualTo(Map.of("intent", 5L, "embed", 1L));
    }

    @Test
    void aFloorNeverFallsAndTheCounterMovesOnlyWithIt() throws Exception {
        TrustClient client = client();
        client.raiseEpochFloor("intent", 5).orThrow();
        long counted = tee.generation;
        assertThat(client.raiseEpochFloor("intent", 3).orThrow()).isEqualTo(5);
        assertThat(client.raiseEpochFloor("intent", 5).orThrow()).isEqualTo(5);
        assertThat(client.raiseEpochFloor("embed", 0).orThrow()).isZero();
        assertThat(tee.generation).isEqualTo(counted);
        client.raiseEpochFloor("intent", 6).orThrow();
        assertThat(tee.generation).isEqualTo(counted + 1);
    }

    @Test
    void anOldDiskDoesNotLowerAFloor() throws Exception {
        TrustClient client = client();
        client.raiseEpochFloor("intent", 1).orThrow();
        Map<Path, byte[]> old = copyOfState();
        client.raiseEpochFloor("intent", 2).orThrow();
        putBack(old);
        assertRefused(start(), Code.TEE_ROLLBACK);
    }

    @Test
    void aFloorIsNotReportedWhileTheTeeDoesNotCountIt() throws Exception {
        TrustClient client = client();
        client.raiseEpochFloor("intent", 1).orThrow();
        tee.generationStuck = true;
        assertRefused(client.raiseEpochFloor("intent", 2), Code.TEE_UNAVAILABLE);
        assertThat(client.epochFloors()).containsEntry("intent", 1L);
        tee.generationStuck = false;
        tee.away = true;
        assertRefused(client.raiseEpochFloor("intent", 2), Code.TEE_UNAVAILABLE);
        tee.away = false;
        assertThat(client.raiseEpochFloor("intent", 2).orThrow()).isEqualTo(2);
        assertThat(client().epochFloors()).containsEntry("intent", 2L);
    }

    @Test
    void floorsAreKeptOf512ModelsAndTheRecordOfAllIsRead() throws Exception {
        TrustClient client = client();
        for (int i = 0; i < TrustState.MAX_FLOORS; i++) {
            client.raiseEpochFloor(longName(i), Long.MAX_VALUE - 1).orThrow();
        }
        assertRefused(client.raiseEpochFloor("one-more", 1), Code.UPD_EPOCH);
        assertThat(client.raiseEpochFloor(longName(7), Long.MAX_VALUE).orThrow())
                .as("those that are kept still rise")
                .isEqualTo(Long.MAX_VALUE);
        assertThat(client().epochFloors()).hasSize(TrustState.MAX_FLOORS).containsEntry(longName(7), Long.MAX_VALUE);
    }

    private static String longName(int number) {
        return "%064d".formatted(number);
    }

    @Test
    void floorsOutliveNewRootsAndAnOrder() throws Exception {
        TrustClient client = client();
        client.raiseEpochFloor("intent", 5).orThrow();
        repo.roles = new RoleSigners(
                RepositorySimulator.OFFLINE,
                RepositorySimulator.OFFLINE,
                RepositorySimulator.OTHER,
                RepositorySimulator.OTHER,
                RepositorySimulator.OTHER);
        repo.root(RepositorySimulator.OFFLINE.keys());
        repo.publish();
        assertThat(client.order("device-1").isAccepted()).isTrue();
        assertThat(client.rootVersion()).isEqualTo(2);
        assertThat(client().epochFloors()).containsEntry("intent", 5L);
    }

    /** A Director that does not answer for an hour must not hold up the end of an install. */
    @Test
    @Timeout(30)
    void aFloorIsRaisedWhileARefreshHangs() throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        MetadataSource hangs = new MetadataSource() {
            @Override
            public java.util.Optional<byte[]> fetch(String fileName, int maxBytes) throws IOException {
                if (fileName.equals("timestamp.json")) {
                    asked.countDown();
                    try {
                        answer.await();
                    } catch (InterruptedException e) {
                        throw new IOException(e);
                    }
                }
                return repo.fetch(fileName, maxBytes);
            }

            @Override
            public java.util.Optional<byte[]> directorOrder(byte[] nonce) {
                return repo.directorOrder(nonce);
            }
        };
        repo.publish();
        TrustClient client = client();
        FutureTask<Verdict<Order>> order = new FutureTask<>(() -> client.order("device-1", hangs));
        Thread.ofPlatform().daemon().start(order);
        asked.await();
        assertThat(client.raiseEpochFloor("intent", 4).orThrow()).isEqualTo(4);
        assertThat(client.epochFloors()).containsEntry("intent", 4L);
        answer.countDown();
        assertThat(order.get().isAccepted()).isTrue();
        assertThat(client().epochFloors())
                .as("what the refresh saved afterwards has it")
                .containsEntry("intent", 4L);
        assertThat(client().order("device-1").isAccepted()).isTrue();
    }

    @Test
    void aRecordOfTheTimeBeforeFloorsIsRead() throws Exception {
        repo.publish();
        assertThat(client().refresh().isAccepted()).isTrue();
        for (String file : List.of("state.0.json", "state.1.json")) {
            Path path = dir.resolve("state").resolve(file);
            ObjectNode state = (ObjectNode)
                    Json.read(Files.readAllBytes(path), 1 << 17).orThrow().get("state");
            state.put("format", 1).remove("floors");
            byte[] label = "holdfast trust state 1\0".getBytes(StandardCharsets.US_ASCII);
            ObjectNode record = Json.object();
            record.set("state", state);
            record.put(
                    "sig",
                    Binary.copyOf(tee.signer().sign(Sha256.of(label, CanonicalJson.bytes(state))))
                            .hex());
            Files.write(path, Json.write(record));
        }
        TrustClient client = client();
        assertThat(client.epochFloors()).isEmpty();
        client.raiseEpochFloor("intent", 3).orThrow();
        assertThat(client().epochFloors()).containsEntry("intent", 3L);
    }

    @Test
    void neverThrowsOnDamagedMetadata() throws Exception {
        TrustClient client = client();
        Random random = new Random(7);
        byte[] sound = repo.file("1.targets.json");
        Files.createDirectories(dir.resolve("state"));
        for (int i = 0; i < 1000; i++) {
            byte[] bytes = sound.clone();
            int flips = 1 + random.nextInt(4);
            for (int f = 0; f < flips; f++) {
                bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
            }
            Verdict<Envelope> read = Verdict.of(() -> {
                Envelope envelope = Envelope.parse(bytes, "targets", TufClient.MAX_TARGETS_BYTES);
                TargetsRole.parse(envelope);
                envelope.requireThreshold(
                        RootDocument.parse(repo.file("1.root.json")).role("targets"),
                        FamilyPolicy.NONE,
                        tee.anchors().verifier());
                return envelope;
            });
            if (read instanceof Verdict.Accepted<Envelope>(Envelope envelope)) {
                // A flip that leaves the signed meaning alone, such as the case of a hexadecimal digit.
                assertThat(envelope.canonical())
                        .isEqualTo(Envelope.parse(sound, "targets", TufClient.MAX_TARGETS_BYTES)
                                .canonical());
            }
        }
        assertThat(client.refresh().isAccepted()).isTrue();
    }
}
