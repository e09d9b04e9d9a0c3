package dev.holdfast.link;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.holdfast.testkit.TestAuthority;
import dev.holdfast.wire.Code;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file for the broker of any content is used, or refused by its name with {@code LNK-FILE}; nothing else is thrown. */
class AccessFilesFuzzTest {
    private static final int SOME = 2_000;
    private static final int MANY = 200_000;
    private static final KeyPair PAIR = TestAuthority.elliptic();
    private static final String CERTIFICATE =
            new TestAuthority("fuzz").certificate("device-1", PAIR.getPublic(), "localhost");

    @TempDir
    Path dir;

    @FuzzTest(maxDuration = "1m")
    void anyBytesAreUsedOrRefused(byte[] bytes) throws Exception {
        Path file = Files.createTempFile("holdfast-fuzz", ".pem");
        try {
            read(file, bytes);
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void someChangedFilesAreUsedOrRefused() throws Exception {
        changed(SOME);
    }

    @Test
    @Tag("soak")
    void manyChangedFilesAreUsedOrRefused() throws Exception {
        changed(MANY);
    }

    private void changed(int count) throws Exception {
        Random random = new Random(31);
        Path file = dir.resolve("file.pem");
        Files.writeString(file, "");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        int used = 0;
        for (int i = 0; i < count; i++) {
            byte[] bytes = (i % 2 == 0 ? CERTIFICATE : TestAuthority.pem(PAIR) + CERTIFICATE)
                    .getBytes(StandardCharsets.US_ASCII);
            for (int change = random.nextInt(4); change > 0; change--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            used += read(file, bytes) ? 1 : 0;
        }
        assertThat(used).as("whole and broken ones").isBetween(1, count - 1);
    }

    /** Whether it held certificates. */
    private static boolean read(Path file, byte[] bytes) throws Exception {
        Files.write(file, bytes);
        X509Certificate known;
        try {
            List<X509Certificate> found = AccessFiles.certificates(file);
            assertThat(found).isNotEmpty();
            known = found.getFirst();
        } catch (LinkException e) {
            assertThat(e.rejection().code()).isEqualTo(Code.LNK_FILE);
            assertThat(e.rejection().detail()).startsWith(file.toString());
            return false;
        }
        try {
            AccessFiles.key(file, known);
        } catch (LinkException e) {
            assertThat(e.rejection().code()).isEqualTo(Code.LNK_FILE);
        }
        return true;
    }
}
