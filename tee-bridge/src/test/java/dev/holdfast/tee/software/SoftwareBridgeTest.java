package dev.holdfast.tee.software;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.BridgeContract;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.TeeDescription;
import dev.holdfast.tee.TeeException;
import dev.holdfast.wire.Code;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SoftwareBridgeTest extends BridgeContract {
    @TempDir
    Path temp;

    private SoftwareBridge bridge;

    @BeforeEach
    void open() throws Exception {
        bridge = SoftwareBridge.open(temp.resolve("tee"), "boot-1");
    }

    @AfterEach
    void close() {
        bridge.close();
    }

    @Override
    public TeeBridge bridge() {
        return bridge;
    }

    @Override
    public TeeBridge reopen() throws Exception {
        return reboot("boot-1");
    }

    private SoftwareBridge reboot(String bootId) throws Exception {
        bridge.close();
        bridge = SoftwareBridge.open(temp.resolve("tee"), bootId);
        return bridge;
    }

    @Test
    void neverClaimsMoreThanSoftware() {
        assertThat(bridge.describe().assurance()).isEqualTo(Assurance.SOFTWARE);
        assertThat(bridge.enroller()).isEmpty();
        assertThat(bridge.register().orElseThrow().resettable()).isTrue();
    }

    @Test
    void aBootSetsTheRegisterToZeroAndIsCounted() throws Exception {
        bridge.register().orElseThrow().extend(DIGEST);
        bridge.stateCounter().orElseThrow().advanceTo(7);
        long boots = bridge.register().orElseThrow().resetCount();
        reboot("boot-2");
        assertThat(bridge.register().orElseThrow().read()).isEqualTo(SoftwareState.ZERO);
        assertThat(bridge.register().orElseThrow().resetCount()).isEqualTo(boots + 1);
        assertThat(bridge.stateCounter().orElseThrow().read()).isEqualTo(7);
    }

    @Test
    void keepsItsFilesToItself() throws Exception {
        try (var files = Files.list(temp.resolve("tee"))) {
            for (Path file : files.toList()) {
                String mode = PosixFilePermissions.toString(Files.getPosixFilePermissions(file));
                assertThat(mode).as(file.toString()).isEqualTo("rw-------");
            }
        }
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(temp.resolve("tee"))))
                .isEqualTo("rwx------");
    }

    @Test
    void everyFlippedBitOfTheStateIsNoticed() throws Exception {
        bridge.close();
        Path file = temp.resolve("tee/state");
        byte[] good = Files.readAllBytes(file);
        for (int at = 0; at < good.length; at += 7) {
            byte[] bad = good.clone();
            bad[at] ^= 1;
            Files.write(file, bad);
            assertThatThrownBy(() -> SoftwareBridge.open(temp.resolve("tee"), "boot-1"))
                    .isInstanceOfSatisfying(
                            TeeException.class, e -> assertThat(e.code()).isEqualTo(Code.TEE_STATE));
        }
        Files.write(file, good);
        assertThat(reopen().describe().kind()).isEqualTo(TeeDescription.Kind.SOFTWARE);
    }

    @Test
    void refusesASecondOwner() {
        assertThatThrownBy(() -> SoftwareBridge.open(temp.resolve("tee"), "boot-1"))
                .isInstanceOf(TeeException.class);
    }
}
