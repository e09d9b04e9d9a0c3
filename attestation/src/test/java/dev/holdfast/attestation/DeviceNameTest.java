package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.tee.tpm.TpmTools;
import dev.holdfast.wire.Sha256;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeviceNameTest {
    @TempDir
    Path dir;

    @Test
    void itIsOfTheTpmWhateverWasInstalledAndAfterAClear() throws Exception {
        try (Swtpm swtpm = Swtpm.start(dir)) {
            String first;
            Sha256 key;
            try (Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
                key = DeviceName.endorsement(bridge);
                first = DeviceName.of(key);
                assertThat(new DeviceEnrolment(bridge, first).endorsement()).isEqualTo(key);
            }
            assertThat(first)
                    .matches("hf-[0-9a-f]{24}")
                    .isEqualTo("hf-" + key.hex().substring(0, 24));
            assertThat(DeviceName.isDerived(first)).isTrue();
            new TpmTools(dir, swtpm).run("tpm2_clear", "-c", "p");
            try (Tpm2Bridge bridge = Tpm2Bridge.open(swtpm.address())) {
                assertThat(DeviceName.of(DeviceName.endorsement(bridge))).isEqualTo(first);
            }
        }
    }

    @Test
    void withoutATpmItIsOfTheKeyOnTheDisk() throws Exception {
        Sha256 key;
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            key = DeviceName.endorsement(bridge);
            assertThat(new DeviceEnrolment(bridge, "device-1").endorsement()).isEqualTo(key);
        }
        try (SoftwareBridge bridge = SoftwareBridge.open(dir.resolve("tee"))) {
            assertThat(DeviceName.endorsement(bridge)).isEqualTo(key);
        }
        try (SoftwareBridge other = SoftwareBridge.open(dir.resolve("other"))) {
            assertThat(DeviceName.endorsement(other)).isNotEqualTo(key);
        }
        assertThat(DeviceName.isDerived("hf-cam-7")).isFalse();
    }
}
