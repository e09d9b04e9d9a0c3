package dev.holdfast.updater;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.storage.CrashDisk;
import dev.holdfast.trust.release.ModelOrder;
import dev.holdfast.wire.Sha256;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordingFile;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * How often an install reads the files that it makes. The flight recorder counts the bytes that any code of this process
 * reads from a file, so that a pass over a whole model cannot come back unseen, wherever it hides; so nothing else runs meanwhile.
 */
@Isolated
class InstallReadsTest {
    @TempDir
    Path dir;

    private InstallWorld world;

    @BeforeEach
    void aModelServes() throws Exception {
        world = new InstallWorld(Files.createDirectory(dir.resolve("world")));
        world.inOrder = true;
        assertThat(world.installer().install(world.firstOrder)).isInstanceOf(InstallOutcome.Committed.class);
    }

    private interface Step {
        void run() throws Exception;
    }

    /** Bytes read from files by their name: that of a blob, or of a partial file. */
    private record Reads(Path recording) {
        long of(String name) throws Exception {
            return RecordingFile.readAllEvents(recording).stream()
                    .filter(event -> event.getEventType().getName().equals("jdk.FileRead"))
                    .filter(event -> event.getString("path").endsWith(name))
                    .mapToLong(event -> event.getLong("bytesRead"))
                    .sum();
        }

        long whileMaking(byte[] file) throws Exception {
            return of("/partial/" + Sha256.of(file).hex() + ".part");
        }

        long whenFinished(byte[] file) throws Exception {
            return of("/blobs/" + Sha256.of(file).hex());
        }
    }

    private Reads during(Step step) throws Exception {
        try (Recording recording = new Recording()) {
            recording
                    .enable("jdk.FileRead")
                    .withThreshold(Duration.ZERO)
                    .withoutStackTrace()
                    .with("throttle", "off");
            recording.start();
            step.run();
            recording.stop();
            Path file = Files.createTempFile(dir, "reads", ".jfr");
            recording.dump(file);
            return new Reads(file);
        }
    }

    private Reads install(ModelOrder order) throws Exception {
        return during(() -> assertThat(world.installer().install(order)).isInstanceOf(InstallOutcome.Committed.class));
    }

    @Test
    void aWholeModelIsReadByItsGateAlone() throws Exception {
        Reads reads = install(world.without(world.secondOrder, 2));
        assertThat(reads.whileMaking(world.second)).isZero();
        assertThat(reads.whenFinished(world.second)).isEqualTo(world.second.length);
    }

    @Test
    void aModelMadeFromADeltaIsReadByItsGateAlone() throws Exception {
        Reads reads = install(world.secondOrder);
        assertThat(reads.whileMaking(world.second)).isZero();
        assertThat(reads.whenFinished(world.second)).isEqualTo(world.second.length);
    }

    @Test
    void aPatchIsReadAsItIsUsedAndNotForAHash() throws Exception {
        Reads reads = install(world.secondOrder);
        byte[] patch = Files.readAllBytes(dir.resolve("world/patch"));
        assertThat(reads.whileMaking(patch)).isPositive().isLessThan(2L * patch.length);
    }

    @Test
    void blocksThatComeTooEarlyAreReadBackOnce() throws Exception {
        world.inOrder = false;
        Reads reads = install(world.without(world.secondOrder, 2));
        assertThat(reads.whileMaking(world.second)).isPositive().isLessThanOrEqualTo(world.second.length);
        assertThat(reads.whenFinished(world.second)).isEqualTo(world.second.length);
    }

    @Test
    void aFileThatAKilledProcessVerifiedIsReadOnceMore() throws Exception {
        world.observer = record -> {
            if (record.state() == InstallState.VERIFIED) {
                world.observer = later -> {};
                throw new CrashDisk.Killed();
            }
        };
        ModelOrder order = world.without(world.secondOrder, 2);
        Assertions.assertThatThrownBy(() -> world.installer().install(order)).isInstanceOf(CrashDisk.Killed.class);
        assertThat(Files.exists(world.store.blob(Sha256.of(world.second)))).isFalse();
        Reads reads = install(order);
        assertThat(reads.whileMaking(world.second))
                .as("what the journal says is not believed")
                .isEqualTo(world.second.length);
        assertThat(reads.whenFinished(world.second)).isEqualTo(world.second.length);
    }

    @Test
    void bytesThatChangeBetweenTwoProcessesGetNoName() throws Exception {
        world.observer = record -> {
            if (record.state() == InstallState.VERIFIED) {
                world.observer = later -> {};
                throw new CrashDisk.Killed();
            }
        };
        Assertions.assertThatThrownBy(() -> world.installer().install(world.secondOrder))
                .isInstanceOf(CrashDisk.Killed.class);
        Path part = dir.resolve("world/store/partial/" + Sha256.of(world.second).hex() + ".part");
        byte[] damaged = Files.readAllBytes(part);
        damaged[damaged.length - 1] ^= 1;
        Files.write(part, damaged);
        Sha256[] named = {Sha256.of(new byte[0])};
        world.observer = record -> {
            if (record.state() == InstallState.STAGED) {
                named[0] = hash(world.store.blob(Sha256.of(world.second)));
            }
        };
        assertThat(world.installer().install(world.secondOrder)).isInstanceOf(InstallOutcome.Committed.class);
        assertThat(named[0]).isEqualTo(Sha256.of(world.second));
    }

    private static Sha256 hash(Path file) {
        try {
            return Sha256.ofFile(file);
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
