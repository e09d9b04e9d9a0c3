package dev.holdfast.trust.bundle;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.holdfast.trust.client.BlockSource;
import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.client.SourceException;
import dev.holdfast.trust.release.DirectorOrder;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is on a USB stick, the reader answers with a value, soon and within its memory. What it lists is also read. */
class BundleFuzzTest {
    private static final int SOME = 20_000;
    private static final int MANY = 1_000_000;
    /** The list of contents and one document; the bound on metadata is larger than any case. */
    private static final long MAX_CASE_BYTES = 16L << 20;

    private static final long MAX_CASE_NANOS = TimeUnit.SECONDS.toNanos(1);

    @TempDir
    Path dir;

    private byte[] whole = {};
    private Sha256 digest = Sha256.of();

    @BeforeEach
    void write() throws IOException {
        byte[] model = Arrays.copyOf(RepositorySimulator.model(5), 5000);
        digest = Sha256.of(model);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        OfflineBundleWriter writer = new OfflineBundleWriter(out);
        writer.metadata("1.root.json", new byte[700]);
        writer.metadata("timestamp.json", new byte[100]);
        writer.order("device-1", new byte[300]);
        writer.target(digest, Files.write(dir.resolve("model"), model), 1024);
        writer.finish();
        whole = out.toByteArray();
    }

    @Test
    void someBundlesEndInAVerdict() {
        bundles(SOME, 1);
    }

    @Test
    @Tag("soak")
    void aMillionBundlesEndInAVerdict() {
        bundles(MANY, 2);
    }

    private void bundles(int cases, long seed) {
        Random random = new Random(seed);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int accepted = 0;
        for (int round = 0; round < cases; round++) {
            byte[] bytes = mutated(random);
            long allocated = threads.getCurrentThreadAllocatedBytes();
            long started = System.nanoTime();
            accepted += read(bytes) ? 1 : 0;
            assertThat(System.nanoTime() - started)
                    .as("round %d of seed %d", round, seed)
                    .isLessThan(MAX_CASE_NANOS);
            assertThat(threads.getCurrentThreadAllocatedBytes() - allocated)
                    .as("round %d of seed %d", round, seed)
                    .isLessThan(MAX_CASE_BYTES);
        }
        // Both ways are walked: a fuzz target whose cases all fail at the first byte tests nothing.
        assertThat(accepted).isBetween(cases / 200, cases - cases / 20);
    }

    /** Changes headers, mostly with a checksum that fits afterwards. */
    private byte[] mutated(Random random) {
        byte[] bytes = whole.clone();
        for (int changes = random.nextInt(1, 4); changes > 0; changes--) {
            int block = random.nextInt(bytes.length / TarHeader.BYTES) * TarHeader.BYTES;
            switch (random.nextInt(6)) {
                case 0 -> bytes[block + random.nextInt(TarHeader.BYTES)] = (byte) random.nextInt();
                case 1 -> put(bytes, block + 124, "%011o".formatted(random.nextLong(TarHeader.MAX_LENGTH)));
                case 2 -> put(bytes, block + 124, "%011o".formatted(random.nextInt(3000)));
                case 3 -> bytes[block + random.nextInt(100)] = (byte) random.nextInt(128);
                case 4 ->
                    System.arraycopy(
                            whole,
                            random.nextInt(whole.length / TarHeader.BYTES) * TarHeader.BYTES,
                            bytes,
                            block,
                            TarHeader.BYTES);
                default ->
                    bytes = random.nextInt(4) == 0
                            ? Arrays.copyOf(bytes, TarHeader.BYTES + random.nextInt(bytes.length))
                            : bytes;
            }
            if (random.nextInt(4) != 0 && block + TarHeader.BYTES <= bytes.length) {
                addUp(bytes, block);
            }
        }
        return bytes;
    }

    private static void put(byte[] bytes, int at, String text) {
        System.arraycopy(text.getBytes(StandardCharsets.US_ASCII), 0, bytes, at, text.length());
    }

    private static void addUp(byte[] bytes, int block) {
        boolean header = bytes[block + 257] == 'u';
        if (header) {
            Arrays.fill(bytes, block + 148, block + 156, (byte) ' ');
            int sum = 0;
            for (int i = 0; i < TarHeader.BYTES; i++) {
                sum += bytes[block + i] & 0xff;
            }
            put(bytes, block + 148, "%06o\0 ".formatted(sum));
        }
    }

    private boolean read(byte[] bytes) {
        if (!(OfflineBundle.open(MemoryBytes.of(bytes), "device-1")
                instanceof Verdict.Accepted<OfflineBundle>(OfflineBundle bundle))) {
            return false;
        }
        try {
            Optional<byte[]> root = bundle.fetch("1.root.json", 1000);
            root.ifPresent(found -> assertThat(found.length).isLessThanOrEqualTo(1000));
            bundle.fetch("timestamp.json", 1000);
            bundle.directorOrder(new byte[DirectorOrder.NONCE_BYTES]);
            bundle.leaves(digest, 0, 5);
            bundle.fetch(digest, new BlockSource.Cut(5 * 1024, 1024), List.of(0, 4, 99), (index, block) -> {
                assertThat(block.length()).isBetween(0, 1024);
                return true;
            });
        } catch (IOException e) {
            assertThat(e).isInstanceOf(SourceException.class);
        }
        return true;
    }
}
