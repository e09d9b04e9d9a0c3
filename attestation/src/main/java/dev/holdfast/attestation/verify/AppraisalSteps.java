package dev.holdfast.attestation.verify;

import dev.holdfast.attestation.Event;
import dev.holdfast.attestation.EvidenceClaims;
import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.TpmEvidence;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.tpm.TpmAttest;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.security.MessageDigest;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** One appraisal: the checks in their order. Used once, by one thread. */
final class AppraisalSteps {
    private final EvidenceVerifier.Question question;
    private final EnrolledDevice device;
    private final ReferenceModels models;
    private final AppraisalPolicy policy;
    private final CheckList checks = new CheckList();

    AppraisalSteps(
            EvidenceVerifier.Question question, EnrolledDevice device, ReferenceModels models, AppraisalPolicy policy) {
        this.question = question;
        this.device = device;
        this.models = models;
        this.policy = policy;
    }

    Appraisal malformed(Rejection reason) {
        checks.refuse(
                "format", Code.ATT_FORMAT, reason.code() == Code.ATT_FORMAT ? reason.detail() : reason.toString());
        return refused();
    }

    private Appraisal refused() {
        return new Appraisal(
                Status.CONTRAINDICATED,
                policy,
                device.assurance(),
                checks.checks(),
                Optional.empty(),
                Optional.empty());
    }

    Appraisal appraise(EvidenceVerifier.Message message) {
        EvidenceClaims claims = message.claims();
        TpmEvidence tpm = message.tpm();
        NewerAgent newer = new NewerAgent(policy, claims);
        Optional<Rejection> unreadable = newer.refusal(claims);
        if (unreadable.isPresent()) {
            return malformed(unreadable.get());
        }
        checks.pass("format", "COSE_Sign1, EAT profile " + EvidenceClaims.PROFILE);
        signature(message);
        if (checks.refused()) {
            return refused();
        }
        boolean answers = claims.nonce().equals(question.nonce());
        checks.require(
                "nonce",
                answers,
                Code.ATT_NONCE,
                () -> "the nonce that was sent",
                () -> "expected " + question.nonce().hex() + ", got "
                        + claims.nonce().hex());
        freshness();
        QuoteSteps quote = new QuoteSteps(device, policy, checks);
        @Nullable TpmAttest attest = quote.quote(tpm, claims);
        int prefix = log(tpm, claims, quote.register(tpm, claims, attest));
        List<ModelEvent> logged = events(tpm.log(), Math.max(prefix, 0), newer);
        newer.judge(claims, checks);
        List<ModelEvent> claimed = claims.models().stream().map(Measured::event).toList();
        checks.require(
                "model",
                claimed.equals(logged),
                Code.ATT_LOG,
                () -> "the claimed models are those that the quoted log leads to, " + names(logged),
                () -> "expected the models that the quoted log leads to, " + names(logged) + ", got claims of "
                        + names(claimed) + (names(claimed).equals(names(logged)) ? " that differ in a field" : ""));
        boolean held = !checks.refused();
        new ModelSteps(models, policy, checks).judge(claims.models());
        checks.require(
                "assurance",
                device.assurance().compareTo(policy.minAssurance()) >= 0,
                Code.ATT_ASSURANCE,
                () -> "enrolment granted " + word(device.assurance()) + ", at least " + word(policy.minAssurance())
                        + " is asked for" + device.grantNote(),
                () -> "expected at least " + word(policy.minAssurance()) + ", enrolment granted "
                        + word(device.assurance()) + device.grantNote());
        if (attest != null) {
            new MemorySteps(question.asked(), device.memory(), checks).judge(attest, claims);
        }
        PlatformSteps platform = new PlatformSteps(policy, checks);
        platform.registers(tpm);
        platform.machine(claims, message.vm());
        agent(claims);
        return new Appraisal(
                checks.status(claims.models().stream().anyMatch(ModelSteps::inService)),
                policy,
                device.assurance(),
                checks.checks(),
                held && attest != null ? Optional.of(claimsOf(claims, attest, prefix)) : Optional.empty(),
                answers && attest != null
                        ? Optional.of(new Appraisal.Sighting(MemorySteps.made(attest), claims.epochFloors()))
                        : Optional.empty());
    }

    private void signature(EvidenceVerifier.Message message) {
        Sha256 thumbprint = P256.thumbprint(device.signer());
        boolean named = message.keyId().equals(thumbprint.value())
                && message.claims().signerThumbprint().equals(thumbprint);
        checks.require(
                "signature",
                named && message.envelope().verifies(device.signer(), Binary.empty()),
                Code.ATT_SIGNATURE,
                () -> "by the device's enrolled key " + thumbprint,
                () -> named
                        ? "the signature does not verify with the enrolled key " + thumbprint
                        : "expected the enrolled key " + thumbprint + ", got a signature that names "
                                + message.keyId().hex() + " and claims of "
                                + message.claims().signerThumbprint());
    }

    private static String word(Assurance assurance) {
        return assurance.name().toLowerCase(Locale.ROOT);
    }

    private void freshness() {
        policy.freshness()
                .ifPresent(window -> checks.require(
                        "freshness",
                        question.age()
                                .filter(age -> !age.isNegative() && age.compareTo(window) <= 0)
                                .isPresent(),
                        Code.ATT_FRESHNESS,
                        () -> "came " + afterChallenge() + ", the policy allows " + window.toMillis() + " ms",
                        () -> "expected within " + window.toMillis() + " ms of the challenge, came "
                                + afterChallenge()));
    }

    private String afterChallenge() {
        return question.age().map(age -> age.toMillis() + " ms").orElse("nobody knows how long") + " after it";
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
        int found = prefix;
        checks.require(
                "log",
                found >= 0 && claims.logBroken().isEmpty(),
                Code.ATT_LOG,
                () -> tpm.log().size() + " events, " + found + " of them lead to the quoted register",
                () -> claims.logBroken()
                        .map(why -> "the device says: " + why)
                        .orElse("no beginning of the log of " + tpm.log().size()
                                + " events leads to the quoted register, expected "
                                + (quoted.length() == 0 ? "one that is proven" : quoted.hex())));
        return found;
    }

    /** The last event of each model and of each release in its grace that the prefix does not end, when every event of the prefix is known. */
    private List<ModelEvent> events(List<Binary> log, int prefix, NewerAgent newer) {
        SortedMap<String, ModelEvent> last = new TreeMap<>();
        for (int i = 0; i < prefix; i++) {
            switch (newer.read(log.get(i))) {
                case Verdict.Accepted<Optional<Event>>(Optional<Event> read) -> {
                    if (read.isPresent() && read.get() instanceof Event.Model(ModelEvent event)) {
                        event.applyTo(last);
                    }
                }
                case Verdict.Rejected<Optional<Event>>(Rejection reason) -> {
                    checks.refuse("events", Code.ATT_EVENT, "event " + i + ": " + reason);
                    return List.of();
                }
            }
        }
        checks.pass("events", prefix + " events, each read");
        return List.copyOf(last.values());
    }

    private static List<String> names(List<ModelEvent> models) {
        return models.stream()
                .map(event -> ModelName.id(event.model(), event.version())
                        + (event.kind().isOfGrace() ? " in its grace" : ""))
                .toList();
    }

    private void agent(EvidenceClaims claims) {
        if (!policy.agentVersions().isEmpty()) {
            checks.require(
                    "agent",
                    policy.agentVersions().contains(claims.agentVersion()),
                    Code.ATT_REFERENCE,
                    () -> "the agent says that it is version " + claims.agentVersion(),
                    () -> "expected one of the agent's versions " + new TreeSet<>(policy.agentVersions()) + ", got "
                            + claims.agentVersion());
        }
        SortedMap<String, String> wanted = new TreeMap<>(policy.requiredFacts());
        wanted.forEach((fact, value) -> {
            String actual = claims.sandbox().getOrDefault(fact, "nothing");
            if (value.equals(actual)) {
                checks.pass("sandbox", "the agent says that " + fact + " is " + value);
            } else {
                checks.weaken("sandbox", Code.ATT_ASSURANCE, "expected " + fact + "=" + value + ", got " + actual);
            }
        });
    }

    private Appraisal.Claims claimsOf(EvidenceClaims claims, TpmAttest attest, int prefix) {
        return new Appraisal.Claims(
                device.deviceId(),
                claims.models().stream().map(Appraisal.Model::of).toList(),
                device.assurance(),
                attest.resetCount(),
                attest.clockMillis(),
                claims.agentName(),
                claims.agentVersion(),
                claims.epochFloors(),
                claims.sandbox(),
                claims.platform(),
                prefix);
    }
}
