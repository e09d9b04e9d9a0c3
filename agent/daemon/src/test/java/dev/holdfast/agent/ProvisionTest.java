package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.agent.ProvisionedDevice.Person;
import dev.holdfast.agent.ProvisionedDevice.Ran;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What provisioning leaves in a real TPM emulator, what it refuses, and what the doctor says of it. */
class ProvisionTest {
    private static final String UNTOUCHED =
            "test -z \"$(tpm2_getcap handles-nv-index; tpm2_getcap handles-persistent)\"";

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

    @Test
    void provisioningIsDoneOnceAndOnlyDeprovisioningUndoesIt() throws Exception {
        Sha256 root = Sha256.ofFile(device.rootFile);
        assertThat(device.ok("provision"))
                .contains("anchored " + root)
                .contains("fleet     mill", "1 classical and 1 lattice", "locked for good", "state counter");
        assertThat(device.ok("provision")).contains("already anchored: " + root);
        Files.write(device.rootFile, ProvisionedDevice.OFFLINE.sign(ProvisionedDevice.root("mill")));
        assertThat(device.refused("provision")).contains("TEE-REFUSED", "holdfast deprovision");
        assertThat(device.refused("provision", "--again", "--yes")).contains("TEE-REFUSED", "holdfast deprovision");
        assertThat(device.doctor())
                .containsPattern("FAIL {2}anchor +another root: " + root)
                .contains("holdfast deprovision");
        assertThat(device.refused("deprovision")).contains("--yes");
        assertThat(device.ok("deprovision", "--yes")).contains("NV index 0x18f4803", "NV index 0x18f4807");
        device.tools(UNTOUCHED);
        assertThat(device.ok("provision")).contains("anchored " + Sha256.ofFile(device.rootFile));
        assertThat(device.started(client -> client.rootVersion()).orThrow()).isEqualTo(1);
        assertThat(Files.readString(dir.resolve("s/provisioning.jsonl")).lines())
                .hasSize(3)
                .satisfiesExactly(
                        first -> assertThat(first).contains("\"PROVISIONED\"", root.hex()),
                        second -> assertThat(second).contains("\"DEPROVISIONED\"", root.hex(), "0x18f4807"),
                        third -> assertThat(third).contains("\"PROVISIONED\""));
    }

    @Test
    void theDoctorSaysWhatIsInTheTpm() throws Exception {
        String before = device.doctor();
        assertThat(before)
                .containsPattern("FAIL {2}anchor +not provisioned")
                .containsPattern("FAIL {2}factory root index +not provisioned")
                .containsPattern("FAIL {2}state counter +not provisioned")
                .contains("-> holdfast provision\n");
        assertThat(device.doctor()).as("looking makes nothing").isEqualTo(before);
        device.tools(UNTOUCHED);
        device.ok("provision");
        assertThat(device.doctor())
                .containsPattern("warn {2}TEE +TPM2, assurance EMULATED")
                .containsPattern("ok {4}anchor +the factory root " + Sha256.ofFile(device.rootFile))
                .containsPattern("ok {4}provisioning +provisioned 20.* by ")
                .containsPattern("ok {4}measurements +the event log leads to the register pcr:14")
                .containsPattern("ok {4}factory root index +NV 0x18f4803, written once, locked for good")
                .containsPattern("ok {4}state counter +NV 0x18f4807 is at [0-9]+, moved by this device's state")
                .containsPattern("ok {4}owner +has no password")
                .containsPattern("ok {4}lockout counter +0 of 3 failures, one is forgotten every 1000 s")
                .containsPattern("ok {4}keys +signs as [0-9a-f]{64}, quotes as [0-9a-f]{64}")
                .containsPattern("ok {4}register +number 14, 1 resets so far, holds nothing yet");
    }

    @Test
    void whatIsNotThisFleetsRootIsNeverAnchored() throws Exception {
        List<byte[]> files = List.of(
                "garbage".getBytes(StandardCharsets.UTF_8),
                new byte[0],
                ProvisionedDevice.OFFLINE.sign(ProvisionedDevice.root("mill").put("_type", "targets")),
                new String(ProvisionedDevice.OFFLINE.sign(ProvisionedDevice.root("mill")), StandardCharsets.UTF_8)
                        .replace("\"version\":1", "\"version\":7")
                        .getBytes(StandardCharsets.UTF_8),
                ProvisionedDevice.OFFLINE.sign(ProvisionedDevice.root("another")));
        List<String> said = new ArrayList<>();
        for (byte[] file : files) {
            Files.write(device.rootFile, file);
            said.add(device.refused("provision", "--yes"));
            said.add(device.refused("provision", "--again", "--yes"));
        }
        assertThat(said)
                .allSatisfy(why -> assertThat(why).containsPattern("^(UPD|CFG)-"))
                .anySatisfy(why -> assertThat(why).contains("the fleet another", "fleet = \"mill\""));
        device.tools(UNTOUCHED);
        assertThat(dir.resolve("s")).doesNotExist();
    }

    @Test
    void aPersonIsAskedAScriptIsNot() throws Exception {
        Person no = Person.who(false);
        Ran declined = device.run(no, "provision");
        assertThat(declined.status()).isNotZero();
        assertThat(no.asked()).singleElement().asString().contains("for good");
        device.tools(UNTOUCHED);
        Person unasked = Person.who(false);
        assertThat(device.run(unasked, "provision", "--yes").status()).isZero();
        assertThat(unasked.asked()).isEmpty();
        assertThat(device.run(no, "deprovision").status()).isNotZero();
        assertThat(device.doctor()).containsPattern("ok {4}anchor");
        assertThat(device.run(Person.who(true), "deprovision").status()).isZero();
        assertThat(device.run(Person.who(true), "provision").status()).isZero();
    }

    @Test
    void anOwnersPasswordComesFromAFileOrFromThePersonAlone() throws Exception {
        device.tools("tpm2_changeauth -c o secret");
        assertThat(device.refused("provision")).contains("TEE-REFUSED", "--owner-password-file");
        Path file = Files.writeString(dir.resolve("owner"), "guessed\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        String[] command = {"provision", "--owner-password-file", file.toString()};
        assertThat(device.refused(command)).contains("chmod 0600");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        assertThat(device.refused(command)).contains("TEE-REFUSED", "another password");
        device.tools(UNTOUCHED);
        Files.writeString(file, "secret\n");
        assertThat(device.ok(command))
                .contains("the signer key is stored at 0x81008f43")
                .doesNotContain("secret");
        assertThat(device.doctor()).containsPattern("ok {4}owner +has a password");
        assertThat(device.started(client -> client.raiseEpochFloor("intent", 2).orThrow())
                        .orThrow())
                .isEqualTo(2);
        assertThat(device.refused("deprovision", "--yes")).contains("--owner-password-file");
        Person owner = new Person(true, AuthValue.of("secret"), new ArrayList<>());
        assertThat(device.run(owner, "deprovision").status()).isZero();
        assertThat(owner.asked()).hasSize(2);
        device.tools(UNTOUCHED);
    }

    @Test
    void aRegisterThatOthersMeasureIntoIsNotTaken() throws Exception {
        device.tools("tpm2_pcrextend 14:sha256=" + Sha256.of(new byte[0]));
        assertThat(device.doctor()).containsPattern("FAIL {2}measurements +the register holds");
        device.configure("register = \"pcr:14\"");
        assertThat(device.refused("provision")).contains("shim", "write register = \"nv:15\"");
        device.tools(UNTOUCHED);
        device.configure("register = \"nv:15\"");
        device.ok("provision");
        device.ok("deprovision", "--yes");
        device.tools("tpm2_pcrextend 15:sha256=" + Sha256.of(new byte[1]));
        assertThat(device.refused("provision")).contains("before the next restart", "write register = \"nv:13\"");
        device.configure("");
        assertThat(device.ok("provision")).contains("shim", "register nv:13");
        assertThat(device.parsed().root().register()).hasToString("nv:13");
        assertThat(device.doctor()).containsPattern("ok {4}measurements +the event log leads to the register nv:13");
        device.ok("deprovision", "--yes");
        assertThat(device.parsed().root().register()).hasToString("pcr:14");
        device.tools(UNTOUCHED);
    }
}
