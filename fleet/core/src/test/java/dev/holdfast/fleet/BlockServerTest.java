package dev.holdfast.fleet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class BlockServerTest {
    @TempDir
    Path dir;

    private FleetDirectory directory = new FleetDirectory(Path.of(""));
    private BlockServer blobs = new BlockServer(directory);

    @BeforeEach
    void open() throws Exception {
        directory = new FleetDirectory(dir);
        blobs = new BlockServer(directory);
        Files.createDirectories(directory.blobs());
    }

    private Sha256 blob(int seed, int bytes) throws Exception {
        byte[] content = new byte[bytes];
        new Random(seed).nextBytes(content);
        Sha256 digest = Sha256.of(content);
        Files.write(directory.blob(digest), content);
        return digest;
    }

    private Binary leaves(Sha256 digest, int first, int count) throws Exception {
        return blobs.leaves(digest, blobs.find(digest).orElseThrow(), first, count);
    }

    private Binary expected(Sha256 digest, int first, int end) throws Exception {
        List<Sha256> all = MerkleTree.leaves(directory.blob(digest), Publication.BLOCK_BYTES);
        byte[] hashes = new byte[(end - first) * Sha256.BYTES];
        for (int i = first; i < end; i++) {
            System.arraycopy(all.get(i).toArray(), 0, hashes, (i - first) * Sha256.BYTES, Sha256.BYTES);
        }
        return Binary.copyOf(hashes);
    }

    @Test
    void givesTheLeavesThatThereAre() throws Exception {
        Sha256 digest = blob(1, 10 * Publication.BLOCK_BYTES + 1);
        assertThat(leaves(digest, 0, 1024)).isEqualTo(expected(digest, 0, 11));
        assertThat(leaves(digest, 3, 2)).isEqualTo(expected(digest, 3, 5));
        assertThat(leaves(digest, 10, Integer.MAX_VALUE)).isEqualTo(expected(digest, 10, 11));
        for (int wrong : new int[] {-1, 11, Integer.MAX_VALUE}) {
            assertThatThrownBy(() -> leaves(digest, wrong, 1)).hasMessageContaining("BLK-UNKNOWN");
        }
        assertThatThrownBy(() -> leaves(digest, 0, 0)).hasMessageContaining("BLK-UNKNOWN");
    }

    /** Whoever asks for the leaves of all files in turn must not have them all read again each time. */
    @Test
    void readsAFileOnceHoweverManyOthersThereAre() throws Exception {
        List<Sha256> digests = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            digests.add(blob(i, 3 * Publication.BLOCK_BYTES));
            leaves(digests.getLast(), 0, 3);
        }
        for (Sha256 digest : digests) {
            Binary before = leaves(digest, 0, 3);
            FileTime time = Files.getLastModifiedTime(directory.blob(digest));
            // Other bytes of the same length and time: they would give other leaves if they were read.
            Files.write(directory.blob(digest), new byte[3 * Publication.BLOCK_BYTES]);
            Files.setLastModifiedTime(directory.blob(digest), time);
            assertThat(leaves(digest, 0, 3)).isEqualTo(before);
        }
    }

    /** The file may be of many gigabytes, and on a slow disk. */
    @Test
    void nobodyWaitsWhileTheLeavesOfAFileAreComputed() throws Exception {
        Sha256 slow = blob(1, 3 * Publication.BLOCK_BYTES);
        Sha256 known = blob(2, 3 * Publication.BLOCK_BYTES);
        Sha256 other = blob(3, 3 * Publication.BLOCK_BYTES);
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch end = new CountDownLatch(1);
        leaves(known, 0, 3);
        blobs = new BlockServer(directory, file -> {
            begun.countDown();
            try {
                end.await();
            } catch (InterruptedException e) {
                throw new IOException(e);
            }
            return MerkleTree.leaves(file, Publication.BLOCK_BYTES);
        });
        CompletableFuture<Binary> first = new CompletableFuture<>();
        Thread.ofVirtual().start(() -> {
            try {
                first.complete(leaves(slow, 0, 3));
            } catch (Exception e) {
                first.completeExceptionally(e);
            }
        });
        begun.await();
        for (Sha256 busy : List.of(slow, other)) {
            assertThatThrownBy(() -> leaves(busy, 0, 3)).hasMessageContaining("API-BUSY");
        }
        assertThat(leaves(known, 0, 3)).isEqualTo(expected(known, 0, 3));
        end.countDown();
        assertThat(first.get()).isEqualTo(expected(slow, 0, 3));
        assertThat(leaves(other, 0, 3)).isEqualTo(expected(other, 0, 3));
    }

    @Test
    void whatIsPublishedHasItsLeavesWrittenDown() throws Exception {
        Sha256 digest = blob(1, 3 * Publication.BLOCK_BYTES);
        assertThat(blobs.published(digest)).hasSize(3);
        blobs = new BlockServer(directory, file -> {
            throw new IOException("read again");
        });
        assertThat(leaves(digest, 0, 3)).isEqualTo(expected(digest, 0, 3));
    }

    @Test
    void aFileThatWasRepairedInPlaceGetsNewLeaves() throws Exception {
        Sha256 digest = blob(1, 3 * Publication.BLOCK_BYTES);
        byte[] sound = Files.readAllBytes(directory.blob(digest));
        Binary right = expected(digest, 0, 3);
        Files.write(directory.blob(digest), new byte[sound.length]);
        assertThat(leaves(digest, 0, 3)).isNotEqualTo(right);
        Files.write(directory.blob(digest), sound);
        Files.setLastModifiedTime(directory.blob(digest), FileTime.from(Instant.EPOCH));
        assertThat(leaves(digest, 0, 3)).isEqualTo(right);
    }

    @Test
    void aDamagedListIsMadeAgain() throws Exception {
        Sha256 digest = blob(1, 3 * Publication.BLOCK_BYTES);
        Binary right = leaves(digest, 0, 3);
        Path list = directory.leaves().resolve(digest.hex());
        for (byte[] damaged : List.of(new byte[0], new byte[(int) Files.size(list)])) {
            Files.write(list, damaged);
            assertThat(leaves(digest, 0, 3)).isEqualTo(right);
        }
    }
}
