package dev.holdfast.trust.bundle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.trust.client.RepositorySimulator;
import dev.holdfast.trust.client.TrustClient;
import dev.holdfast.trust.client.TufClient;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.MerkleTree;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BundleIndexTest {
    private static final byte[] END = new byte[2 * TarHeader.BYTES];

    @TempDir
    Path dir;

    private static Verdict<OfflineBundle> open(byte[] bundle) {
        return OfflineBundle.open(MemoryBytes.of(bundle), "device-1");
    }

    private static void assertRefused(byte[] bundle, Code code) {
        assertThat(open(bundle))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code())
                                .as(r.reason().toString())
                                .isEqualTo(code));
    }

    /** An entry whose header says {@code length} and that has no content. */
    private static byte[] header(String name, long length) {
        return new TarHeader(name, length).toBytes();
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Arrays.stream(parts).forEach(out::writeBytes);
        return out.toByteArray();
    }

    private static byte[] begin(byte[]... rest) {
        return join(header(BundleIndex.MARKER, 0), join(rest));
    }

    /** A header that was changed on purpose, with a checksum that fits. */
    private static byte[] changed(Consumer<byte[]> change) {
        byte[] block = header("metadata/timestamp.json", 0);
        change.accept(block);
        Arrays.fill(block, 148, 156, (byte) ' ');
        int sum = 0;
        for (byte b : block) {
            sum += b & 0xff;
        }
        byte[] digits = "%06o\0 ".formatted(sum).getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(digits, 0, block, 148, digits.length);
        return block;
    }

    @Test
    void readsAnEmptyBundleAndOneWithMetadata() throws Exception {
        assertThat(open(begin(END)).isAccepted()).isTrue();
        assertThat(open(begin(changed(block -> {}), END)).orThrow().fetch("timestamp.json", 10))
                .hasValueSatisfying(bytes -> assertThat(bytes).isEmpty());
    }

    @Test
    void refusesWhatDoesNotBeginAsABundle() {
        assertRefused(new byte[0], Code.BDL_TRUNCATED);
        assertRefused(END, Code.BDL_FORMAT);
        assertRefused(join(header("metadata/timestamp.json", 0), END), Code.BDL_FORMAT);
        assertRefused(join(header("holdfast-bundle-2", 0), END), Code.BDL_FORMAT);
        assertRefused("GGUF".repeat(256).getBytes(StandardCharsets.US_ASCII), Code.BDL_FORMAT);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "metadata/../../etc/passwd.json",
                "../metadata/timestamp.json",
                "/metadata/timestamp.json",
                "metadata//timestamp.json",
                "metadata/.json",
                "metadata/..json",
                "metadata/timestamp.json/",
                "metadata/timestamp",
                "director/a/b.json",
                "targets/model.gguf",
                "targets/../0000000000000000000000000000000000000000000000000000000000000",
                "targets/ABCDEF0000000000000000000000000000000000000000000000000000000000",
                "leaves/",
                "readme.txt",
                ""
            })
    void refusesNamesThatLeadElsewhereOrAreUnknown(String name) {
        assertRefused(begin(header(name, 0), END), Code.BDL_NAME);
    }

    @Test
    void refusesTheSameNameTwice() {
        byte[] entry = header("metadata/timestamp.json", 0);
        assertRefused(begin(entry, entry, END), Code.BDL_DUPLICATE);
        assertRefused(begin(header(BundleIndex.MARKER, 0), END), Code.BDL_DUPLICATE);
    }

    @Test
    void refusesEntriesBeyondTheirBound() {
        assertRefused(
                begin(header("metadata/timestamp.json", TufClient.MAX_TARGETS_BYTES + 1L), END), Code.BDL_TOO_LARGE);
        assertRefused(
                begin(header("director/device-1.json", TrustClient.MAX_ORDER_BYTES + 1L), END), Code.BDL_TOO_LARGE);
        ByteArrayOutputStream many = new ByteArrayOutputStream();
        for (int i = 0; i < BundleIndex.MAX_ENTRIES; i++) {
            many.writeBytes(header("director/" + i + ".json", 0));
        }
        assertRefused(begin(many.toByteArray(), END), Code.BDL_TOO_LARGE);
    }

    @Test
    void refusesWhatEndsTooEarlyOrTooLate() {
        byte[] entry = header("targets/" + "0".repeat(64), TarHeader.MAX_LENGTH);
        assertRefused(begin(entry, END), Code.BDL_TRUNCATED);
        assertRefused(begin(), Code.BDL_TRUNCATED);
        assertRefused(begin(new byte[TarHeader.BYTES]), Code.BDL_TRUNCATED);
        assertRefused(begin(END, new byte[1]), Code.BDL_FORMAT);
        assertRefused(begin(new byte[TarHeader.BYTES], header("metadata/timestamp.json", 0)), Code.BDL_FORMAT);
    }

    @Test
    void refusesLinksExtensionsAndHeadersThatDoNotAddUp() {
        for (char type : "\0123456gxLKS".toCharArray()) {
            if (type != '0') {
                assertRefused(begin(changed(block -> block[156] = (byte) type), END), Code.BDL_FORMAT);
            }
        }
        assertRefused(begin(changed(block -> block[157] = 'a'), END), Code.BDL_FORMAT);
        assertRefused(begin(changed(block -> block[345] = 'a'), END), Code.BDL_FORMAT);
        assertRefused(begin(changed(block -> block[99] = 'a'), END), Code.BDL_FORMAT);
        assertRefused(begin(changed(block -> block[262] = ' '), END), Code.BDL_FORMAT);
        // Lengths in base 256, an extension of GNU's tar, may be negative.
        assertRefused(begin(changed(block -> Arrays.fill(block, 124, 136, (byte) 0xff)), END), Code.BDL_FORMAT);
        byte[] broken = header("metadata/timestamp.json", 0);
        broken[130] ^= 1;
        assertRefused(begin(broken, END), Code.BDL_FORMAT);
    }

    @Test
    void saysThatABundleThatCannotBeReadIsCutOff() {
        SeekableBytes pulledOut = new SeekableBytes() {
            @Override
            public long size() {
                return 10_000;
            }

            @Override
            public void read(java.nio.ByteBuffer into, long offset) throws IOException {
                throw new IOException("input/output error");
            }
        };
        assertThat(OfflineBundle.open(pulledOut, "d"))
                .isInstanceOfSatisfying(
                        Verdict.Rejected.class,
                        r -> assertThat(r.reason().code()).isEqualTo(Code.BDL_TRUNCATED));
    }

    @Test
    void theWriterRefusesWhatTheReaderWould() throws Exception {
        OfflineBundleWriter writer = new OfflineBundleWriter(OutputStream.nullOutputStream());
        writer.metadata("timestamp.json", new byte[3]);
        assertThatThrownBy(() -> writer.metadata("timestamp.json", new byte[3])).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> writer.metadata("../x.json", new byte[3])).isInstanceOf(IOException.class);
        assertThatThrownBy(() -> writer.order("d", new byte[TrustClient.MAX_ORDER_BYTES + 1]))
                .isInstanceOf(IOException.class);
        Path file = Files.write(dir.resolve("blob"), new byte[5000]);
        assertThatThrownBy(() -> writer.target(Sha256.of(new byte[1]), file, 1024))
                .hasMessageContaining("damaged");
    }

    /** GNU's tar as an independent counterpart: it lists what we write, and we read what it writes. */
    @Test
    void isAnArchiveThatOthersKnow() throws Exception {
        Path bundle = dir.resolve("ours.tar");
        byte[] model = RepositorySimulator.model(3);
        try (OutputStream out = Files.newOutputStream(bundle)) {
            OfflineBundleWriter writer = new OfflineBundleWriter(out);
            writer.metadata("timestamp.json", new byte[1000]);
            writer.target(Sha256.of(model), Files.write(dir.resolve("model"), model), 4096);
            writer.finish();
        }
        String digest = Sha256.of(model).hex();
        assertThat(run("tar", "-tf", bundle.toString()).lines())
                .containsExactly(
                        BundleIndex.MARKER, "metadata/timestamp.json", "leaves/" + digest, "targets/" + digest);
        run("tar", "-xf", bundle.toString());
        assertThat(dir.resolve("targets").resolve(digest)).hasBinaryContent(model);
        Path theirs = dir.resolve("theirs.tar");
        run(
                "tar",
                "--format=ustar",
                "-b2",
                "-cf",
                theirs.toString(),
                BundleIndex.MARKER,
                "metadata/timestamp.json",
                "leaves/" + digest,
                "targets/" + digest);
        OfflineBundle read = open(Files.readAllBytes(theirs)).orThrow();
        assertThat(read.leaves(Sha256.of(model), 0, 37)).isEqualTo(MerkleTree.leaves(dir.resolve("model"), 4096));
    }

    private String run(String... command) throws Exception {
        Process process = new ProcessBuilder(command)
                .directory(dir.toFile())
                .redirectErrorStream(true)
                .start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(List.of(command) + ": " + out).isZero();
        return out;
    }
}
