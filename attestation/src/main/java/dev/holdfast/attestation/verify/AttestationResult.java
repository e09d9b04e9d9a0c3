package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.Appraisal.Check;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;

/**
 * An attestation result: the claims of an EAR (draft-ietf-rats-ear-04) in JSON and in CBOR, to be signed by whoever has the
 * verifier's key, and the readable form. What was appraised, by what and when is in it: the nonce, and digests of evidence and policy.
 *
 * @param device the name of the device whose record the evidence was held against
 * @param nonce what the verifier sent
 * @param evidence SHA-256 of the evidence's bytes
 * @param at when it was appraised
 */
public record AttestationResult(Appraisal appraisal, String device, Binary nonce, Sha256 evidence, Instant at) {
    /** Section 3 of the draft. */
    public static final String PROFILE = "tag:ietf.org,2026:rats/ear#04";

    /** Of the submodule, whose map {@code holdfast} is our own. */
    public static final String SUBMODULE_PROFILE = "tag:holdfast.dev,2026:ear-1";

    /** The one attester. */
    public static final String SUBMODULE = "holdfast";

    static final String DEVELOPER = "https://holdfast.dev";
    /** The verifier's version. */
    public static final String BUILD = "holdfast-0.1.0";

    /** Keys in CBOR: RFC 8392, RFC 9711, and the draft's own. */
    private static final int IAT = 6;

    private static final int EAT_NONCE = 10;
    private static final int EAT_PROFILE = 265;
    private static final int SUBMODS = 266;
    private static final int EAR_STATUS = 1000;
    private static final int EAR_VECTOR = 1001;
    private static final int EAR_POLICY_IDS = 1003;
    private static final int EAR_VERIFIER_ID = 1004;

    /** The claims as a JWT has them. */
    public ObjectNode toJson() {
        ObjectNode ear = Json.object()
                .put("eat_profile", PROFILE)
                .put("iat", at.getEpochSecond())
                .put("ear_status", word());
        ear.putObject("ear_verifier_id").put("developer", DEVELOPER).put("build", BUILD);
        ObjectNode submodule = ear.putObject("submods")
                .putObject(SUBMODULE)
                .put("eat_profile", SUBMODULE_PROFILE)
                .put("ear_status", word());
        submodule.set("ear_trustworthiness_vector", appraisal.vector().toJson());
        submodule
                .put("eat_nonce", Base64.getUrlEncoder().withoutPadding().encodeToString(nonce.toArray()))
                .putArray("ear_appraisal_policy_ids")
                .add(appraisal.policy().id());
        submodule.set(SUBMODULE, own());
        return ear;
    }

    /** The claims as a CWT has them. */
    public Cbor toCbor() {
        long tier = tier(appraisal.status());
        Cbor submodule = Cbor.dict()
                .put(EAT_PROFILE, Cbor.of(SUBMODULE_PROFILE))
                .put(EAR_STATUS, Cbor.of(tier))
                .put(EAR_VECTOR, appraisal.vector().toCbor())
                .put(EAR_POLICY_IDS, Cbor.array(Cbor.of(appraisal.policy().id())))
                .put(EAT_NONCE, Cbor.of(nonce))
                .put(SUBMODULE, cbor(own()))
                .build();
        return Cbor.dict()
                .put(EAT_PROFILE, Cbor.of(PROFILE))
                .put(IAT, Cbor.of(at.getEpochSecond()))
                .put(EAR_STATUS, Cbor.of(tier))
                .put(
                        EAR_VERIFIER_ID,
                        Cbor.dict()
                                .put(0, Cbor.of(DEVELOPER))
                                .put(1, Cbor.of(BUILD))
                                .build())
                .put(SUBMODS, Cbor.dict().put(SUBMODULE, submodule).build())
                .build();
    }

    /**
     * For people and scripts, unsigned: the same claims, with {@code status}, {@code checks} and {@code claims} beside them. What
     * earlier versions named after an earlier draft is there under those names, too.
     */
    public ObjectNode readable() {
        ObjectNode out = toJson();
        ObjectNode before = appraisal.toJson(at);
        out.put("status", before.path("status").asText());
        out.set("ear.verifier-id", before.path("ear.verifier-id"));
        ((ObjectNode) out.path("submods").path(SUBMODULE))
                .setAll((ObjectNode) before.path("submods").path(SUBMODULE));
        out.set("checks", before.path("checks"));
        if (before.has("claims")) {
            out.set("claims", before.path("claims"));
        }
        return out;
    }

    /** What the draft has no name for. */
    private ObjectNode own() {
        ObjectNode own = Json.object()
                .put("device", device)
                .put("evidence", evidence.hex())
                .put("policy", appraisal.policy().digest().hex())
                .put("assurance", appraisal.granted().name().toLowerCase(Locale.ROOT))
                .put("leastAssurance", appraisal.policy().minAssurance().name().toLowerCase(Locale.ROOT));
        ArrayNode failed = own.putArray("failed");
        appraisal.checks().stream()
                .filter(check -> !check.passed())
                .map(Check::toJson)
                .forEach(failed::add);
        appraisal.claims().ifPresent(claims -> own.set("claims", Appraisal.json(claims)));
        return own;
    }

    private String word() {
        return appraisal.status().name().toLowerCase(Locale.ROOT);
    }

    /** AR4SI, 3.2: the tiers as numbers. */
    private static long tier(Status status) {
        return switch (status) {
            case NONE -> 0;
            case AFFIRMING -> 2;
            case WARNING -> 32;
            case CONTRAINDICATED -> 96;
        };
    }

    /** Whole numbers, texts, truth values, arrays and objects: nothing else is in {@link #own}. */
    private static Cbor cbor(JsonNode node) {
        if (node.isObject()) {
            Cbor.DictBuilder dict = Cbor.dict();
            node.properties().forEach(entry -> dict.put(entry.getKey(), cbor(entry.getValue())));
            return dict.build();
        }
        if (node.isArray()) {
            List<Cbor> items = new ArrayList<>();
            node.forEach(item -> items.add(cbor(item)));
            return new Cbor.Array(items);
        }
        return node.isTextual()
                ? Cbor.of(node.textValue())
                : node.isBoolean() ? Cbor.of(node.booleanValue()) : Cbor.of(node.longValue());
    }
}
