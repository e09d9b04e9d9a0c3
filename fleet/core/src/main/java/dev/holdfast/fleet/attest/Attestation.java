package dev.holdfast.fleet.attest;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.ArchivedCase;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.SeenReferences;
import dev.holdfast.fleet.AttestSettings;
import dev.holdfast.fleet.DeviceRecords;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.LastVerdict;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.Optional;

/**
 * Judges an answer and keeps what came of it, in this order: what is remembered of the device, the archive, the verdict. Where the disk
 * takes no archive the verdict is kept all the same, since a device that was refused must not look as it did before.
 */
public record Attestation(FleetRepository repository, VerifierKey key, Clock clock) {
    /**
     * What came of it.
     *
     * @param device the record that the evidence was held against
     * @param archive the signed archive
     */
    public record Done(AttestationResult result, EnrolledDevice device, byte[] archive) {}

    /** What evidence is judged by; {@code CFG-INVALID} where the file does not hold. */
    public static AppraisalPolicy policy(AttestSettings settings) throws IOException, RejectedException {
        if (settings.policy().isEmpty()) {
            return AppraisalPolicy.atLeast(Assurance.FIRMWARE);
        }
        Path file = settings.policy().get();
        if (!Files.isReadable(file)) {
            throw new RejectedException(Code.CFG_INVALID, "attest-policy: " + file + " cannot be read");
        }
        try {
            return AppraisalPolicy.parse(Files.readAllBytes(file)).orThrow();
        } catch (RejectedException e) {
            throw new RejectedException(
                    Code.CFG_INVALID,
                    "attest-policy: " + file + ": " + e.rejection().detail());
        }
    }

    /**
     * @param evidence as it came
     * @param why who asked, for the log of verdicts
     * @param reported what the device said that it serves when it was asked, see {@link LastVerdict}
     */
    public Done judge(Inquiry inquiry, byte[] evidence, AppraisalPolicy policy, String why, Optional<String> reported)
            throws IOException, RejectedException {
        FleetDirectory directory = repository.directory();
        String device = inquiry.topics().device();
        EvidenceVerifier.Question question = inquiry.question();
        SeenReferences references = new SeenReferences(repository.references());
        DeviceRecords.Appraised appraised = new DeviceRecords(directory)
                .appraise(device, newest -> EvidenceVerifier.verify(evidence, question, newest, references, policy));
        Instant now = clock.instant().truncatedTo(ChronoUnit.MILLIS);
        AttestationResult result =
                new AttestationResult(appraised.appraisal(), device, question.nonce(), Sha256.of(evidence), now);
        byte[] archive =
                SignedArchive.write(ArchivedCase.of(evidence, question, appraised.device(), references, result), key);
        try {
            new KeptArchives(directory).keep(device, now, archive);
        } finally {
            LastVerdict.keep(directory, result, reported, question.age().map(now::minus));
            new VerdictLog(directory).append(device, line(result, why));
        }
        return new Done(result, appraised.device(), archive);
    }

    private static VerdictLog.Line line(AttestationResult result, String why) {
        return new VerdictLog.Line(
                result.at(),
                why,
                result.appraisal().status().name().toLowerCase(Locale.ROOT),
                result.appraisal().firstFailure().flatMap(Appraisal.Check::code).map(Code::id));
    }
}
