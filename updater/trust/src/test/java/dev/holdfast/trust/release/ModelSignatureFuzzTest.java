package dev.holdfast.trust.release;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.management.ThreadMXBean;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Whatever a signature file holds, reading it ends in a verdict, soon and within its memory; and no change is accepted. */
class ModelSignatureFuzzTest {
    private static final int SOME = 3_000;
    private static final int MANY = 300_000;
    private static final long MAX_CASE_BYTES = 16L << 20;
    private static final long MAX_CASE_NANOS = TimeUnit.SECONDS.toNanos(1);
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
        "\\u0000",
        "\"hint\"",
        "\"sig\"",
        "\"payload\"",
        "AAAA",
        "="
    };

    private final OmsSigner signer = new OmsSigner();
    private final Sha256 model = Sha256.of(new byte[] {1, 2, 3});
    private final byte[] whole = signer.bundle(signer.statement(model), bundle -> {});

    @Test
    void someSignatureFilesEndInAVerdict() {
        files(SOME, 1);
    }

    @Test
    @Tag("soak")
    void manySignatureFilesEndInAVerdict() {
        files(MANY, 2);
    }

    private void files(int cases, long seed) {
        Random random = new Random(seed);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int reached = 0;
        for (int round = 0; round < cases; round++) {
            // Half of them are signed nonsense: only these get behind the signature.
            byte[] payload = mutated(random, Json.write(signer.statement(model)));
            boolean signed = random.nextBoolean();
            byte[] bytes = signed ? signer.bundle(payload, bundle -> {}) : mutated(random, whole);
            long allocated = threads.getCurrentThreadAllocatedBytes();
            long started = System.nanoTime();
            Verdict<ModelSignature> verdict = ModelSignature.verify(bytes, signer.key(), model);
            assertThat(System.nanoTime() - started)
                    .as("round %d of seed %d", round, seed)
                    .isLessThan(MAX_CASE_NANOS);
            assertThat(threads.getCurrentThreadAllocatedBytes() - allocated)
                    .as("round %d of seed %d", round, seed)
                    .isLessThan(MAX_CASE_BYTES);
            reached += signed ? 1 : 0;
            if (verdict.isAccepted() && !signed) {
                // Nothing that the signature covers differs.
                assertThat(Base64.getDecoder().decode(payload(bytes))).isEqualTo(Json.write(signer.statement(model)));
            }
        }
        assertThat(reached).isBetween(cases / 3, 2 * cases / 3);
    }

    private static String payload(byte[] bundle) {
        return Json.readObject(bundle, ModelSignature.MAX_BYTES) instanceof Verdict.Accepted<JsonNode>(JsonNode node)
                ? node.at("/dsseEnvelope/payload").asText()
                : "";
    }

    private static byte[] mutated(Random random, byte[] from) {
        byte[] bytes = from.clone();
        for (int changes = random.nextInt(1, 4); changes > 0 && bytes.length > 1; changes--) {
            int at = random.nextInt(bytes.length);
            switch (random.nextInt(5)) {
                case 0 -> bytes[at] = (byte) random.nextInt();
                case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 2 -> bytes = spliced(bytes, at, WORDS[random.nextInt(WORDS.length)]);
                case 3 -> bytes = Arrays.copyOf(bytes, 1 + random.nextInt(bytes.length));
                default ->
                    System.arraycopy(
                            from,
                            0,
                            bytes,
                            at,
                            Math.min(from.length, Math.min(random.nextInt(1, 40), bytes.length - at)));
            }
        }
        return bytes;
    }

    private static byte[] spliced(byte[] bytes, int at, String word) {
        byte[] insert = word.getBytes(StandardCharsets.UTF_8);
        byte[] out = Arrays.copyOf(bytes, bytes.length + insert.length);
        System.arraycopy(bytes, at, out, at + insert.length, bytes.length - at);
        System.arraycopy(insert, 0, out, at, insert.length);
        return out;
    }
}
