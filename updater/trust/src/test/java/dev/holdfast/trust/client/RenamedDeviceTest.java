package dev.holdfast.trust.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.trust.signing.RoleSigners;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.ZoneOffset;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Director numbers the orders of each name by itself; a device that gets another name follows the numbers of that one. */
class RenamedDeviceTest {
    private static final String OLD = "device-1";
    private static final String NEW = "device-2";

    @TempDir
    Path dir;

    private RepositorySimulator repo = new RepositorySimulator();
    private final FakeTee tee = new FakeTee();

    @BeforeEach
    void provision() throws Exception {
        anchor(repo);
    }

    private void anchor(RepositorySimulator fleet) throws Exception {
        repo = fleet;
        byte[] factory = fleet.file("1.root.json");
        Files.write(dir.resolve("factory.json"), factory);
        if (!DeviceRecord.exists(dir.resolve("state"))) {
            DeviceRecord.begin(dir.resolve("state"), dir.resolve("factory.json"), tee.anchors())
                    .orThrow();
        }
        tee.anchor(Sha256.of(factory));
    }

    private TrustClient client() throws Exception {
        return TrustClient.start(
                        dir.resolve("state"),
                        dir.resolve("factory.json"),
                        tee.anchors(),
                        repo,
                        Clock.fixed(RepositorySimulator.NOW, ZoneOffset.UTC))
                .orThrow();
    }

    /** Asks under {@code name}, while the Director says that its order of this number is for {@code addressee}. */
    private Verdict<?> order(String name, String addressee, long number) throws Exception {
        repo.device = addressee;
        repo.directorVersion = number;
        return client().order(name);
    }

    private Verdict<?> order(String name, long number) throws Exception {
        return order(name, name, number);
    }

    private static void assertAccepted(Verdict<?> verdict) {
        assertThat(verdict.isAccepted()).as(verdict.toString()).isTrue();
    }

    private static void assertRefused(Verdict<?> verdict, Code code) {
        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code())
                                .as(r.reason().toString())
                                .isEqualTo(code));
    }

    @Test
    void aDeviceWithAnotherNameFollowsTheOrdersOfThatName() throws Exception {
        assertAccepted(order(OLD, 58));
        assertAccepted(order(NEW, 1));
        assertThat(client().orderSeen(NEW)).isEqualTo(1);
        assertAccepted(order(NEW, 2));
    }

    @Test
    void noNameOpensARollbackOfAnother() throws Exception {
        assertAccepted(order(OLD, 58));
        assertAccepted(order(NEW, 7));
        assertRefused(order(OLD, 57), Code.UPD_ROLLBACK);
        assertRefused(order(NEW, 6), Code.UPD_ROLLBACK);
        assertAccepted(order(OLD, 58));
        assertRefused(order(NEW, 6), Code.UPD_ROLLBACK);
    }

    /** The network says which name an order is for, the configuration says which name counts. */
    @Test
    void anOrderUnderAnotherNameIsRefusedAndLeavesNoMark() throws Exception {
        assertAccepted(order(OLD, 58));
        assertRefused(order(OLD, NEW, 1), Code.UPD_DIRECTOR_DEVICE);
        assertRefused(order(OLD, NEW, 1000), Code.UPD_DIRECTOR_DEVICE);
        assertThat(client().orderSeen(NEW)).isZero();
        assertRefused(order(OLD, 57), Code.UPD_ROLLBACK);
    }

    @Test
    void rotatedKeysOfTheDirectorBeginTheNumbersAnew() throws Exception {
        assertAccepted(order(OLD, 58));
        repo.roles = new RoleSigners(
                RepositorySimulator.OFFLINE,
                RepositorySimulator.OFFLINE,
                RepositorySimulator.SNAPSHOT,
                RepositorySimulator.TIMESTAMP,
                RepositorySimulator.OTHER);
        repo.root(RepositorySimulator.OFFLINE.keys());
        assertAccepted(order(OLD, 1));
        assertRefused(order(OLD, 0), Code.UPD_FORMAT);
    }

    /** Only a person begins anew under another factory root; then nothing that the old fleet said binds. */
    @Test
    void underAnotherFactoryRootNothingOfTheOldOneCounts() throws Exception {
        repo.publish(1_000);
        assertAccepted(order(OLD, 58));
        client().raiseEpochFloor("intent", 7).orThrow();
        long counted = tee.generation;
        anchor(new RepositorySimulator());
        assertRefused(
                TrustClient.start(
                        dir.resolve("state"),
                        dir.resolve("factory.json"),
                        tee.anchors(),
                        repo,
                        Clock.fixed(RepositorySimulator.NOW, ZoneOffset.UTC)),
                Code.TEE_STATE);
        DeviceRecord record = DeviceRecord.look(
                        dir.resolve("state"), Files.readAllBytes(dir.resolve("factory.json")), tee.anchors())
                .orThrow();
        assertThat(record.standing()).isEqualTo(DeviceRecord.Standing.OTHER_ROOT);
        assertThat(record.text()).contains("floors none");
        record.sign();
        TrustClient other = client();
        assertThat(other.epochFloors()).isEmpty();
        assertAccepted(order(OLD, 1));
        assertThat(tee.generation).as("the record stays bound to the counter").isGreaterThan(counted);
        assertRefused(order(OLD, 0), Code.UPD_FORMAT);
        assertAccepted(client().refresh());
    }

    /** Writes the record as an agent of format 2 did, with one number for whatever name the device has. */
    private void writeFormat2(long directorVersion) throws Exception {
        for (String file : List.of("state.0.json", "state.1.json")) {
            Path path = dir.resolve("state").resolve(file);
            ObjectNode state = (ObjectNode)
                    Json.read(Files.readAllBytes(path), 1 << 17).orThrow().get("state");
            state.remove(List.of("orders", "anchor"));
            state.put("format", 2).put("directorVersion", directorVersion);
            byte[] label = "holdfast trust state 1\0".getBytes(StandardCharsets.US_ASCII);
            ObjectNode record = Json.object();
            record.set("state", state);
            record.put(
                    "sig",
                    Binary.copyOf(tee.signer().sign(Sha256.of(label, CanonicalJson.bytes(state))))
                            .hex());
            Files.write(path, Json.write(record));
        }
    }

    @Test
    void aRecordThatDoesNotSayOfWhichNameBindsUntilTheNextOrder() throws Exception {
        assertAccepted(order(OLD, 5));
        writeFormat2(5);
        assertThat(client().orderSeen(OLD)).isEqualTo(5);
        assertRefused(order(OLD, 4), Code.UPD_ROLLBACK);
        assertRefused(order(NEW, 4), Code.UPD_ROLLBACK);
        assertAccepted(order(OLD, 5));
        assertRefused(order(OLD, 4), Code.UPD_ROLLBACK);
        assertAccepted(order(NEW, 1));
    }

    @Test
    void aRecordThatDoesNotSayOfWhichNameIsGivenTheNameOfTheNextOrder() throws Exception {
        assertAccepted(order(OLD, 5));
        writeFormat2(5);
        assertAccepted(order(NEW, 9));
        assertRefused(order(NEW, 8), Code.UPD_ROLLBACK);
        assertAccepted(order(OLD, 1));
    }

    @Test
    void theRecordStaysBoundedHoweverManyNamesADeviceHad() throws Exception {
        TrustClient client = client();
        for (int i = 0; i <= OrdersSeen.MAX_NAMES; i++) {
            repo.device = "device-" + i;
            repo.directorVersion = 2;
            client.order(repo.device).orThrow();
        }
        assertRefused(order("device-" + OrdersSeen.MAX_NAMES, 1), Code.UPD_ROLLBACK);
        assertRefused(order("device-1", 1), Code.UPD_ROLLBACK);
        assertAccepted(order("device-0", 1));
    }
}
