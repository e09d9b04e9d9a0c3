package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.verify.EvidenceVerifier.Asked;
import dev.holdfast.attestation.verify.EvidenceVerifier.Question;
import dev.holdfast.attestation.verify.ReferenceModels.Key;
import dev.holdfast.attestation.verify.ReferenceModels.Reference;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Evidence with all that appraising it needed, as it was then: the question with its age, the device's record with the counters that
 * had been seen, the reference values that were asked for, and the policy. {@link #appraise} gives the same verdict whenever it is
 * asked: it looks at no clock, no folder and no network. Whether the case is what happened is for whoever signed it to say.
 *
 * @param evidence as it came
 * @param question with its age at the time
 * @param device the record that the evidence was held against
 * @param references by what was asked for; empty where nothing was published under it
 * @param at when it was appraised
 * @param recorded the result's claims of then
 */
public record ArchivedCase(
        Binary evidence,
        Question question,
        EnrolledDevice device,
        Map<Key, Optional<Reference>> references,
        AppraisalPolicy policy,
        Instant at,
        JsonNode recorded) {
    /** Twice what a log names: each model and each release in its grace. */
    private static final int MAX_REFERENCES = 2 * EventLog.MAX_NAMED;

    private static final int MAX_AUTHORITIES = 256;
    private static final int MAX_AUTHORITY_BYTES = 64;
    private static final int MAX_TEXT_CHARS = 256;
    private static final String WITHDRAWN = "withdrawn";
    private static final int MAX_EVIDENCE_CHARS = (Attester.MAX_EVIDENCE_BYTES + 2) / 3 * 4;
    private static final Set<String> FIELDS =
            Set.of("evidence", "nonce", "ageNanos", "asked", "device", "references", "policy", "at", "result");

    public ArchivedCase {
        references = Collections.unmodifiableMap(new LinkedHashMap<>(references));
    }

    /** A case that was just appraised. */
    public static ArchivedCase of(
            byte[] evidence,
            Question question,
            EnrolledDevice device,
            SeenReferences references,
            AttestationResult result) {
        return new ArchivedCase(
                Binary.copyOf(evidence),
                question,
                device,
                references.seen(),
                result.appraisal().policy(),
                result.at(),
                result.toJson());
    }

    /** The verdict of then. */
    public AttestationResult appraise() {
        return appraise(policy);
    }

    /** What another policy would have said then. */
    public AttestationResult appraise(AppraisalPolicy other) {
        Appraisal appraisal = EvidenceVerifier.verify(
                evidence.toArray(),
                question,
                device,
                (target, digest) -> references.getOrDefault(new Key(target, digest), Optional.empty()),
                other);
        return new AttestationResult(appraisal, device.deviceId(), question.nonce(), Sha256.of(evidence.toArray()), at);
    }

    /** The status that was recorded then, as text; empty where there is none. */
    public String recordedStatus() {
        String status = recorded.path("ear_status").asText("");
        return status.length() <= MAX_TEXT_CHARS ? status : "";
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object()
                .put("evidence", Base64.getEncoder().encodeToString(evidence.toArray()))
                .put("nonce", question.nonce().hex());
        question.age().ifPresent(age -> json.put("ageNanos", age.toNanos()));
        switch (question.asked()) {
            case Asked.Last last -> json.put("asked", "last");
            case Asked.Unknown unknown -> json.put("asked", "unknown");
            case Asked.After(DeviceTime seen) ->
                json.putObject("asked").put("resetCount", seen.resetCount()).put("clockMillis", seen.clockMillis());
        }
        json.set("device", device.toJson());
        ArrayNode list = json.putArray("references");
        references.forEach((key, found) -> list.add(write(key, found)));
        json.set("policy", policy.toJson());
        json.put("at", at.toString());
        json.set("result", recorded.deepCopy());
        return json;
    }

    private static ObjectNode write(Key key, Optional<Reference> found) {
        ObjectNode one = Json.object()
                .put("target", key.target())
                .put("digest", key.digest().hex());
        found.ifPresent(reference -> {
            ObjectNode json =
                    one.putObject("published").put("model", reference.model()).put("version", reference.version());
            reference.release().ifPresent(release -> json.put("release", release));
            reference.epoch().ifPresent(epoch -> json.put("epoch", epoch));
            reference.template().ifPresent(digest -> json.put("template", digest.hex()));
            reference.gate().ifPresent(digest -> json.put("gate", digest.hex()));
            ArrayNode authorities = json.putArray("authorities");
            reference.authorities().stream().map(Binary::hex).sorted().forEach(authorities::add);
            if (reference.withdrawn()) {
                json.put(WITHDRAWN, true);
            }
        });
        return one;
    }

    /** Reads what {@link #toJson} writes; {@code ATT-ARCHIVE} or what a part of it is refused by. */
    public static Verdict<ArchivedCase> read(JsonNode json) {
        return Verdict.of(() -> {
            Fields fields = Fields.of(json, Code.ATT_ARCHIVE);
            fields.only(FIELDS);
            Binary nonce = Binary.fromHex(fields.text("nonce", 2 * Attester.MAX_NONCE_BYTES))
                    .orThrow();
            Optional<Duration> age = fields.has("ageNanos")
                    ? Optional.of(Duration.ofNanos(fields.integer("ageNanos", 0)))
                    : Optional.empty();
            Map<Key, Optional<Reference>> references = new LinkedHashMap<>();
            for (JsonNode item : fields.array("references", MAX_REFERENCES)) {
                Fields one = Fields.of(item, Code.ATT_ARCHIVE);
                // A target may be empty: bytes that nothing signed.
                Key key = new Key(one.textOrEmpty("target", MAX_TEXT_CHARS), one.sha256("digest"));
                references.put(
                        key, one.has("published") ? Optional.of(reference(one.object("published"))) : Optional.empty());
            }
            JsonNode policy = fields.object("policy").node();
            return new ArchivedCase(
                    evidence(fields),
                    new Question(nonce, age, asked(fields)),
                    EnrolledDevice.fromJson(fields.object("device").node()).orThrow(),
                    references,
                    PolicyFile.read(policy, CanonicalJson.digest(policy)),
                    time(fields),
                    fields.object("result").node());
        });
    }

    private static Binary evidence(Fields fields) throws RejectedException {
        try {
            return Binary.copyOf(Base64.getDecoder().decode(fields.text("evidence", MAX_EVIDENCE_CHARS)));
        } catch (IllegalArgumentException e) {
            throw fields.wrong("evidence", "base64");
        }
    }

    private static Instant time(Fields fields) throws RejectedException {
        try {
            return Instant.parse(fields.text("at", MAX_TEXT_CHARS));
        } catch (DateTimeException e) {
            throw fields.wrong("at", "a time such as 2026-11-25T12:00:00Z");
        }
    }

    private static Asked asked(Fields fields) throws RejectedException {
        JsonNode asked = fields.node().path("asked");
        if (asked.isObject()) {
            Fields seen = fields.object("asked");
            return new Asked.After(new DeviceTime(seen.integer("resetCount", 0), seen.integer("clockMillis", 0)));
        }
        return switch (fields.text("asked", MAX_TEXT_CHARS)) {
            case "last" -> new Asked.Last();
            case "unknown" -> new Asked.Unknown();
            default -> throw fields.wrong("asked", "last, unknown, or a moment of the device");
        };
    }

    private static Reference reference(Fields fields) throws RejectedException {
        Set<Binary> authorities = new HashSet<>();
        for (JsonNode item : fields.array("authorities", MAX_AUTHORITIES)) {
            if (!item.isTextual() || item.textValue().length() > 2 * MAX_AUTHORITY_BYTES) {
                throw fields.wrong("authorities", "hexadecimal texts");
            }
            authorities.add(Binary.fromHex(item.textValue()).orThrow());
        }
        return new Reference(
                fields.modelName("model"),
                fields.modelName("version"),
                fields.has("release") ? Optional.of(fields.integer("release", 0)) : Optional.empty(),
                fields.has("epoch") ? Optional.of(fields.integer("epoch", 0)) : Optional.empty(),
                fields.has("template") ? Optional.of(fields.sha256("template")) : Optional.empty(),
                fields.has("gate") ? Optional.of(fields.sha256("gate")) : Optional.empty(),
                authorities,
                fields.node().path(WITHDRAWN).asBoolean(false));
    }
}
