package dev.holdfast.fleet.attest;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.ArchivedCase;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.fleet.VerifierId;
import dev.holdfast.fleet.VerifierKey;
import dev.holdfast.trust.schema.Envelope;
import dev.holdfast.trust.schema.FamilyPolicy;
import dev.holdfast.trust.schema.SoftwareVerifier;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Verdict;
import java.time.Instant;

/**
 * An archive of one appraisal: the case, signed by both keys of the verifier that appraised it, in the form of the fleet's metadata. It
 * carries these keys, so that it is whole by itself. That shows that nobody changed it since; whose keys they are it cannot show, and
 * so an auditor compares {@link VerifierId#id} with what the verifier gave them.
 *
 * @param verifier the keys that it carries and that signed it
 * @param build the version of the verifier of then
 */
public record SignedArchive(ArchivedCase archived, VerifierId verifier, String build) {
    /** Evidence of the most that a device sends, in base64, and a record of the most that a fleet keeps. */
    public static final int MAX_BYTES = 6 * 1024 * 1024;

    private static final String TYPE = "attestation-archive";
    private static final int MAX_BUILD_CHARS = 64;

    /** The form has a field for it. An archive states what was, so it does not expire, and nobody reads this. */
    private static final Instant NEVER = Instant.parse("9999-12-31T23:59:59Z");

    /** The file. */
    public static byte[] write(ArchivedCase archived, VerifierKey key) {
        ObjectNode signed = Envelope.head(TYPE, 1, NEVER);
        ObjectNode verifier = signed.putObject("verifier").put("build", AttestationResult.BUILD);
        verifier.set("keys", key.publicHalf().toJson());
        signed.set("case", archived.toJson());
        return key.archives().sign(signed);
    }

    /** Reads a file, and checks both signatures with the keys that it carries; {@code ATT-ARCHIVE}. */
    public static Verdict<SignedArchive> read(byte[] file) {
        Verdict<SignedArchive> read = Verdict.of(() -> {
            Envelope envelope = Envelope.parse(file, TYPE, MAX_BYTES);
            Fields verifier = envelope.signed().object("verifier");
            VerifierId keys = VerifierId.read(verifier.array("keys", 2));
            envelope.requireThreshold(keys.role(), FamilyPolicy.NONE, new SoftwareVerifier());
            return new SignedArchive(
                    ArchivedCase.read(envelope.signed().object("case").node()).orThrow(),
                    keys,
                    verifier.text("build", MAX_BUILD_CHARS));
        });
        return switch (read) {
            case Verdict.Accepted<SignedArchive> accepted -> accepted;
            case Verdict.Rejected<SignedArchive>(Rejection why) ->
                new Verdict.Rejected<>(new Rejection(Code.ATT_ARCHIVE, why.detail(), why.offset(), why.field()));
        };
    }
}
