package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A member of group tss puts something else where provisioning put an index or a key: the commands bring the device back. */
class PlantedTest {
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

    private void raise(long floor) throws Exception {
        assertThat(device.started(client ->
                                client.raiseEpochFloor("intent", floor).orThrow())
                        .orThrow())
                .isEqualTo(floor);
    }

    private void assertFloor(long floor) throws Exception {
        assertThat(device.started(TrustClient::epochFloors).orThrow()).containsEntry("intent", floor);
    }

    @Test
    void neitherProvisioningNorDeprovisioningStumblesOverAPlantedIndex() throws Exception {
        device.configure("register = \"nv:15\"");
        device.ok("provision");
        raise(5);
        for (String index : new String[] {"0x18f4803", "0x18f4806", "0x18f4807"}) {
            String plant = "tpm2_nvundefine -C o " + index + "\n"
                    + "tpm2_nvdefine -C o -s 32 -a 'ownerwrite|authwrite|ownerread|authread' " + index;
            device.tools(plant);
            assertThat(device.doctor()).contains("is not as Holdfast defines it", "-> holdfast provision --again");
            device.ok("provision", "--again", "--yes");
            assertThat(device.doctor())
                    .doesNotContain("is not as Holdfast defines it")
                    .containsPattern("ok {4}anchor +the factory root " + Sha256.ofFile(device.rootFile));
            assertFloor(5);
            device.tools(plant);
            device.ok("deprovision", "--yes");
            device.tools("test -z \"$(tpm2_getcap handles-nv-index)\"");
            device.ok("provision");
            raise(5);
        }
    }

    @Test
    void aPlantedKeyIsRemovedAndTheRecordCountsAgain() throws Exception {
        device.ok("provision");
        raise(5);
        device.tools("""
                tpm2_createprimary -Q -C o -G ecc256:ecdsa-sha256 -c own.ctx \\
                    -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign'
                tpm2_evictcontrol -Q -C o -c own.ctx 0x81008f43
                """);
        assertThat(device.started(TrustClient::epochFloors).isAccepted()).isFalse();
        assertThat(device.ok("provision", "--again", "--yes")).contains("0x81008f43 is removed");
        assertFloor(5);
    }

    /** Stored keys have the lost value as their own. */
    @Test
    void aLostAuthorizationValueIsNoDeadEndWhereTheOwnerHasAPassword() throws Exception {
        device.tools("tpm2_changeauth -c o secret");
        Path file = Files.writeString(dir.resolve("owner"), "secret");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        device.ok("provision", "--owner-password-file", file.toString());
        raise(5);
        Files.delete(dir.resolve("s/tpm.auth"));
        assertThat(device.started(TrustClient::epochFloors).toString()).contains("TEE-STATE");
        assertThat(device.doctor()).containsPattern("FAIL {2}owner +has a password, and the key stored at 0x81008f43");
        assertThat(device.ok("provision", "--again", "--yes", "--owner-password-file", file.toString()))
                .contains("the signer key is stored at 0x81008f43", "the storage key is stored at 0x81008f44");
        assertFloor(5);
    }
}
