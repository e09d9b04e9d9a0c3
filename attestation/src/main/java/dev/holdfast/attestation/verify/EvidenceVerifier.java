package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.Claim;
import dev.holdfast.attestation.Cose;
import dev.holdfast.attestation.EvidenceClaims;
import dev.holdfast.attestation.TpmEvidence;
import dev.holdfast.attestation.VmEvidence;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.Optional;

/**
 * Appraises evidence (RFC 9334, 7): is it from this device, for this nonce, does the quote cover the claims and the log
 * lead to the register, and is each model one that was published? What the device says of its own assurance does not
 * count; enrolment does. Needs no TEE. Thread-safe.
 */
public final class EvidenceVerifier {
    /** What a message says once it is taken apart. */
    public record Message(
            Cose.Sign1 envelope, Binary keyId, EvidenceClaims claims, TpmEvidence tpm, Optional<VmEvidence> vm) {}

    /** When a nonce was sent, by what had been seen of the device until then. Evidence that answers it is newer than that. */
    public sealed interface Asked {
        /** After everything in the device's record. */
        record Last() implements Asked {}

        /** When {@code seen} was the newest. More may have been seen since, of other questions or in an archive's case later. */
        record After(DeviceTime seen) implements Asked {}

        /** Nobody knows: evidence that is older than what was seen is an old one, or of a TPM that was put back. */
        record Unknown() implements Asked {}
    }

    /**
     * What the verifier knows of its own question.
     *
     * @param nonce what it sent
     * @param age how long after the challenge the evidence came; absent where nobody knows any more, which a policy with a
     *     freshness window does not accept
     * @param asked what had been seen of the device when it was sent
     */
    public record Question(Binary nonce, Optional<Duration> age, Asked asked) {
        /** A nonce that was sent after everything that is in the device's record. */
        public Question(Binary nonce, Optional<Duration> age) {
            this(nonce, age, new Asked.Last());
        }
    }

    private EvidenceVerifier() {}

    /** Never throws on odd bytes; what cannot be read is contraindicated. */
    public static Appraisal verify(
            byte[] evidence, Question question, EnrolledDevice device, ReferenceModels models, AppraisalPolicy policy) {
        AppraisalSteps steps = new AppraisalSteps(question, device, models, policy);
        return switch (open(evidence)) {
            case Verdict.Accepted<Message>(Message message) -> steps.appraise(message);
            case Verdict.Rejected<Message>(var reason) -> steps.malformed(reason);
        };
    }

    /**
     * The thumbprint (RFC 9679) of the key that evidence names as its signer's, to find the device's record by. Nothing is
     * believed by that: {@link #verify} checks the signature with the key of the record.
     */
    public static Verdict<Binary> claimedSigner(byte[] evidence) {
        return Verdict.of(() ->
                Cose.profile(Cose.decode(evidence, Attester.MAX_EVIDENCE_BYTES).orThrow()));
    }

    /**
     * Whether this device's key signed these bytes for this nonce, and so nobody else; {@link #verify} says what they are worth. For
     * a verifier that hears others beside the device and waits for the device's own word. Never throws on odd bytes.
     */
    public static boolean isFrom(EnrolledDevice device, byte[] evidence, Binary nonce) {
        return open(evidence) instanceof Verdict.Accepted<Message>(Message message)
                && message.envelope().verifies(device.signer(), Binary.empty())
                && message.claims().nonce().equals(nonce);
    }

    /** Takes evidence apart without believing it. */
    public static Verdict<Message> open(byte[] evidence) {
        return Verdict.of(() -> {
            Cose.Sign1 envelope =
                    Cose.decode(evidence, Attester.MAX_EVIDENCE_BYTES).orThrow();
            Binary keyId = Cose.profile(envelope);
            if (!(CborReader.read(envelope.payload().toArray(), Attester.MAX_EVIDENCE_BYTES)
                            .orThrow()
                    instanceof Cbor.Dict claims)) {
                throw new RejectedException(Code.ATT_FORMAT, "the claims are no map");
            }
            Cbor.Dict submodules = Claim.dict(new Claim(claims).required(EvidenceClaims.SUBMODS));
            Optional<Cbor> vm = submodules.get(VmEvidence.NAME);
            if (submodules.entries().size() != (vm.isPresent() ? 2 : 1)) {
                throw new RejectedException(Code.ATT_FORMAT, "submodules that this profile does not have");
            }
            return new Message(
                    envelope,
                    keyId,
                    EvidenceClaims.parse(claims),
                    TpmEvidence.parse(Claim.dict(new Claim(submodules).required("tpm"))),
                    vm.isPresent() ? Optional.of(VmEvidence.parse(Claim.dict(vm.get()))) : Optional.empty());
        });
    }
}
