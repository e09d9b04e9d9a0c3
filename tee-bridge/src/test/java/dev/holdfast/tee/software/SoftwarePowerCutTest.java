package dev.holdfast.tee.software;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.storage.CrashDisk;
import dev.holdfast.storage.CutMatrix;
import dev.holdfast.storage.CutMatrix.End;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.AuthValue;
import dev.holdfast.tee.TeeException;
import dev.holdfast.tee.tpm.SealPolicy;
import dev.holdfast.tee.tpm.Unlock;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.interfaces.ECPublicKey;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The power-cut matrix of the software bridge. Whatever the bridge has said, in an answer or by returning, holds for the process
 * after: its keys are the same, the counter is no lower, the anchor is stored, what it sealed opens. The register is what it said
 * as long as the machine was not started anew, and zero after that.
 */
class SoftwarePowerCutTest {
    enum Start {
        /** No directory yet. */
        FIRST,
        /** The same boot as the process before. */
        RESTART,
        /** Another boot, so the register is set to zero first. */
        REBOOT
    }

    private static final Sha256 ROOT = Sha256.of("factory root".getBytes(StandardCharsets.US_ASCII));
    private static final byte[] SECRET = "secret".getBytes(StandardCharsets.US_ASCII);
    private static final int TWICE = 60;

    private static Path root = Path.of("");
    private static CutMatrix matrix = new CutMatrix("", root);

    private final Path dir = root.resolve("tee");
    private final Map<Path, byte[]> before = new HashMap<>();
    private Said saidBefore = new Said();
    private Said said = new Said();

    /** What the bridge told anybody so far. */
    private static final class Said {
        private long generation;
        private long boots;
        private Optional<Sha256> anchor = Optional.empty();
        private Sha256 register = SoftwareState.ZERO;
        /** What is being extended; the process may end before it is told that it was. */
        private Optional<Sha256> extending = Optional.empty();

        private @Nullable ECPublicKey signer;
        private @Nullable ECPublicKey attestation;
        private byte @Nullable [] sealed;

        private Said copy() {
            Said copy = new Said();
            copy.generation = generation;
            copy.boots = boots;
            copy.anchor = anchor;
            copy.register = register;
            copy.extending = extending;
            copy.signer = signer;
            copy.attestation = attestation;
            copy.sealed = sealed;
            return copy;
        }
    }

    @BeforeAll
    static void begin() throws IOException {
        root = CutMatrix.directory();
        matrix = new CutMatrix("the software bridge", root);
    }

    @AfterAll
    static void print() throws IOException {
        matrix.print();
        Files.delete(root);
    }

    @AfterEach
    void clear() throws IOException {
        CutMatrix.clear(root);
    }

    @ParameterizedTest
    @EnumSource(Start.class)
    void everyOperationMayBeTheLast(Start start) throws Exception {
        matrix.everyOperation(start.name(), scenario(start));
    }

    @ParameterizedTest
    @EnumSource(Start.class)
    void thePowerMayGoAgainWhileTheBridgeRecovers(Start start) throws Exception {
        matrix.twice(start.name(), TWICE, scenario(start));
    }

    /** Cut off or not, a second removal ends with nothing, and the next bridge is another device. */
    @Test
    void everyOperationOfARemovalMayBeTheLast() throws Exception {
        CutMatrix.Scenario started = scenario(Start.RESTART);
        matrix.everyOperation("REMOVAL", new CutMatrix.Scenario() {
            @Override
            public void restore() throws Exception {
                started.restore();
            }

            @Override
            public void run(Disk disk) throws Exception {
                remove("boot-1", disk);
            }

            @Override
            public void comesBack(End end) throws Exception {
                remove("boot-2", Disk.LOCAL);
                assertThat(CrashDisk.files(root)).containsExactly(file("lock"));
                try (SoftwareBridge bridge = SoftwareBridge.open(dir, "boot-2", Disk.LOCAL)) {
                    assertThat(bridge.anchorStore().orElseThrow().read()).isEmpty();
                    assertThat(bridge.signer().orElseThrow().publicKey()).isNotEqualTo(saidBefore.signer);
                }
            }
        });
    }

    private void remove(String boot, Disk disk) throws TeeException {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir, boot, disk)) {
            bridge.provisioner().orElseThrow().remove(AuthValue.EMPTY);
        }
    }

    private CutMatrix.Scenario scenario(Start start) throws Exception {
        if (start != Start.FIRST) {
            work("boot-1", Disk.LOCAL);
            for (Path file : CrashDisk.files(root)) {
                before.put(file, Files.readAllBytes(file));
            }
            saidBefore = said;
        }
        String boot = start == Start.REBOOT ? "boot-2" : "boot-1";
        return new CutMatrix.Scenario() {
            @Override
            public void restore() throws IOException {
                CutMatrix.clear(root);
                if (!before.isEmpty()) {
                    Disk.LOCAL.createDirectories(dir, Disk.Access.PRIVATE);
                }
                for (Map.Entry<Path, byte[]> file : before.entrySet()) {
                    try (Disk.OpenFile open = Disk.LOCAL.open(file.getKey(), Disk.Access.PRIVATE)) {
                        open.write(java.nio.ByteBuffer.wrap(file.getValue()), 0);
                    }
                }
                said = saidBefore.copy();
            }

            @Override
            public void run(Disk disk) throws Exception {
                try {
                    work(boot, disk);
                } catch (TeeException e) {
                    // It could not be opened on a disk that failed once: the next process tries again.
                    work(boot, disk);
                }
            }

            @Override
            public void comesBack(End end) throws Exception {
                if (end == End.POWER) {
                    said.register = SoftwareState.ZERO;
                }
                work(end == End.POWER ? "boot-3" : boot, Disk.LOCAL);
                assertThat(CrashDisk.files(root))
                        .containsExactlyInAnyOrder(file("keyset.json"), file("lock"), file("state"));
                for (Path file : List.of(file("keyset.json"), file("state"))) {
                    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                            .isEqualTo("rw-------");
                }
            }
        };
    }

    private Path file(String name) {
        return dir.resolve(name);
    }

    /** A process: opens the bridge, checks it against what was said, and changes everything that can change. */
    private void work(String boot, Disk disk) throws Exception {
        try (SoftwareBridge bridge = SoftwareBridge.open(dir, boot, disk)) {
            listen(bridge);
            assertThat(open(bridge)).isEqualTo(SECRET);
            attempt(
                    bridge,
                    Optional.empty(),
                    () -> bridge.provisioner().orElseThrow().anchor(ROOT, AuthValue.EMPTY));
            attempt(
                    bridge,
                    Optional.empty(),
                    () -> bridge.stateCounter().orElseThrow().advanceTo(said.generation + 2));
            extend(bridge, ROOT);
            attempt(
                    bridge,
                    Optional.empty(),
                    () -> bridge.stateCounter().orElseThrow().advanceTo(said.generation + 1));
            extend(bridge, Sha256.of(SECRET));
        }
    }

    private void extend(SoftwareBridge bridge, Sha256 digest) throws TeeException {
        attempt(
                bridge,
                Optional.of(digest),
                () -> bridge.register().orElseThrow().extend(digest));
    }

    private interface Change {
        void run() throws TeeException;
    }

    /** On a disk that fails, a change may be refused; then all is as it was. */
    private void attempt(SoftwareBridge bridge, Optional<Sha256> extending, Change change) throws TeeException {
        said.extending = extending;
        try {
            change.run();
            extending.ifPresent(digest -> said.register = extended(said.register, digest));
        } catch (TeeException e) {
            // A disk that fails once.
        }
        said.extending = Optional.empty();
        listen(bridge);
    }

    /** Asks for everything, and holds it against what was said before. */
    private void listen(SoftwareBridge bridge) throws TeeException {
        long boots = bridge.register().orElseThrow().resetCount();
        Sha256 register = bridge.register().orElseThrow().read();
        if (boots == said.boots) {
            Sha256 last = said.extending
                    .map(digest -> extended(said.register, digest))
                    .orElse(said.register);
            assertThat(register).as("register").isIn(said.register, last);
        } else {
            assertThat(boots).isGreaterThan(said.boots);
            assertThat(register).isEqualTo(SoftwareState.ZERO);
        }
        long generation = bridge.stateCounter().orElseThrow().read();
        assertThat(generation).as("generation").isGreaterThanOrEqualTo(said.generation);
        Optional<Sha256> anchor = bridge.anchorStore().orElseThrow().read();
        if (said.anchor.isPresent()) {
            assertThat(anchor).isEqualTo(said.anchor);
        }
        ECPublicKey signer = bridge.signer().orElseThrow().publicKey();
        ECPublicKey attestation = bridge.quoter().orElseThrow().attestationKey();
        if (said.signer != null) {
            assertThat(signer).as("signer").isEqualTo(said.signer);
            assertThat(attestation).as("attestation key").isEqualTo(said.attestation);
        }
        said.extending = Optional.empty();
        said.boots = boots;
        said.register = register;
        said.generation = generation;
        said.anchor = anchor;
        said.signer = signer;
        said.attestation = attestation;
    }

    private static Sha256 extended(Sha256 register, Sha256 digest) {
        return Sha256.of(register.toArray(), digest.toArray());
    }

    private byte[] open(SoftwareBridge bridge) throws TeeException {
        byte[] sealed = said.sealed;
        if (sealed == null) {
            sealed = bridge.sealer().orElseThrow().seal(SECRET, new SealPolicy.ThisDevice());
            said.sealed = sealed;
        }
        return bridge.sealer().orElseThrow().unseal(sealed, new Unlock.ThisDevice());
    }
}
