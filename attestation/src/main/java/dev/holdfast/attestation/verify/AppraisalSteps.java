package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.Es256;
import dev.holdfast.attestation.Event;
import dev.holdfast.attestation.EvidenceClaims;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.TpmEvidence;
import dev.holdfast.attestation.VmEvidence;
import dev.holdfast.attestation.verify.Appraisal.Check;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.tpm.TpmAttest;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.tee.tpm.TpmSignature;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One appraisal: the checks in their order. Used once, by one thread. */
final class AppraisalSteps {
    private final EvidenceVerifier.Question question;
    private final EnrolledDevice device;
    private final ReferenceModels models;
    private final AppraisalPolicy policy;
    private final List<Check> checks = new ArrayList<>();
    private boolean refused;
    private boolean weakened;

    AppraisalSteps(
            EvidenceVerifier.Question question, EnrolledDevice device, ReferenceModels models, AppraisalPolicy policy) {
        this.question = question;
        this.device = device;
        this.models = models;
        this.policy = policy;
    }

    Appraisal malformed(Rejection reason) {
        require("format", false, Code.ATT_FORMAT, reason.toString());
        return new Appraisal(Status.CONTRAINDICATED, policy.id(), checks, Optional.empty());
    }

    Appraisal appraise(EvidenceVerifier.Message message) {
        EvidenceClaims claims = message.claims();
        TpmEvidence tpm = message.tpm();
        require("format", true, Code.ATT_FORMAT, "COSE_Sign1, EAT profile " + EvidenceClaims.PROFILE);
        signature(message);
        if (refused) {
            return new Appraisal(Status.CONTRAINDICATED, policy.id(), checks, Optional.empty());
        }
        require("nonce", claims.nonce().equals(question.nonce()), Code.ATT_NONCE, "the nonce that was sent");
        freshness();
        @Nullable TpmAttest attest = quote(tpm, claims);
        int prefix = log(tpm, claims, register(tpm, claims, attest));
        Optional<ModelEvent> logged = events(tpm.log(), Math.max(prefix, 0));
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
        platform(tpm);
        machine(claims, message.vm());
        serving(claims.serving());
        agent(claims);
        return new Appraisal(
                status(logged.isPresent() && claims.serving() != Serving.NONE),
                policy.id(),
                checks,
                held && attest != null ? Optional.of(claimsOf(claims, logged, attest, prefix)) : Optional.empty());
    }

    private void signature(EvidenceVerifier.Message message) {
        Sha256 thumbprint = P256.thumbprint(device.signer());
        boolean named = message.keyId().equals(thumbprint.value())
                && message.claims().signerThumbprint().equals(thumbprint);
        require(
                "signature",
                named && message.envelope().verifies(device.signer(), Binary.empty()),
                Code.ATT_SIGNATURE,
                "by the device's enrolled key " + thumbprint);
    }

    private void freshness() {
        policy.freshness()
                .ifPresent(window -> require(
                        "freshness",
                        question.age()
                                .filter(age -> !age.isNegative() && age.compareTo(window) <= 0)
                                .isPresent(),
                        Code.ATT_FRESHNESS,
                        "came "
                                + question.age()
                                        .map(age -> age.toMillis() + " ms")
                                        .orElse("nobody knows how long") + " after its challenge, the policy allows "
                                + window.toMillis() + " ms"));
    }

    /** The quote, when its form, its signature and what it covers hold. */
    private @Nullable TpmAttest quote(TpmEvidence tpm, EvidenceClaims claims) {
        if (!(TpmAttest.parse(tpm.attest()) instanceof Verdict.Accepted<TpmAttest>(TpmAttest attest))) {
            require("quote", false, Code.ATT_QUOTE, "TPMS_ATTEST with magic ff544347 and type 8018");
            return null;
        }
        boolean signed = signed(tpm.attest(), tpm.signature());
        boolean covers = attest.body() instanceof TpmAttest.Quoted quoted
                && quoted.covers(tpm.registers())
                && attest.extraData().equals(claims.qualifyingData());
        require("quote-signature", signed, Code.ATT_QUOTE, "by the device's enrolled attestation key");
        require("quote", covers, Code.ATT_QUOTE, "covers nonce, claims and registers");
        return signed && covers ? attest : null;
    }

    /** Whether the device's enrolled attestation key signed this. */
    private boolean signed(Binary attest, Binary tpmtSignature) {
        return TpmSignature.toP1363(tpmtSignature) instanceof Verdict.Accepted<Binary>(Binary signature)
                && Es256.verifyByEnrolled(device.attestationKey(), Sha256.of(attest.toArray()), signature.toArray());
    }

    /** The value of the register that the policy asks for, or nothing where the evidence does not prove one. */
    private Binary register(TpmEvidence tpm, EvidenceClaims claims, @Nullable TpmAttest attest) {
        return switch (policy.register()) {
            case TpmRegister.Pcr(int pcr) -> {
                require(
                        "register",
                        pcr == claims.register()
                                && tpm.nv().isEmpty()
                                && tpm.registers().containsKey(pcr),
                        Code.ATT_QUOTE,
                        "models are measured into " + claims.register() + ", quoted are "
                                + tpm.registers().keySet() + ", the policy asks for PCR " + pcr);
                resettable(claims);
                yield tpm.registers().getOrDefault(pcr, Binary.empty());
            }
            case TpmRegister.Nv nv -> {
                Optional<Binary> value = attest == null
                        ? Optional.empty()
                        : tpm.nv().flatMap(made -> certified(made, nv, claims, attest));
                require(
                        "register",
                        nv.index() == claims.register() && value.isPresent(),
                        Code.ATT_QUOTE,
                        "the policy asks for NV index " + Integer.toHexString(nv.index())
                                + " as Holdfast defines it, certified after the quote and for the same claims");
                require(
                        "register-guard",
                        nv.capped().value().equals(tpm.registers().getOrDefault(nv.guardPcr(), Binary.empty())),
                        Code.ATT_QUOTE,
                        "PCR " + nv.guardPcr() + " guards the index since its first event");
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
                weaken("register-reset", Code.ATT_ASSURANCE, "software can reset PCR " + pcr);
            } else {
                require("register-reset", false, Code.ATT_ASSURANCE, "software can reset PCR " + pcr);
            }
        }
    }

    /** How many events lead to the quoted value, or -1. A longer log is fine: it was read after the quote. */
    private int log(TpmEvidence tpm, EvidenceClaims claims, Binary quoted) {
        int prefix = Event.ZERO.value().equals(quoted) ? 0 : -1;
        MessageDigest hash = Sha256.newDigest();
        byte[] wanted = quoted.toArray();
        byte[] value = Event.ZERO.toArray();
        for (int i = 0; i < tpm.log().size() && prefix < 0; i++) {
            byte[] digest = hash.digest(tpm.log().get(i).toArray());
            hash.update(value);
            value = hash.digest(digest);
            prefix = MessageDigest.isEqual(value, wanted) ? i + 1 : -1;
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
            switch (KnownEvents.parse(log.get(i))) {
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
        Optional<String> difference = found.isEmpty()
                ? Optional.of("no published model has these bytes")
                : found.get().difference(event);
        String name = event.model() + " " + event.version() + ", sha256 " + event.digest();
        require(
                "reference",
                difference.isEmpty(),
                Code.ATT_REFERENCE,
                difference.map(why -> name + ": " + why).orElse(name));
        if (!policy.models().isEmpty()) {
            require(
                    "allowed-model",
                    policy.models().contains(event.model()),
                    Code.ATT_REFERENCE,
                    event.model() + ", the policy allows " + policy.models());
        }
        if (policy.minEpoch() > 0) {
            require(
                    "epoch",
                    event.epoch() >= policy.minEpoch(),
                    Code.ATT_REFERENCE,
                    "security epoch " + event.epoch() + ", the policy asks for " + policy.minEpoch());
        }
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

    /** Carried logs must lead to the quoted registers, whether the policy asks for them or not. */
    private void platform(TpmEvidence tpm) {
        policy.registers().forEach((pcr, allowed) -> {
            Binary value = tpm.registers().getOrDefault(pcr, Binary.empty());
            require(
                    "pcr-" + pcr,
                    allowed.stream().anyMatch(one -> one.value().equals(value)),
                    Code.ATT_PLATFORM,
                    value.length() == 0 ? "is not quoted" : "holds " + value.hex());
        });
        if (tpm.bootLog().isPresent() || policy.requireBootLog()) {
            Optional<String> wrong = tpm.bootLog()
                    .map(log -> PlatformReplay.boot(log, tpm.registers()))
                    .orElse(Optional.of("the evidence carries none"));
            require("boot-log", wrong.isEmpty(), Code.ATT_PLATFORM, wrong.orElse("leads to the quoted PCRs 0 to 7"));
        }
        if (tpm.imaLog().isPresent() || policy.requireImaLog()) {
            Optional<String> wrong = tpm.imaLog()
                    .map(log -> PlatformReplay.ima(log, tpm.registers()))
                    .orElse(Optional.of("the evidence carries none"));
            require("ima-log", wrong.isEmpty(), Code.ATT_PLATFORM, wrong.orElse("leads to the quoted PCR 10"));
        }
    }

    /** A report on the machine must fit, whether anybody asks for it or not. Whose it is is not checked: it grants nothing. */
    private void machine(EvidenceClaims claims, Optional<VmEvidence> vm) {
        if (vm.isPresent()) {
            Optional<String> misfit = vm.get().misfit(claims);
            require(
                    "vm-report",
                    misfit.isEmpty(),
                    Code.ATT_PLATFORM,
                    misfit.orElse("of " + vm.get().provider()
                            + " carries nonce and claims; its signature is not checked, so it grants nothing"));
        } else if (claims.platform().containsKey(VmEvidence.FATE)) {
            weaken("vm-report", Code.ATT_PLATFORM, "the device could not have one");
        }
    }

    private void serving(Serving serving) {
        switch (serving) {
            case CONFIRMED, CHANGING, NONE ->
                checks.add(Check.passed("serving", serving.name().toLowerCase(java.util.Locale.ROOT)));
            case UNKNOWN -> weaken("serving", Code.ATT_SERVING, "the process that answers requests did not answer");
        }
    }

    private void agent(EvidenceClaims claims) {
        if (!policy.agentVersions().isEmpty()) {
            require(
                    "agent",
                    policy.agentVersions().contains(claims.agentVersion()),
                    Code.ATT_REFERENCE,
                    "version " + claims.agentVersion() + ", the policy allows " + policy.agentVersions());
        }
        for (Map.Entry<String, String> wanted : policy.requiredFacts().entrySet()) {
            String actual = claims.sandbox().get(wanted.getKey());
            if (!wanted.getValue().equals(actual)) {
                weaken("sandbox", Code.ATT_ASSURANCE, wanted + " is asked for, the device has " + actual);
            }
        }
    }

    private Appraisal.Claims claimsOf(EvidenceClaims claims, Optional<ModelEvent> model, TpmAttest attest, int prefix) {
        return new Appraisal.Claims(
                device.deviceId(),
                model.map(e -> new Appraisal.Model(
                        e.model(), e.version(), e.digest(), e.epoch(), e.template(), e.tokenizer())),
                device.assurance(),
                attest.resetCount(),
                attest.clockMillis(),
                claims.agentName(),
                claims.agentVersion(),
                claims.epochFloor(),
                claims.sandbox(),
                claims.platform(),
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
