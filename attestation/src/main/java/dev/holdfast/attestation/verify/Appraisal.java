package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.EvidenceClaims;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.SlotId;
import java.time.Instant;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The result of an appraisal, in the shape of an EAR (draft-ietf-rats-ear): a status, and the checks that led to it.
 *
 * @param policy what was asked of the evidence
 * @param granted what enrolment granted the device
 * @param checks every check that could be made, in order; {@link #firstFailure} says why it does not affirm
 * @param claims what the evidence said, present when its signatures, nonce, quote and log hold
 * @param sighting what is to be remembered of the device, present when its signatures, nonce and quote hold
 */
public record Appraisal(
        Status status,
        AppraisalPolicy policy,
        Assurance granted,
        List<Check> checks,
        Optional<Claims> claims,
        Optional<Sighting> sighting) {
    /** The profile of the EAR drafts' implementations. */
    private static final String EAR_PROFILE = "tag:github.com,2023:veraison/ear";

    private static final String SUBMODULE = "holdfast";

    /** Strongest first. */
    public enum Status {
        /** Everything that the policy asks for holds. */
        AFFIRMING,
        /** The evidence holds, but something that the policy wants is missing. */
        WARNING,
        /** The evidence is refused. */
        CONTRAINDICATED,
        /** The evidence holds, but no model is in service. */
        NONE
    }

    /** What became of a check. */
    public enum Outcome {
        PASSED,
        /** It does not hold; the evidence is worth no more than a warning. */
        WARNING,
        /** It does not hold; the evidence is refused. */
        REFUSED
    }

    /**
     * One question that was asked of the evidence.
     *
     * @param code present when it does not hold
     * @param detail what was found; where it does not hold, what was expected and what was found instead
     */
    public record Check(String name, Outcome outcome, Optional<Code> code, String detail) {
        static Check passed(String name, String detail) {
            return new Check(name, Outcome.PASSED, Optional.empty(), detail);
        }

        static Check failed(String name, Outcome outcome, Code code, String detail) {
            return new Check(name, outcome, Optional.of(code), new Rejection(code, detail).detail());
        }

        public boolean passed() {
            return outcome == Outcome.PASSED;
        }

        ObjectNode toJson() {
            ObjectNode json = Json.object()
                    .put("name", name)
                    .put("passed", passed())
                    .put("outcome", outcome.name().toLowerCase(Locale.ROOT));
            code.ifPresent(known -> json.put("code", known.id()));
            return json.put("detail", detail);
        }
    }

    /**
     * What evidence that is authentic shows of the device, whatever else is wrong with it.
     *
     * @param made when it was made, in the device's own time
     * @param epochFloors by model
     */
    public record Sighting(DeviceTime made, SortedMap<String, Long> epochFloors) {
        public Sighting {
            epochFloors = Collections.unmodifiableSortedMap(new TreeMap<>(epochFloors));
        }
    }

    /**
     * What the evidence proves.
     *
     * @param models the models that the log names, in the order of their names, each with its releases in their grace behind it
     * @param epochFloors by the names of those models, the security epoch below which the device installs nothing
     * @param sandbox what the device says of its confinement
     * @param platform what became of the machine's own logs
     * @param events events that lead to the quoted register
     */
    public record Claims(
            String deviceId,
            List<Model> models,
            Assurance assurance,
            long bootCount,
            long clockMillis,
            String agentName,
            String agentVersion,
            SortedMap<String, Long> epochFloors,
            Map<String, String> sandbox,
            Map<String, String> platform,
            int events) {
        public Claims {
            models = List.copyOf(models);
            epochFloors = Collections.unmodifiableSortedMap(new TreeMap<>(epochFloors));
            sandbox = Map.copyOf(sandbox);
            platform = Map.copyOf(platform);
        }

        /** The model in service, where there is exactly one. */
        public Optional<Model> model() {
            List<Model> serving = models.stream()
                    .filter(model -> model.state != Serving.ABSENT && !model.grace)
                    .toList();
            return serving.size() == 1 ? Optional.of(serving.get(0)) : Optional.empty();
        }
    }

    /**
     * A model that the log names.
     *
     * @param slot names this release with everything that was signed of it
     * @param tokenizer digest of its tokenizer; absent where the device did not say it
     * @param state what the device knows of it from the process that answers requests
     * @param grace whether it answers to its pinned name alone, beside what serves
     */
    public record Model(
            String name,
            String version,
            Sha256 digest,
            SlotId slot,
            String target,
            long release,
            long epoch,
            Sha256 template,
            Sha256 gate,
            Optional<Sha256> tokenizer,
            Serving state,
            boolean grace) {
        static Model of(EvidenceClaims.Measured measured) {
            ModelEvent event = measured.event();
            return new Model(
                    event.model(),
                    event.version(),
                    event.digest(),
                    event.slot(),
                    event.target(),
                    event.release(),
                    event.epoch(),
                    event.template(),
                    event.gate(),
                    event.tokenizer(),
                    measured.state(),
                    measured.isInGrace());
        }

        private ObjectNode toJson() {
            ObjectNode json = Json.object()
                    .put("name", name)
                    .put("version", version)
                    .put("digest", digest.hex())
                    .put("slot", slot.hex())
                    .put("target", target)
                    .put("release", release)
                    .put("epoch", epoch)
                    .put("template", template.hex())
                    .put("gate", gate.hex());
            tokenizer.ifPresent(known -> json.put("tokenizer", known.hex()));
            json.put("state", state.name().toLowerCase(Locale.ROOT));
            return grace ? json.put("grace", true) : json;
        }
    }

    public Appraisal {
        checks = List.copyOf(checks);
    }

    public boolean isAffirming() {
        return status == Status.AFFIRMING;
    }

    /** Why the appraisal is not affirming: the first check that refused, or else the first that warned. */
    public Optional<Check> firstFailure() {
        return checks.stream()
                .filter(check -> !check.passed())
                .min(Comparator.comparing(check -> check.outcome() == Outcome.REFUSED ? 0 : 1));
    }

    /**
     * The device's record to keep: its memory has risen where the evidence is authentic, refused or not, and is unchanged where it is not.
     *
     * @param at the verifier's time
     */
    public EnrolledDevice remember(EnrolledDevice device, Instant at) {
        return sighting.map(seen -> device.with(device.memory().after(seen.made(), seen.epochFloors(), at)))
                .orElse(device);
    }

    /**
     * The same for machines: an EAR as a JSON object, unsigned, with {@code status}, {@code checks} and {@code claims}
     * beside it.
     *
     * @param at when the appraisal was made
     */
    public ObjectNode toJson(Instant at) {
        String word = status.name().toLowerCase(Locale.ROOT);
        ObjectNode out = Json.object()
                .put("eat_profile", EAR_PROFILE)
                .put("iat", at.getEpochSecond())
                .put("status", word);
        out.putObject("ear.verifier-id").put("developer", "holdfast.dev").put("build", "holdfast-0.1.0");
        ObjectNode submodule = out.putObject("submods").putObject(SUBMODULE).put("ear.status", word);
        submodule.set("ear.trustworthiness-vector", vector().toJson());
        submodule.put("ear.appraisal-policy-id", policy.id());
        ArrayNode list = out.putArray("checks");
        checks.forEach(check -> list.add(check.toJson()));
        claims.ifPresent(c -> out.set("claims", json(c)));
        return out;
    }

    /** What the checks say of each sort of trust. */
    public TrustVector vector() {
        return TrustVector.of(checks, granted);
    }

    static ObjectNode json(Claims c) {
        ObjectNode node = Json.object();
        node.put("device", c.deviceId())
                .put("assurance", c.assurance().name().toLowerCase(Locale.ROOT))
                .put("bootCount", c.bootCount())
                .put("agent", c.agentName() + " " + c.agentVersion())
                .put("events", c.events());
        c.epochFloors().forEach(node.putObject("epochFloors")::put);
        ArrayNode models = node.putArray("models");
        c.models().forEach(model -> models.add(model.toJson()));
        c.model().ifPresent(model -> node.set("model", model.toJson()));
        new TreeMap<>(c.sandbox()).forEach(node.putObject("sandbox")::put);
        new TreeMap<>(c.platform()).forEach(node.putObject("platform")::put);
        return node;
    }
}
