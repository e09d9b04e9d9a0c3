package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import java.util.List;
import java.util.Optional;

/** Appraises evidence. Stateless and thread-safe. */
public final class EvidenceVerifier {
    private EvidenceVerifier() {}

    /** Never throws on odd bytes; what cannot be read is contraindicated. */
    public static Appraisal verify(
            byte[] evidence, Binary nonce, EnrolledDevice device, ReferenceModels models, AppraisalPolicy policy) {
        return new Appraisal(
                Appraisal.Status.CONTRAINDICATED,
                List.of(Appraisal.Check.failed("format", Code.ATT_FORMAT, "not yet")),
                Optional.empty());
    }
}
