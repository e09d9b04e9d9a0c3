package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.Es256;
import dev.holdfast.attestation.EvidenceClaims;
import dev.holdfast.attestation.TpmEvidence;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.tpm.TpmAttest;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.tee.tpm.TpmSignature;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The part of an appraisal that is about the quote: who signed it, what it covers, and which register it proves. One thread. */
final class QuoteSteps {
    private final EnrolledDevice device;
    private final AppraisalPolicy policy;
    private final CheckList checks;

    QuoteSteps(EnrolledDevice device, AppraisalPolicy policy, CheckList checks) {
        this.device = device;
        this.policy = policy;
        this.checks = checks;
    }

    /** The quote, when its form, its signature and what it covers hold. */
    @Nullable
    TpmAttest quote(TpmEvidence tpm, EvidenceClaims claims) {
        if (!(TpmAttest.parse(tpm.attest()) instanceof Verdict.Accepted<TpmAttest>(TpmAttest attest))) {
            checks.refuse("quote", Code.ATT_QUOTE, "expected a TPMS_ATTEST with magic ff544347 and type 8018");
            return null;
        }
        boolean signed = signed(tpm.attest(), tpm.signature());
        boolean registers = attest.body() instanceof TpmAttest.Quoted quoted && quoted.covers(tpm.registers());
        boolean covers = registers && attest.extraData().equals(claims.qualifyingData());
        checks.require(
                "quote-signature",
                signed,
                Code.ATT_QUOTE,
                () -> "by the device's enrolled attestation key",
                () -> "the quote's signature does not verify with the device's enrolled attestation key");
        checks.require(
                "quote",
                covers,
                Code.ATT_QUOTE,
                () -> "covers nonce, claims and registers",
                () -> registers
                        ? "expected qualifying data " + claims.qualifyingData().hex() + " over nonce and claims, got "
                                + attest.extraData().hex()
                        : "the quote does not cover exactly the registers and values that come with it, "
                                + tpm.registers().keySet());
        return signed && covers ? attest : null;
    }

    /** Whether the device's enrolled attestation key signed this. */
    private boolean signed(Binary attest, Binary tpmtSignature) {
        return TpmSignature.toP1363(tpmtSignature) instanceof Verdict.Accepted<Binary>(Binary signature)
                && Es256.verifyByEnrolled(device.attestationKey(), Sha256.of(attest.toArray()), signature.toArray());
    }

    /** The value of the register that the policy asks for, or nothing where the evidence does not prove one. */
    Binary register(TpmEvidence tpm, EvidenceClaims claims, @Nullable TpmAttest attest) {
        return switch (policy.register()) {
            case TpmRegister.Pcr(int pcr) -> {
                checks.require(
                        "register",
                        pcr == claims.register()
                                && tpm.nv().isEmpty()
                                && tpm.registers().containsKey(pcr),
                        Code.ATT_QUOTE,
                        () -> "models are measured into PCR " + pcr + ", which is quoted",
                        () -> "expected models to be measured into PCR " + pcr + ", they are into "
                                + Integer.toHexString(claims.register())
                                + (tpm.nv().isEmpty() ? "" : ", an NV index")
                                + "; quoted are " + tpm.registers().keySet());
                resettable(claims);
                yield tpm.registers().getOrDefault(pcr, Binary.empty());
            }
            case TpmRegister.Nv nv -> {
                Optional<Binary> value = attest == null
                        ? Optional.empty()
                        : tpm.nv().flatMap(made -> certified(made, nv, claims, attest));
                checks.require(
                        "register",
                        nv.index() == claims.register() && value.isPresent(),
                        Code.ATT_QUOTE,
                        () -> "NV index " + Integer.toHexString(nv.index())
                                + " as Holdfast defines it, certified after the quote and for the same claims",
                        () -> "expected models to be measured into NV index " + Integer.toHexString(nv.index())
                                + ", certified under the name that Holdfast gives it, after the quote and for the same claims;"
                                + " got " + Integer.toHexString(claims.register())
                                + (tpm.nv().isEmpty() ? " without a certificate" : " with one that does not hold"));
                checks.require(
                        "register-guard",
                        nv.capped().value().equals(tpm.registers().getOrDefault(nv.guardPcr(), Binary.empty())),
                        Code.ATT_QUOTE,
                        () -> "PCR " + nv.guardPcr() + " guards the index since its first event",
                        () -> "expected PCR " + nv.guardPcr() + " to guard the index with "
                                + nv.capped().hex() + ", it "
                                + Optional.ofNullable(tpm.registers().get(nv.guardPcr()))
                                        .map(held -> "holds " + held.hex())
                                        .orElse("is not quoted"));
                resettable(claims);
                yield value.orElse(Binary.empty());
            }
        };
    }

    /** What the index holds, when the attestation key says so of the index with this name, in this boot, for these claims. */
    private Optional<Binary> certified(
            Quoter.Certificate made, TpmRegister.Nv nv, EvidenceClaims claims, TpmAttest quote) {
        if (!(TpmAttest.parse(made.attest()) instanceof Verdict.Accepted<TpmAttest>(TpmAttest attest))
                || !(attest.body() instanceof TpmAttest.NvCertified body)) {
            return Optional.empty();
        }
        boolean holds = signed(made.attest(), made.signature())
                && attest.extraData().equals(claims.qualifyingData())
                && body.name().equals(nv.name())
                && body.offset() == 0
                && body.contents().length() == Sha256.BYTES
                // Until the guard is extended the index can be begun anew, so the quote that shows it must come first.
                && attest.resetCount() == quote.resetCount()
                && attest.restartCount() == quote.restartCount()
                && attest.clockMillis() >= quote.clockMillis();
        return holds ? Optional.of(body.contents()) : Optional.empty();
    }

    private void resettable(EvidenceClaims claims) {
        int pcr = claims.register();
        // 16 and 23 are reset from locality 0, whatever the claims say. For a software bridge everything can be reset.
        boolean resettable = claims.resettable() || pcr == 16 || pcr == 23;
        if (resettable && device.assurance() != Assurance.SOFTWARE) {
            if (policy.allowResettableRegister()) {
                checks.weaken("register-reset", Code.ATT_ASSURANCE, "software can reset PCR " + pcr);
            } else {
                checks.refuse("register-reset", Code.ATT_ASSURANCE, "software can reset PCR " + pcr);
            }
        }
    }
}
