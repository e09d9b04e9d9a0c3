package dev.holdfast.attestation;

import dev.holdfast.attestation.Appraisal.Check;
import dev.holdfast.attestation.Appraisal.Status;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.TpmAttest;
import dev.holdfast.tee.TpmSignature;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One appraisal: the checks in their order. Used once, by one thread. */
final class AppraisalSteps {
    private static final Sha256 ZERO = new Sha256(Binary.copyOf(new byte[Sha256.BYTES]));

    private final Binary nonce;
    private final EnrolledDevice device;
    private final ReferenceModels models;
    private final AppraisalPolicy policy;
    private final List<Check> checks = new ArrayList<>();
    private boolean refused;
    private boolean weakened;

    AppraisalSteps(Binary nonce, EnrolledDevice device, ReferenceModels models, AppraisalPolicy policy) {
        this.nonce = nonce;
        this.device = device;
        this.models = models;
        this.policy = policy;
    }

    Appraisal malformed(Rejection reason) {
        require("format", false, Code.ATT_FORMAT, reason.toString());
        return new Appraisal(Status.CONTRAINDICATED, checks, Optional.empty());
    }

    Appraisal appraise(EvidenceVerifier.Message message) {
        EvidenceClaims claims = message.claims();
        require("format", true, Code.ATT_FORMAT, "COSE_Sign1, EAT profile " + EvidenceClaims.PROFILE);
        signature(message.envelope(), claims);
        if (refused) {
            return new Appraisal(Status.CONTRAINDICATED, checks, Optional.empty());
        }
        require("nonce", claims.nonce().equals(nonce), Code.ATT_NONCE, "the nonce that was sent");
        @Nullable TpmAttest attest = quote(message.tpm(), claims);
        register(message.tpm(), claims);
        int prefix = log(message.tpm(), claims);
        Optional<ModelEvent> logged = events(message.tpm().log(), Math.max(prefix, 0));
        require(
                "model",
                claims.model().equals(logged),
                Code.ATT_LOG,
                "the claimed model is the last one that the quoted log names");
        boolean held = !refused;
        logged.ifPresent(this::reference);
        require(
                "assurance",
                device.assurance().compareTo(policy.minAssurance()) >= 0,
                Code.ATT_ASSURANCE,
                "enrolment granted " + device.assurance() + ", the policy asks for " + policy.minAssurance());
        if (attest != null) {
            clock(attest, claims);
        }
        facts(claims.sandbox());
        return new Appraisal(
                status(logged.isPresent()),
                checks,
                held && attest != null ? Optional.of(claimsOf(claims, logged, attest, prefix)) : Optional.empty());
    }

    private void signature(Cose.Sign1 envelope, EvidenceClaims claims) {
        Sha256 thumbprint = P256.thumbprint(device.signer());
        boolean named = envelope.keyId().equals(thumbprint.value())
                && claims.signerThumbprint().equals(thumbprint);
        require(
                "signature",
                named
                        && P256.verify(
                                device.signer(),
                                envelope.toBeSigned(),
                                envelope.signature().toArray()),
                Code.ATT_SIGNATURE,
                "by the device's enrolled key " + thumbprint);
    }

    /** The quote, when its form, its signature and what it covers hold. */
    private @Nullable TpmAttest quote(TpmEvidence tpm, EvidenceClaims claims) {
        if (!(TpmAttest.parse(tpm.attest()) instanceof Verdict.Accepted<TpmAttest>(TpmAttest attest))) {
            require("quote", false, Code.ATT_QUOTE, "TPMS_ATTEST with magic ff544347 and type 8018");
            return null;
        }
        boolean signed = TpmSignature.toP1363(tpm.signature()) instanceof Verdict.Accepted<Binary>(Binary signature)
                && P256.verify(device.attestationKey(), Sha256.of(tpm.attest().toArray()), signature.toArray());
        boolean covers = attest.body() instanceof TpmAttest.Quoted quoted
                && quoted.covers(tpm.pcr(), tpm.value().value())
                && attest.extraData().equals(claims.qualifyingData());
        require("quote-signature", signed, Code.ATT_QUOTE, "by the device's enrolled attestation key");
        require("quote", covers, Code.ATT_QUOTE, "covers nonce, claims and register");
        return signed && covers ? attest : null;
    }

    private void register(TpmEvidence tpm, EvidenceClaims claims) {
        require("register", tpm.pcr() == claims.register(), Code.ATT_QUOTE, "PCR " + tpm.pcr());
        // 16 and 23 are reset from locality 0, whatever the claims say. For a software bridge everything can be reset.
        boolean resettable = claims.resettable() || tpm.pcr() == 16 || tpm.pcr() == 23;
        if (resettable && device.assurance() != Assurance.SOFTWARE) {
            if (policy.allowResettableRegister()) {
                weaken("register-reset", Code.ATT_ASSURANCE, "software can reset PCR " + tpm.pcr());
            } else {
                require("register-reset", false, Code.ATT_ASSURANCE, "software can reset PCR " + tpm.pcr());
            }
        }
    }

    /** How many events lead to the quoted value, or -1. A longer log is fine: it was read after the quote. */
    private int log(TpmEvidence tpm, EvidenceClaims claims) {
        Sha256 value = ZERO;
        int prefix = value.equals(tpm.value()) ? 0 : -1;
        for (int i = 0; i < tpm.log().size() && prefix < 0; i++) {
            value = Event.extend(value, Event.digest(tpm.log().get(i)));
            prefix = value.equals(tpm.value()) ? i + 1 : -1;
        }
        require(
                "log",
                prefix >= 0 && claims.logBroken().isEmpty(),
                Code.ATT_LOG,
                claims.logBroken()
                        .map(why -> "the device says: " + why)
                        .orElse(tpm.log().size() + " events, " + prefix + " of them lead to the quoted register"));
        return prefix;
    }

    /** The last model event of the prefix, when every event of the prefix is known. */
    private Optional<ModelEvent> events(List<Binary> log, int prefix) {
        Optional<ModelEvent> last = Optional.empty();
        for (int i = 0; i < prefix; i++) {
            switch (Event.parse(log.get(i))) {
                case Verdict.Accepted<Event>(Event.Model(ModelEvent event)) -> last = Optional.of(event);
                case Verdict.Accepted<Event>(Event.AgentStart start) -> {}
                case Verdict.Rejected<Event>(Rejection reason) -> {
                    require("events", false, Code.ATT_EVENT, "event " + i + ": " + reason);
                    return Optional.empty();
                }
            }
        }
        require("events", true, Code.ATT_EVENT, prefix + " events, all of known types");
        return last;
    }

    private void reference(ModelEvent event) {
        Optional<ReferenceModels.Reference> found = models.find(event.digest());
        boolean matches = found.isPresent()
                && found.get().model().equals(event.model())
                && found.get().version().equals(event.version());
        require(
                "reference",
                matches,
                Code.ATT_REFERENCE,
                event.model() + " " + event.version() + ", sha256 " + event.digest());
    }

    private void clock(TpmAttest attest, EvidenceClaims claims) {
        boolean forward = attest.resetCount() > device.lastResetCount()
                || attest.resetCount() == device.lastResetCount() && attest.clockMillis() >= device.lastClockMillis();
        require(
                "clock",
                forward && claims.bootCount() == attest.resetCount(),
                Code.ATT_CLOCK,
                "boot " + attest.resetCount() + " after " + device.lastResetCount() + ", clock " + attest.clockMillis()
                        + (attest.clockSafe() ? "" : " (after an unclean stop)"));
    }

    private void facts(Map<String, String> facts) {
        for (Map.Entry<String, String> wanted : policy.requiredFacts().entrySet()) {
            String actual = facts.get(wanted.getKey());
            if (!wanted.getValue().equals(actual)) {
                weaken("sandbox", Code.ATT_ASSURANCE, wanted + " is asked for, the device has " + actual);
            }
        }
    }

    private Appraisal.Claims claimsOf(EvidenceClaims claims, Optional<ModelEvent> model, TpmAttest attest, int prefix) {
        return new Appraisal.Claims(
                device.deviceId(),
                model.map(e -> new Appraisal.Model(e.model(), e.version(), e.digest(), e.epoch())),
                device.assurance(),
                attest.resetCount(),
                attest.clockMillis(),
                claims.agentName(),
                claims.agentVersion(),
                prefix);
    }

    private Status status(boolean model) {
        if (refused) {
            return Status.CONTRAINDICATED;
        }
        if (!model) {
            return Status.NONE;
        }
        return weakened ? Status.WARNING : Status.AFFIRMING;
    }

    private void require(String name, boolean holds, Code code, String detail) {
        checks.add(holds ? Check.passed(name, detail) : Check.failed(name, code, detail));
        refused |= !holds;
    }

    private void weaken(String name, Code code, String detail) {
        checks.add(Check.failed(name, code, detail));
        weakened = true;
    }
}
