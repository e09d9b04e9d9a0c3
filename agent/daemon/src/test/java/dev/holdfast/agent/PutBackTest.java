package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.agent.ProvisionedDevice.Person;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.trust.client.DeviceRecord;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Somebody who may use the TPM, whose owner has no password, and who writes the disk: nothing of old comes back. */
class PutBackTest {
    /** What an earlier version defined; {@code base} is what the counter said at provisioning. */
    private static final String EARLIER_COUNTER = """
            tpm2_nvdefine -C o -s 8 -a 'nt=counter|ownerwrite|authwrite|ownerread|authread|no_da' 0x18f4804
            tpm2_nvincrement 0x18f4804
            """;

    private static final String EARLIER_BASE = """
            tpm2_nvdefine -C o -s 8 -a 'ownerwrite|authwrite|ownerread|authread|no_da|writedefine' 0x18f4805
            tpm2_nvwrite -i base 0x18f4805
            tpm2_nvwritelock 0x18f4805
            """;

    @TempDir
    Path dir;

    private ProvisionedDevice device;

    @BeforeEach
    void start() throws Exception {
        device = ProvisionedDevice.withTpm(dir);
    }

    @AfterEach
    void stop() {
        if (device != null) {
            device.close();
        }
    }

    private static Code codeOf(Verdict<?> verdict) {
        return verdict instanceof Verdict.Rejected<?> refusal
                ? refusal.reason().code()
                : org.assertj.core.api.Assertions.fail("accepted: " + verdict);
    }

    private Verdict<Long> start(long floor) throws Exception {
        return device.started(client -> client.raiseEpochFloor("intent", floor).orThrow());
    }

    private Verdict<Map<String, Long>> floors() throws Exception {
        return device.started(TrustClient::epochFloors);
    }

    @Test
    void noFloorFallsWhenTheDiskIsPutBackAndTheCounterIsRemoved() throws Exception {
        device.ok("provision");
        Map<Path, byte[]> old = device.copyOfState();
        assertThat(start(5).orThrow()).isEqualTo(5);

        device.putBack(old);
        assertThat(codeOf(floors())).as("an old copy").isEqualTo(Code.TEE_ROLLBACK);
        device.deleteRecord();
        assertThat(codeOf(floors())).as("no record").isEqualTo(Code.TEE_ROLLBACK);
        device.tools("for one in 0x18f4804 0x18f4805 0x18f4807; do tpm2_nvundefine -C o $one || true; done");
        assertThat(codeOf(floors())).as("no record, no counter").isEqualTo(Code.TEE_STATE);
        device.tools("! tpm2_nvreadpublic 0x18f4807; ! tpm2_nvreadpublic 0x18f4804");
        device.putBack(old);
        assertThat(codeOf(floors())).as("an old copy, no counter").isEqualTo(Code.TEE_STATE);

        // Root has the authorization value, and defines the same index with it.
        String auth = Files.readString(dir.resolve("s/tpm.auth")).strip();
        device.tools("""
                tpm2_nvdefine -C o -s 8 -a 'nt=counter|authwrite|authread|ownerread|no_da' -p hex:%s 0x18f4807
                tpm2_nvincrement -P hex:%s 0x18f4807
                """.formatted(auth, auth));
        assertThat(codeOf(floors())).as("an old copy, the same counter again").isEqualTo(Code.TEE_ROLLBACK);
        device.deleteRecord();
        assertThat(codeOf(floors())).as("no record, the same counter again").isEqualTo(Code.TEE_ROLLBACK);

        // The counter of an earlier version can be set to say anything, by its base.
        device.putBack(old);
        device.tools("tpm2_nvundefine -C o 0x18f4807\n" + EARLIER_COUNTER + "printf '\\0\\0\\0\\0\\0\\0\\0\\0' > base\n"
                + EARLIER_BASE);
        assertThat(codeOf(floors())).as("a counter of an earlier version").isEqualTo(Code.TEE_STATE);
    }

    /** What TEE-STATE and TEE-ROLLBACK tell a person to do works. */
    @Test
    void aPersonGoesOnFromThere() throws Exception {
        device.ok("provision");
        assertThat(start(5).orThrow()).isEqualTo(5);
        device.tools("tpm2_nvundefine -C o 0x18f4807");
        assertThat(device.doctor())
                .containsPattern("FAIL {2}state counter +the counter that provisioning made is gone")
                .contains("-> holdfast provision --again");
        assertThat(Code.TEE_STATE.remedy()).contains("holdfast provision --again");
        assertThat(device.refused("provision")).contains("TEE-STATE");
        assertThat(device.refused("provision", "--again")).contains("--yes");
        assertThat(device.ok("provision", "--again", "--yes")).contains("state record: was UNCOUNTED", "intent=5");
        assertThat(floors().orThrow()).containsEntry("intent", 5L);

        Map<Path, byte[]> old = device.copyOfState();
        assertThat(start(6).orThrow()).isEqualTo(6);
        device.putBack(old);
        assertThat(codeOf(floors())).isEqualTo(Code.TEE_ROLLBACK);
        assertThat(Code.TEE_ROLLBACK.remedy()).contains("holdfast provision --accept-state");
        assertThat(device.refused("provision", "--again", "--yes")).contains("TEE-ROLLBACK", "--accept-state");
        assertThat(device.ok("provision", "--accept-state")).contains("accepted as it is");
        assertThat(floors().orThrow()).containsEntry("intent", 5L);
        assertThat(Files.readString(dir.resolve("s/provisioning.jsonl"))).contains("STATE_ACCEPTED", "BEHIND");
    }

    /** With the counter gone, only the new one's value tells whether there was a newer record. */
    @Test
    void anOldStateIsNotTakenBecauseTheCounterIsGone() throws Exception {
        device.ok("provision");
        assertThat(start(5).orThrow()).isEqualTo(5);
        Map<Path, byte[]> old = device.copyOfState();
        assertThat(start(6).orThrow()).isEqualTo(6);
        device.putBack(old);
        device.tools("tpm2_nvundefine -C o 0x18f4807");
        Person no = Person.who(false);
        assertThat(device.run(no, "provision", "--again").out())
                .as("what is shown before somebody agrees")
                .contains("state record: UNCOUNTED", "intent=5");
        assertThat(no.asked()).hasSize(1);
        device.tools("! tpm2_nvreadpublic 0x18f4807");
        for (int time = 0; time < 3; time++) {
            assertThat(device.refused("provision", "--again", "--yes"))
                    .contains("TEE-ROLLBACK", "intent=5", "--again --accept-state");
            assertThat(floors().isAccepted()).isFalse();
        }
        device.tools("tpm2_nvundefine -C o 0x18f4807");
        assertThat(device.refused("provision", "--again", "--yes")).contains("TEE-ROLLBACK");
        assertThat(device.ok("provision", "--again", "--accept-state", "--yes")).contains("accepted as it is");
        assertThat(floors().orThrow()).containsEntry("intent", 5L);
        assertThat(Files.readString(dir.resolve("s/provisioning.jsonl"))).contains("STATE_ACCEPTED", "UNCOUNTED");
        assertThat(start(7).orThrow()).isEqualTo(7);
    }

    /** A TPM that was not cleared signed a record for this device. */
    @Test
    void aRecordThatIsGoneOrDamagedIsNoFirstOne() throws Exception {
        device.ok("provision");
        assertThat(start(5).orThrow()).isEqualTo(5);
        Map<Path, byte[]> good = device.copyOfState();
        for (String one : new String[] {"s/trust/state.0.json", "s/trust/state.1.json"}) {
            Files.writeString(dir.resolve(one), "damaged");
        }
        assertThat(device.refused("provision", "--again", "--yes")).contains("TEE-ROLLBACK", "all floors would fall");
        device.deleteRecord();
        device.tools("tpm2_nvundefine -C o 0x18f4807");
        assertThat(device.refused("provision", "--again", "--yes")).contains("TEE-ROLLBACK", "all floors would fall");
        device.putBack(good);
        device.ok("provision", "--again", "--yes");
        assertThat(floors().orThrow()).containsEntry("intent", 5L);
    }

    /** The TPM's owner anchored another root by hand. */
    @Test
    void aRecordOfAnotherFactoryRootIsNotGivenUpBySilence() throws Exception {
        device.ok("provision");
        assertThat(start(5).orThrow()).isEqualTo(5);
        Files.write(device.rootFile, ProvisionedDevice.OFFLINE.sign(ProvisionedDevice.root("mill")));
        Files.write(dir.resolve("hash"), Sha256.ofFile(device.rootFile).toArray());
        device.tools("""
                tpm2_nvundefine -C o 0x18f4803
                tpm2_nvdefine -C o -s 32 -a 'ownerwrite|authwrite|ownerread|authread|no_da|writedefine' 0x18f4803
                tpm2_nvwrite -i hash 0x18f4803
                tpm2_nvwritelock 0x18f4803
                """);
        Verdict<Map<String, Long>> refused = floors();
        assertThat(codeOf(refused)).isEqualTo(Code.TEE_STATE);
        assertThat(refused.toString()).contains("holdfast provision --again --accept-state");
        assertThat(device.refused("provision", "--again", "--yes")).contains("TEE-ROLLBACK", "of another root");
        assertThat(device.ok("provision", "--again", "--accept-state", "--yes")).contains("was OTHER_ROOT");
        assertThat(floors().orThrow()).isEmpty();
    }

    /** The TPM's owner cleared it: anchor and counter are gone, and the device's keys are others. */
    @Test
    void afterTheTpmWasClearedOneCommandBringsTheDeviceBack() throws Exception {
        device.ok("provision");
        assertThat(start(5).orThrow()).isEqualTo(5);
        device.tools("tpm2_clear");
        assertThat(codeOf(floors())).isEqualTo(Code.UPD_ANCHOR);
        assertThat(Code.UPD_ANCHOR.remedy()).contains("holdfast provision --again");
        assertThat(device.doctor()).containsPattern("FAIL {2}anchor +not provisioned\n +-> holdfast provision --again");
        assertThat(device.refused("provision")).contains("holdfast provision --again");
        Path certificate = dir.resolve("s/certificates/tls.crt");
        Files.createDirectories(certificate.getParent());
        Files.writeString(certificate, "for the key before");
        assertThat(device.ok("provision", "--again", "--yes"))
                .contains("state record: was FOREIGN", "fleet devices replace d");
        assertThat(certificate).doesNotExist();
        assertThat(floors().orThrow())
                .as("nothing that the old TPM signed counts")
                .isEmpty();
        assertThat(device.doctor()).containsPattern("ok {4}anchor +the factory root");
        assertThat(start(1).orThrow()).isEqualTo(1);
    }

    /** A password that the owner got later. */
    @Test
    void anOwnersPasswordThatCameLaterIsNoDeadEnd() throws Exception {
        device.ok("provision");
        assertThat(start(5).orThrow()).isEqualTo(5);
        device.tools("tpm2_changeauth -c o secret");
        assertThat(codeOf(floors())).isEqualTo(Code.TEE_STATE);
        assertThat(device.doctor())
                .containsPattern("FAIL {2}owner +has a password since provisioning")
                .contains("-> holdfast provision --again");
        Path file = Files.writeString(dir.resolve("owner"), "secret");
        Files.setPosixFilePermissions(file, java.nio.file.attribute.PosixFilePermissions.fromString("rw-------"));
        device.ok("provision", "--again", "--yes", "--owner-password-file", file.toString());
        assertThat(floors().orThrow()).containsEntry("intent", 5L);
    }

    /** Provisioned by an earlier version: goes on, is told of by the doctor, and is carried over with what it has seen. */
    @Test
    void aDeviceOfAnEarlierVersionGoesOnAndIsCarriedOver() throws Exception {
        Files.write(dir.resolve("hash"), Sha256.ofFile(device.rootFile).toArray());
        device.tools(EARLIER_COUNTER + "tpm2_nvread 0x18f4804 > base\n" + EARLIER_BASE + """
                tpm2_nvdefine -C o -s 32 -a 'ownerwrite|authwrite|ownerread|authread|no_da|writedefine' 0x18f4803
                tpm2_nvwrite -i hash 0x18f4803
                tpm2_nvwritelock 0x18f4803
                """);
        try (TeeBridge bridge = TeeBridges.open(device.parsed())) {
            DeviceRecord.begin(device.parsed().trustDir(), device.rootFile, TeeBridges.anchors(bridge))
                    .orThrow();
        }
        assertThat(start(5).orThrow()).isEqualTo(5);
        assertThat(device.doctor())
                .containsPattern("warn {2}state counter +NV 0x18f4804 is at 1, without a password")
                .contains("-> holdfast provision --again");
        assertThat(device.ok("provision")).contains("already anchored");
        Map<Path, byte[]> old = device.copyOfState();
        assertThat(device.ok("provision", "--again", "--yes")).contains("state record: was CURRENT", "intent=5");
        assertThat(floors().orThrow()).containsEntry("intent", 5L);
        assertThat(device.doctor()).containsPattern("ok {4}state counter +NV 0x18f4807");
        device.tools("! tpm2_nvreadpublic 0x18f4804; ! tpm2_nvreadpublic 0x18f4805");
        Files.deleteIfExists(dir.resolve("s/trust/state.0.json"));
        Files.write(
                dir.resolve("s/trust/state.0.json"),
                java.util.Objects.requireNonNull(old.get(dir.resolve("s/trust/state.0.json"))));
        Files.write(
                dir.resolve("s/trust/state.1.json"),
                java.util.Objects.requireNonNull(old.get(dir.resolve("s/trust/state.1.json"))));
        assertThat(codeOf(floors())).as("the record from before").isEqualTo(Code.TEE_STATE);
    }

    @Test
    void filesAreProvisionedDeprovisionedAndProvisionedAgain() throws Exception {
        Path place = Files.createDirectory(dir.resolve("files"));
        try (ProvisionedDevice files = ProvisionedDevice.withFiles(place)) {
            files.ok("provision");
            String signer = files.doctor().replaceAll("(?s).*signs as ([0-9a-f]{64}).*", "$1");
            assertThat(files.started(client ->
                                    client.raiseEpochFloor("intent", 5).orThrow())
                            .orThrow())
                    .isEqualTo(5);
            files.deleteRecord();
            assertThat(codeOf(files.started(TrustClient::epochFloors))).isEqualTo(Code.TEE_ROLLBACK);
            files.ok("provision", "--accept-state");
            assertThat(files.started(TrustClient::epochFloors).orThrow()).isEmpty();
            assertThat(files.ok("deprovision", "--yes")).contains("keys, counter and factory root");
            files.ok("provision");
            assertThat(files.doctor()).containsPattern("ok {4}anchor").doesNotContain(signer);
            assertThat(place.resolve("s/tpm.auth")).doesNotExist();
        }
    }

    @Test
    void damagedFilesAreToldWithTheWayOn() throws Exception {
        Path place = Files.createDirectory(dir.resolve("files"));
        try (ProvisionedDevice files = ProvisionedDevice.withFiles(place)) {
            files.ok("provision");
            for (String damaged : new String[] {"state", "keyset.json"}) {
                Path tee = place.resolve("s/tee");
                Files.writeString(tee.resolve(damaged), "damaged");
                assertThat(files.refused("provision", "--again", "--yes"))
                        .contains("TEE-STATE", "remove " + tee + ", then holdfast provision --again");
                assertThat(files.refused("deprovision", "--yes")).contains("TEE-STATE", "remove " + tee);
                for (String one : new String[] {"state", "keyset.json", "lock"}) {
                    Files.delete(tee.resolve(one));
                }
                Files.delete(tee);
                files.ok("provision", "--again", "--yes");
                assertThat(files.started(TrustClient::epochFloors).isAccepted()).isTrue();
            }
        }
    }

    @Test
    void theAuthorizationValueIsTheAgentsAlone() throws Exception {
        device.ok("provision");
        assertThat(java.nio.file.attribute.PosixFilePermissions.toString(
                        Files.getPosixFilePermissions(dir.resolve("s/tpm.auth"))))
                .isEqualTo("rw-------");
        Files.delete(dir.resolve("s/tpm.auth"));
        assertThat(codeOf(floors())).isEqualTo(Code.TEE_STATE);
        assertThat(device.doctor()).contains("authorization value is not in the state directory");
        device.ok("provision", "--again", "--yes");
        assertThat(floors().isAccepted()).isTrue();
    }
}
