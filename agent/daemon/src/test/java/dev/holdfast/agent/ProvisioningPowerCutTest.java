package dev.holdfast.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.trust.client.TrustClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The power goes before and after each step of a verb: the same verb, said again, ends it. */
class ProvisioningPowerCutTest {
    private static final int MAX_HALF_STEPS = 60;

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

    private interface Step {
        void run() throws Exception;
    }

    /** Prepares, says the verb until the wire is cut, says it again, and looks at what there is; at each step in turn. */
    private void atEachStep(Step prepare, Step check, String... verb) throws Exception {
        for (int halfSteps = 0; halfSteps < MAX_HALF_STEPS; halfSteps++) {
            prepare.run();
            Path socket = dir.resolve("cut" + halfSteps);
            boolean wasCut;
            try (CutTpm cut = new CutTpm(socket, device.swtpm.orElseThrow().address(), halfSteps)) {
                device.configureAt("unix:" + socket, "");
                device.run(verb);
                wasCut = cut.wasCut();
            }
            device.configure("");
            device.swtpm.orElseThrow().powerCut();
            if (!wasCut) {
                assertThat(halfSteps).as("steps of " + String.join(" ", verb)).isGreaterThan(3);
                check.run();
                device.close();
                return;
            }
            device.ok(verb);
            check.run();
        }
        throw new AssertionError("the verb takes no end");
    }

    private void removeEverything() throws Exception {
        device.ok("deprovision", "--yes");
    }

    private void provisionAndRaise() throws Exception {
        removeEverything();
        device.ok("provision");
        assertThat(device.started(client -> client.raiseEpochFloor("intent", 5).orThrow())
                        .orThrow())
                .isEqualTo(5);
    }

    private void assertProvisioned() throws Exception {
        assertThat(device.doctor())
                .containsPattern("ok {4}anchor")
                .containsPattern("ok {4}state counter")
                .containsPattern("ok {4}provisioning +provisioned");
        assertThat(device.started(TrustClient::epochFloors).isAccepted()).isTrue();
        assertThat(dir.resolve("s/tpm.auth")).exists();
        assertThat(dir.resolve("s/endorsement.name")).exists();
    }

    private void assertFloor() throws Exception {
        assertProvisioned();
        assertThat(device.started(TrustClient::epochFloors).orThrow()).containsEntry("intent", 5L);
    }

    private void assertNothing() throws Exception {
        device.tools("test -z \"$(tpm2_getcap handles-nv-index; tpm2_getcap handles-persistent)\"");
        assertThat(dir.resolve("s/trust")).doesNotExist();
        assertThat(dir.resolve("s/tpm.auth")).doesNotExist();
        assertThat(dir.resolve("s/endorsement.name")).doesNotExist();
    }

    @Test
    void provisioningTheFirstTime() throws Exception {
        atEachStep(this::removeEverything, this::assertProvisioned, "provision");
    }

    @Test
    void againAfterTheCounterWasRemoved() throws Exception {
        atEachStep(
                () -> {
                    provisionAndRaise();
                    device.tools("tpm2_nvundefine -C o 0x18f4807");
                },
                this::assertFloor,
                "provision",
                "--again",
                "--yes");
    }

    @Test
    void againAfterTheAuthorizationValueWasLost() throws Exception {
        atEachStep(
                () -> {
                    provisionAndRaise();
                    Files.delete(dir.resolve("s/tpm.auth"));
                },
                this::assertFloor,
                "provision",
                "--again",
                "--yes");
    }

    @Test
    void againAfterTheTpmWasCleared() throws Exception {
        atEachStep(
                () -> {
                    provisionAndRaise();
                    device.tools("tpm2_clear");
                },
                this::assertProvisioned,
                "provision",
                "--again",
                "--yes");
    }

    @Test
    void againAfterTheOwnerGotAPassword() throws Exception {
        Path file = Files.writeString(dir.resolve("owner"), "secret");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        atEachStep(
                () -> {
                    device.tools("tpm2_clear");
                    provisionAndRaise();
                    device.tools("tpm2_changeauth -c o secret");
                },
                this::assertFloor,
                "provision",
                "--again",
                "--yes",
                "--owner-password-file",
                file.toString());
    }

    @Test
    void deprovisioning() throws Exception {
        atEachStep(this::provisionAndRaise, this::assertNothing, "deprovision", "--yes");
    }

    /** Of what is on the disk any part may be left once the TPM holds nothing. */
    @Test
    void deprovisioningWhereOnlyTheDiskIsLeft() throws Exception {
        provisionAndRaise();
        Map<Path, byte[]> state = device.copyOfState();
        for (Path one : state.keySet()) {
            if (one.endsWith("provisioning.jsonl") || one.endsWith("agent.lock")) {
                continue;
            }
            device.ok("deprovision", "--yes");
            Files.createDirectories(one.getParent());
            Path left = Files.write(one.resolveSibling("left"), state.get(one));
            Files.move(left, one, StandardCopyOption.REPLACE_EXISTING);
            device.ok("deprovision", "--yes");
            assertNothing();
        }
        device.ok("provision");
        assertProvisioned();
    }
}
