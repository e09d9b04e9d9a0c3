package dev.holdfast.fleet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.management.ThreadMXBean;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.ArchivedCase;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.SeenReferences;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.fleet.attest.SignedArchive;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** An archive comes from anybody: whatever is in it ends in a value, within bounds. What can be read can be appraised. */
class ArchiveFuzzTest extends VerifyFixture {
    /** An archive of a few kilobytes: parsed twice, and two signatures checked. */
    private static final long MAX_CASE_BYTES = 32L << 20;

    private byte[] file = {};
    private byte[] whole = {};

    @BeforeEach
    void write() throws Exception {
        byte[] evidence = Files.readAllBytes(evidence(publish("chat", "2.0.0", Json.object(), Optional.of(5L))));
        EnrolledDevice device = new DeviceRecords(directory).read("cam-7");
        Binary nonce = Binary.fromHex(NONCE).orThrow();
        var question = new EvidenceVerifier.Question(
                nonce,
                Optional.of(Duration.ofMillis(3)),
                new EvidenceVerifier.Asked.After(device.memory().newest()));
        SeenReferences references = new SeenReferences(repository.references());
        AttestationResult result = new AttestationResult(
                EvidenceVerifier.verify(
                        evidence, question, device, references, AppraisalPolicy.atLeast(Assurance.SOFTWARE)),
                "cam-7",
                nonce,
                Sha256.of(evidence),
                Instant.parse("2026-06-01T00:00:00Z"));
        ArchivedCase archived = ArchivedCase.of(evidence, question, device, references, result);
        file = SignedArchive.write(archived, VerifierKey.open(directory));
        whole = Json.write(archived.toJson());
    }

    private static byte[] changed(byte[] good, Random random) {
        byte[] odd = Arrays.copyOf(good, random.nextInt(10) == 0 ? random.nextInt(good.length) : good.length);
        for (int flips = 1 + random.nextInt(3); flips > 0 && odd.length > 0; flips--) {
            odd[random.nextInt(odd.length)] ^= (byte) (1 << random.nextInt(8));
        }
        return odd;
    }

    @Test
    void isReadAgainAsItWasWritten() throws Exception {
        SignedArchive read = SignedArchive.read(file).orThrow();
        assertThat(Json.write(read.archived().toJson())).isEqualTo(whole);
        assertThat(CanonicalJson.bytes(read.archived().appraise().toJson()))
                .isEqualTo(CanonicalJson.bytes(read.archived().recorded()));
    }

    @Test
    void changedFilesAreRefusedByTheirOneCode() {
        Random random = new Random(1);
        for (int i = 0; i < 3000; i++) {
            byte[] odd = changed(file, random);
            if (SignedArchive.read(odd) instanceof Verdict.Rejected<SignedArchive>(Rejection why)) {
                assertThat(why.code()).isEqualTo(Code.ATT_ARCHIVE);
            } else {
                // A change that the canonical form does not see, such as the case of a hexadecimal digit.
                assertThat(new String(odd, StandardCharsets.UTF_8))
                        .isEqualToIgnoringCase(new String(file, StandardCharsets.UTF_8));
            }
        }
    }

    /** Whoever signs with a key of their own gets so far. */
    @Test
    void changedCasesEndInAVerdict() {
        cases(10_000, 2);
    }

    @Test
    @Tag("soak")
    void aMillionChangedCasesEndInAVerdict() {
        cases(1_000_000, 3);
    }

    private void cases(int count, long seed) {
        Random random = new Random(seed);
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        int read = 0;
        for (int i = 0; i < count; i++) {
            byte[] odd = changed(whole, random);
            long before = threads.getCurrentThreadAllocatedBytes();
            if (Json.readObject(odd, SignedArchive.MAX_BYTES) instanceof Verdict.Accepted<JsonNode>(JsonNode json)
                    && ArchivedCase.read(json) instanceof Verdict.Accepted<ArchivedCase>(ArchivedCase archived)) {
                read++;
                assertThat(archived.appraise().appraisal().checks()).isNotEmpty();
                assertThat(archived.recordedStatus().length()).isLessThanOrEqualTo(256);
            }
            assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(MAX_CASE_BYTES);
        }
        assertThat(read).as("some can still be read").isBetween(1, count - 1);
    }

    @Test
    void moreThanAnArchiveHoldsIsNotRead() {
        byte[] large = new byte[SignedArchive.MAX_BYTES + 1];
        Arrays.fill(large, (byte) ' ');
        assertThat(SignedArchive.read(large).isAccepted()).isFalse();
    }
}
