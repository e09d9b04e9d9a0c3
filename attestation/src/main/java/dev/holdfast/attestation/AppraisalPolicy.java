package dev.holdfast.attestation;

import dev.holdfast.tee.Assurance;
import java.util.Map;

/**
 * What a verifier asks of evidence.
 *
 * @param minAssurance the weakest root of trust that is good enough; compared with what enrolment granted
 * @param allowResettableRegister whether a register that software can reset is good enough; then the best status is a
 *     warning. A software bridge's register is always resettable and exempt here: its assurance says so already
 * @param requiredFacts sandbox facts that must have these values; a missing one gives a warning
 */
public record AppraisalPolicy(
        Assurance minAssurance, boolean allowResettableRegister, Map<String, String> requiredFacts) {
    public AppraisalPolicy {
        requiredFacts = Map.copyOf(requiredFacts);
    }

    /** Asks for {@code minAssurance} and nothing special besides. */
    public static AppraisalPolicy atLeast(Assurance minAssurance) {
        return new AppraisalPolicy(minAssurance, false, Map.of());
    }
}
