package dev.holdfast.image;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever an image's documents hold, reading them ends in a verdict, soon and within its memory; and no change is believed. */
class ImageFuzzTest {
    private static final int SOME = 2_000;
    private static final int MANY = 200_000;
    private static final long MAX_CASE_BYTES = 16L << 20;
    private static final long MAX_CASE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final Set<Code> CODES = Set.of(
            Code.IMG_FORMAT, Code.IMG_DIGEST, Code.IMG_KEY, Code.IMG_UNSIGNED, Code.IMG_SIGNATURE, Code.IMG_PROVENANCE);
    private static final String[] WORDS = {
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "null",
        "1e999",
        "-1",
        "\\u0000",
        "\"digest\"",
        "\"layers\"",
        "\"subject\"",
        "sha256:",
        "../../",
        "AAAA",
        "="
    };

    @TempDir
    Path folder;

    private final SampleImage sample = new SampleImage();

    @Test
    void someDocumentsEndInAVerdict() throws Exception {
        documents(SOME, 1);
    }

    @Test
    @Tag("soak")
    void manyDocumentsEndInAVerdict() throws Exception {
        documents(MANY, 2);
    }

    @FunctionalInterface
    private interface Reader {
        void read(byte[] bytes) throws RejectedException, IOException;
    }

    private void documents(int cases, long seed) throws Exception {
        Random random = new Random(seed);
        Descriptor image = sample.write(folder);
        ReleaseKey key = ReleaseKey.fromPem(sample.pem()).orThrow();
        Sha256 digest = image.digest();
        byte[] statement = SampleImage.provenance(digest).toBytes();
        byte[] manifest = new Manifest("type", image, java.util.List.of(image), Optional.of(image), image.annotations())
                .toBytes();
        byte[] index = Files.readAllBytes(folder.resolve("index.json"));
        int read = tried(cases, random, manifest, Manifest::read);
        read += tried(cases, random, new SimpleSigning(digest).toBytes("sample"), SimpleSigning::read);
        read += tried(cases, random, statement, bytes -> Provenance.read(bytes, digest));
        read += tried(
                cases / 4,
                random,
                sample.pem().getBytes(StandardCharsets.US_ASCII),
                bytes -> ReleaseKey.fromPem(new String(bytes, StandardCharsets.ISO_8859_1))
                        .orThrow());
        // Else what is tried is not near what is right, or nothing is looked at.
        assertThat(read).isBetween(cases / 50, cases * 3);
        // What is signed is believed as it was signed, or not at all.
        tried(
                cases / 4,
                random,
                Envelope.seal(statement, sample::sign),
                bytes -> assertThat(Envelope.open(bytes, key)).isEqualTo(statement));
        tried(cases / 8, random, index, bytes -> {
            Files.write(folder.resolve("index.json"), bytes);
            Verdict<VerifiedImage> verdict = ImageVerifier.verify(folder, key);
            if (verdict.orThrow() instanceof VerifiedImage verified) {
                assertThat(verified.digest()).isEqualTo(digest);
            }
        });
    }

    private static int tried(int cases, Random random, byte[] whole, Reader reader) throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int read = 0;
        for (int round = 0; round < cases; round++) {
            byte[] bytes = mutated(random, whole);
            long allocated = threads.getCurrentThreadAllocatedBytes();
            long started = threads.getCurrentThreadCpuTime();
            try {
                reader.read(bytes);
                read++;
            } catch (RejectedException e) {
                assertThat(CODES).as("round %d", round).contains(e.rejection().code());
            }
            assertThat(threads.getCurrentThreadCpuTime() - started)
                    .as("round %d", round)
                    .isLessThan(MAX_CASE_NANOS);
            assertThat(threads.getCurrentThreadAllocatedBytes() - allocated)
                    .as("round %d", round)
                    .isLessThan(MAX_CASE_BYTES);
        }
        return read;
    }

    private static byte[] mutated(Random random, byte[] whole) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int changes = random.nextInt(4);
        int next = 0;
        for (int i = 0; i < changes; i++) {
            int at = next + random.nextInt(whole.length - next + 1);
            out.write(whole, next, at - next);
            next = Math.min(whole.length, at + random.nextInt(4));
            switch (random.nextInt(3)) {
                case 0 -> out.writeBytes(WORDS[random.nextInt(WORDS.length)].getBytes(StandardCharsets.UTF_8));
                case 1 ->
                    out.writeBytes(WORDS[random.nextInt(WORDS.length)]
                            .repeat(random.nextInt(2000))
                            .getBytes(StandardCharsets.UTF_8));
                default -> out.write(random.nextInt(256));
            }
        }
        out.write(whole, next, whole.length - next);
        return out.toByteArray();
    }
}
