package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.sun.management.ThreadMXBean;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EndorsementChain;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.Steps;
import dev.holdfast.storage.Disk;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.tee.tpm.ByteChanges;
import dev.holdfast.tee.tpm.TpmPublic;
import dev.holdfast.tee.tpm.TpmRsaPublic;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.interfaces.ECPublicKey;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever comes, every parser answers with a value, accepts nothing that was not made by the device, and takes memory in
 * proportion to what came. With {@code JAZZER_FUZZ=1} the targets are fuzzed under coverage; without it they run on their
 * seeds.
 */
class EvidenceFuzzTest {
    private static final int MANY = 100_000;
    private static final int SOME = 4_000;
    /** Trees of boxed values, copies of strings and messages about them; measured are 10 to 60 times the input. */
    private static final long BYTES_PER_BYTE = 400;

    private static final long FIXED_BYTES = 2 << 20;

    private static final ECPublicKey KEY = (ECPublicKey) P256.generate().getPublic();

    @TempDir
    Path temp;

    private static Appraisal appraise(byte[] evidence, EnrolledDevice device) {
        return EvidenceVerifier.verify(
                evidence, Models.question(), device, Models.PUBLISHED, AppraisalPolicy.atLeast(Assurance.SOFTWARE));
    }

    private static EnrolledDevice device(ECPublicKey signer, ECPublicKey attestation) {
        return EnrolledDevice.fresh("d", signer, attestation, Models.hash("ek"), Assurance.SOFTWARE);
    }

    @FuzzTest
    void evidence(byte[] bytes) {
        assertThat(appraise(bytes, device(KEY, KEY)).status()).isEqualTo(Appraisal.Status.CONTRAINDICATED);
        assertThat(EvidenceVerifier.claimedSigner(bytes)).isNotNull();
    }

    @FuzzTest
    void submodules(byte[] bytes) {
        if (CborReader.read(bytes, Attester.MAX_EVIDENCE_BYTES) instanceof Verdict.Accepted<Cbor>(Cbor.Dict dict)) {
            assertThat(Verdict.of(() -> TpmEvidence.parse(dict))).isNotNull();
            assertThat(Verdict.of(() -> VmEvidence.parse(dict))).isNotNull();
        }
    }

    @FuzzTest
    void machineReport(byte[] bytes) {
        for (String provider : List.of(VmReport.TDX, VmReport.SEV_SNP, "other")) {
            assertThat(VmReport.parse(new VmEvidence(provider, Binary.copyOf(bytes), Binary.empty())))
                    .isNotNull();
        }
    }

    /** What is read is written in the same bytes: no two contents say the same. */
    @FuzzTest
    void event(byte[] bytes) {
        if (Event.parse(Binary.copyOf(bytes)) instanceof Verdict.Accepted<Event>(Event event)) {
            assertThat(event.content()).isEqualTo(Binary.copyOf(bytes));
        }
    }

    @FuzzTest
    void claims(byte[] bytes) {
        if (CborReader.read(bytes, Attester.MAX_EVIDENCE_BYTES) instanceof Verdict.Accepted<Cbor>(Cbor.Dict dict)
                && Verdict.of(() -> EvidenceClaims.parse(dict))
                        instanceof Verdict.Accepted<EvidenceClaims>(EvidenceClaims claims)) {
            assertThat(claims.models()).hasSizeLessThanOrEqualTo(EventLog.MAX_NAMED);
        }
    }

    /** What is read once stays: nothing that comes later in the file changes what was before, and the torn rest goes once. */
    @FuzzTest
    void logFile(byte[] bytes) throws IOException {
        Path dir = temp.resolve("logs");
        Files.createDirectories(dir);
        Files.write(dir.resolve("events.log"), bytes);
        try (EventFile file = EventFile.open(dir, Disk.LOCAL, Steps.UNWATCHED)) {
            EventFile.Content first = file.read();
            long length =
                    first.events().stream().mapToLong(EventFile::frameBytes).sum();
            assertThat(length).isLessThanOrEqualTo(bytes.length);
            assertThat(file.read()).isEqualTo(first);
        }
    }

    @Test
    void someMutatedLogFilesAreRead() throws Exception {
        try (TeeBridge bridge = SoftwareBridge.open(temp.resolve("tee"));
                EventLog log =
                        EventLog.open(temp.resolve("log"), bridge.register().orElseThrow())) {
            log.agentStarted("holdfast", "0.1.0");
            log.ensureServing(List.of(Models.V1, Models.EMBED));
        }
        byte[] good = Files.readAllBytes(temp.resolve("log/events.log"));
        Random random = new Random(15);
        for (int i = 0; i < 2_000; i++) {
            logFile(ByteChanges.change(good, random));
        }
    }

    @Test
    void someMutatedEventsAreRefusedOrSayWhatTheirBytesSay() {
        Random random = new Random(15);
        int read = 0;
        for (int i = 0; i < 20_000; i++) {
            ModelEvent event = i % 2 == 0 ? Models.V1 : Models.EMBED.as(ModelEvent.Kind.RETIRE);
            byte[] bad = ByteChanges.change(new Event.Model(event).content().toArray(), random);
            event(bad);
            read += Event.parse(Binary.copyOf(bad)).isAccepted() ? 1 : 0;
        }
        System.out.println(read + " of 20000 changed events can be read");
        assertThat(read).isLessThan(20_000);
    }

    @FuzzTest
    void bootLog(byte[] bytes) {
        assertThat(BootLog.replay(Binary.copyOf(bytes))).isNotNull();
    }

    @FuzzTest
    void listOfFiles(byte[] bytes) {
        assertThat(ImaLog.prefix(Binary.copyOf(bytes), Models.hash("never").value())
                        .isAccepted())
                .isFalse();
    }

    @FuzzTest
    void certificates(byte[] bytes) {
        Binary der = Binary.copyOf(bytes);
        assertThat(Verdict.of(() -> DeviceCertificate.of(der, der)).isAccepted())
                .isFalse();
    }

    @FuzzTest
    void enrolment(byte[] bytes) {
        assertThat(EnrolmentAuthority.begin(bytes, EnrolmentPolicy.DEFAULT.withSoftware(), Clock.systemUTC()))
                .isNotNull();
        assertThat(TpmRsaPublic.parse(Binary.copyOf(bytes))).isNotNull();
        assertThat(Verdict.of(() -> EnrolmentMessage.Proof.parse(bytes))).isNotNull();
        TpmPublic key = Models.accepted(TpmPublic.parse(ENDORSEMENT));
        assertThat(EndorsementChain.check(Binary.copyOf(bytes), key, EnrolmentPolicy.DEFAULT, Instant.EPOCH)
                        .isAccepted())
                .isFalse();
    }

    /** TPMT_PUBLIC by template L-2, with the curve's generator as its point. */
    private static final Binary ENDORSEMENT = Models.accepted(
            Binary.fromHex("0023000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
                    + "00060080004300100003001000206b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                    + "00204fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"));

    @Test
    void someMutatedEvidencesAreAllRefused() throws Exception {
        mutate(SOME, 20261125);
    }

    @Tag("soak")
    @Test
    void aHundredThousandMutatedEvidencesAreAllRefused() throws Exception {
        mutate(MANY, 1);
    }

    private static final class Counts {
        private int outside;
        private int signed;
        private long mostPerByte;
    }

    /** Half are changed outside, half below the device's own signature, so that the changes reach claims, quote and log. */
    private void mutate(int count, long seed) throws Exception {
        try (TeeBridge bridge = SoftwareBridge.open(temp.resolve("tee"));
                EventLog log =
                        EventLog.open(temp.resolve("log"), bridge.register().orElseThrow())) {
            log.agentStarted("holdfast", "0.1.0");
            log.ensureServing(List.of(Models.V1, Models.EMBED));
            log.ensureServing(List.of(Models.V2));
            log.retired("embed");
            log.ensureServing(List.of(Models.EMBED_2));
            Attester attester = new Attester(bridge, log, Models.around(Models.as(log)));
            byte[] good = attester.attest(Models.NONCE);
            EnrolledDevice mine = EvidenceContract.enrol(bridge);
            assertThat(appraise(good, mine).isAffirming()).isTrue();
            Binary payload =
                    Models.accepted(EvidenceVerifier.open(good)).envelope().payload();
            Binary header = Cose.protectedHeader(P256.thumbprint(mine.signer()));
            Random random = new Random(seed);
            Counts counts = new Counts();
            for (int i = 0; i < count; i++) {
                if (i % 2 == 0) {
                    refused(ByteChanges.change(good, random), mine, counts);
                    counts.outside++;
                } else {
                    Binary bad = Binary.copyOf(ByteChanges.change(payload.toArray(), random));
                    byte[] signature = bridge.signer().orElseThrow().sign(Cose.toBeSigned(header, bad));
                    refused(Cose.encode(header, bad, signature), mine, counts);
                    counts.signed++;
                }
            }
            System.out.println(counts.outside + " evidences changed outside and " + counts.signed
                    + " below a valid signature, at most " + counts.mostPerByte + " bytes of memory for a byte");
            assertThat(counts.outside).isGreaterThan(count / 3);
        }
    }

    private static void refused(byte[] evidence, EnrolledDevice device, Counts counts) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        Appraisal appraisal = appraise(evidence, device);
        long taken = threads.getCurrentThreadAllocatedBytes() - before;
        assertThat(appraisal.status()).isEqualTo(Appraisal.Status.CONTRAINDICATED);
        assertThat(taken).isLessThan(FIXED_BYTES + BYTES_PER_BYTE * evidence.length);
        counts.mostPerByte = Math.max(counts.mostPerByte, taken / Math.max(64, evidence.length));
    }
}
