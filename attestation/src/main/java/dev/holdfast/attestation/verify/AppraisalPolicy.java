package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a verifier asks of evidence. An empty set or map asks for nothing.
 *
 * @param id names the policy in the result
 * @param minAssurance the weakest root of trust that is good enough; compared with what enrolment granted
 * @param register what models must be measured into; evidence over another register proves nothing
 * @param allowResettableRegister whether a register that software can reset is good enough; then the best status is a
 *     warning. A software bridge's register is always resettable and exempt here: its assurance says so already
 * @param freshness how long after its challenge evidence may come
 * @param models the models that may serve, by name
 * @param minEpoch lowest security epoch of each model for which {@code models} says no other
 * @param agentVersions versions of the agent that are good enough
 * @param requiredFacts sandbox facts that must have these values; a missing one gives a warning
 * @param registers PCRs that must be quoted and hold one of these values
 * @param requireBootLog whether the firmware's log must be there and lead to the quoted PCRs 0 to 7
 * @param requireImaLog whether the kernel's list of measured files must be there and lead to the quoted PCR 10
 */
public record AppraisalPolicy(
        String id,
        Assurance minAssurance,
        TpmRegister register,
        boolean allowResettableRegister,
        Optional<Duration> freshness,
        SortedMap<String, Demand> models,
        long minEpoch,
        Set<String> agentVersions,
        Map<String, String> requiredFacts,
        SortedMap<Integer, Set<Sha256>> registers,
        boolean requireBootLog,
        boolean requireImaLog) {
    /**
     * What is asked of one model.
     *
     * @param minEpoch its lowest security epoch, in place of the one for all
     * @param optional whether it may be missing
     * @param grace whether older releases of it may answer to their pinned names while their grace lasts
     */
    public record Demand(OptionalLong minEpoch, boolean optional, boolean grace) {
        static final Set<String> KEYS = Set.of("minEpoch", "optional", "grace");

        /** That it serves. */
        static final Demand SERVES = new Demand(OptionalLong.empty(), false, true);
    }

    public static final int MAX_JSON_BYTES = 64 * 1024;
    private static final int MAX_PCR = 23;
    static final Set<String> KEYS = Set.of(
            "format",
            "id",
            "minAssurance",
            "register",
            "allowResettableRegister",
            "freshnessSeconds",
            "models",
            "minEpoch",
            "agentVersions",
            "facts",
            "registers",
            "requireBootLog",
            "requireImaLog",
            "fleet");

    public AppraisalPolicy {
        models = Collections.unmodifiableSortedMap(new TreeMap<>(models));
        agentVersions = Set.copyOf(agentVersions);
        requiredFacts = Map.copyOf(requiredFacts);
        SortedMap<Integer, Set<Sha256>> copy = new TreeMap<>();
        registers.forEach((pcr, values) -> copy.put(pcr, Set.copyOf(values)));
        registers = Collections.unmodifiableSortedMap(copy);
    }

    /** Asks for {@code minAssurance} and nothing special besides. */
    public static AppraisalPolicy atLeast(Assurance minAssurance) {
        return of(minAssurance, false, Map.of());
    }

    public static AppraisalPolicy of(
            Assurance minAssurance, boolean allowResettableRegister, Map<String, String> facts) {
        return new AppraisalPolicy(
                "built-in",
                minAssurance,
                TpmRegister.DEFAULT,
                allowResettableRegister,
                Optional.empty(),
                new TreeMap<>(),
                0,
                Set.of(),
                facts,
                new TreeMap<>(),
                false,
                false);
    }

    /** The lowest security epoch of the model of this name. */
    public long minEpoch(String model) {
        return models.getOrDefault(model, Demand.SERVES).minEpoch().orElse(minEpoch);
    }

    /** Whether older releases of the model of this name may be in their grace. Each is judged like the one in service. */
    public boolean allowsGrace(String model) {
        return models.getOrDefault(model, Demand.SERVES).grace();
    }

    /** The same for another register. */
    public AppraisalPolicy withRegister(TpmRegister other) {
        return new AppraisalPolicy(
                id,
                minAssurance,
                other,
                allowResettableRegister,
                freshness,
                models,
                minEpoch,
                agentVersions,
                requiredFacts,
                registers,
                requireBootLog,
                requireImaLog);
    }

    /** The same, where these models must serve and no other may. */
    public AppraisalPolicy withModels(Set<String> names) {
        SortedMap<String, Demand> demands = new TreeMap<>();
        names.forEach(name -> demands.put(name, Demand.SERVES));
        return new AppraisalPolicy(
                id,
                minAssurance,
                register,
                allowResettableRegister,
                freshness,
                demands,
                minEpoch,
                agentVersions,
                requiredFacts,
                registers,
                requireBootLog,
                requireImaLog);
    }

    /** The same, with or without leave for a register that software can reset. */
    public AppraisalPolicy withResettableRegister(boolean allowed) {
        return new AppraisalPolicy(
                id,
                minAssurance,
                register,
                allowed,
                freshness,
                models,
                minEpoch,
                agentVersions,
                requiredFacts,
                registers,
                requireBootLog,
                requireImaLog);
    }

    /**
     * Reads a policy file: one JSON object, described in docs/protocol. A key that is not known is refused, so that a
     * misspelt demand is never passed over. {@code CFG-INVALID}.
     */
    public static Verdict<AppraisalPolicy> parse(byte[] utf8) {
        return Verdict.of(() -> read(Json.readObject(utf8, MAX_JSON_BYTES).orThrow(), Sha256.of(utf8)));
    }

    private static AppraisalPolicy read(JsonNode file, Sha256 digest) throws RejectedException {
        only(file, KEYS);
        if (number(file, "format", 0) != 1) {
            throw invalid("format must be 1");
        }
        String wanted = file.path("minAssurance").asText("");
        Assurance assurance = Arrays.stream(Assurance.values())
                .filter(one -> one.name().equalsIgnoreCase(wanted))
                .findFirst()
                .orElseThrow(() -> invalid("minAssurance must be hardware, firmware, emulated or software"));
        long freshness = number(file, "freshnessSeconds", -1);
        return new AppraisalPolicy(
                file.path("id").asText("sha256:" + digest),
                assurance,
                register(file),
                flag(file, "allowResettableRegister"),
                freshness < 0 ? Optional.empty() : Optional.of(Duration.ofSeconds(freshness)),
                models(file),
                number(file, "minEpoch", 0),
                texts(file, "agentVersions"),
                facts(file),
                registers(file),
                flag(file, "requireBootLog"),
                flag(file, "requireImaLog"));
    }

    /** A number is a PCR, a text what {@link TpmRegister#parse} reads. */
    private static TpmRegister register(JsonNode file) throws RejectedException {
        JsonNode node = file.path("register");
        if (node.isMissingNode()) {
            return TpmRegister.DEFAULT;
        }
        return TpmRegister.parse(node.isTextual() ? node.textValue() : "pcr:" + number(file, "register", 0))
                .orThrow();
    }

    private static boolean flag(JsonNode file, String key) throws RejectedException {
        JsonNode node = file.path(key);
        if (!node.isMissingNode() && !node.isBoolean()) {
            throw invalid(key + " must be true or false");
        }
        return node.asBoolean(false);
    }

    private static long number(JsonNode file, String key, long fallback) throws RejectedException {
        JsonNode node = file.path(key);
        if (node.isMissingNode()) {
            return fallback;
        }
        if (!node.isIntegralNumber() || !node.canConvertToLong() || node.longValue() < 0) {
            throw invalid(key + " must be a number, 0 or more");
        }
        return node.longValue();
    }

    private static void only(JsonNode object, Set<String> keys) throws RejectedException {
        for (var names = object.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!keys.contains(name)) {
                throw invalid("unknown key " + name);
            }
        }
    }

    /** A list of names, or an object from name to what is asked of that model. */
    private static SortedMap<String, Demand> models(JsonNode file) throws RejectedException {
        JsonNode node = file.path("models");
        SortedMap<String, Demand> models = new TreeMap<>();
        if (node.isObject()) {
            for (Map.Entry<String, JsonNode> entry : node.properties()) {
                models.put(entry.getKey(), demand(entry.getKey(), entry.getValue()));
            }
            if (models.isEmpty()) {
                throw invalid("models must not be empty");
            }
        } else {
            texts(file, "models").forEach(name -> models.put(name, Demand.SERVES));
        }
        for (String name : models.keySet()) {
            if (!ModelName.isName(name)) {
                throw invalid("models: no model is called " + name);
            }
        }
        return models;
    }

    private static Demand demand(String model, JsonNode node) throws RejectedException {
        if (!node.isObject()) {
            throw invalid("models: " + model + " must be an object");
        }
        only(node, Demand.KEYS);
        return new Demand(
                node.has("minEpoch") ? OptionalLong.of(number(node, "minEpoch", 0)) : OptionalLong.empty(),
                flag(node, "optional"),
                !node.has("grace") || flag(node, "grace"));
    }

    private static Set<String> texts(JsonNode file, String key) throws RejectedException {
        return file.has(key) ? listed(file.get(key), key) : Set.of();
    }

    private static Set<String> listed(JsonNode list, String key) throws RejectedException {
        Set<String> texts = new HashSet<>();
        for (JsonNode text : list) {
            if (!text.isTextual()) {
                throw invalid(key + " must be a list of texts");
            }
            texts.add(text.textValue());
        }
        // An empty list would ask for nothing, where its author meant that nothing will do.
        if (!list.isArray() || texts.isEmpty()) {
            throw invalid(key + " must be a list of texts, and not empty");
        }
        return texts;
    }

    private static Map<String, String> facts(JsonNode file) throws RejectedException {
        JsonNode node = file.path("facts");
        Map<String, String> facts = new TreeMap<>();
        for (Map.Entry<String, JsonNode> fact : node.properties()) {
            if (!fact.getValue().isTextual()) {
                throw invalid("facts must be texts");
            }
            facts.put(fact.getKey(), fact.getValue().textValue());
        }
        if (!node.isMissingNode() && !node.isObject()) {
            throw invalid("facts must be an object");
        }
        return facts;
    }

    private static SortedMap<Integer, Set<Sha256>> registers(JsonNode file) throws RejectedException {
        JsonNode node = file.path("registers");
        if (!node.isMissingNode() && !node.isObject()) {
            throw invalid("registers must be an object");
        }
        SortedMap<Integer, Set<Sha256>> registers = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            if (!entry.getKey().matches("[0-9]{1,2}") || Integer.parseInt(entry.getKey()) > MAX_PCR) {
                throw invalid("registers: no PCR is called " + entry.getKey());
            }
            Set<Sha256> values = new HashSet<>();
            for (String hex : listed(entry.getValue(), "registers")) {
                values.add(Sha256.fromHex(hex).orThrow());
            }
            registers.put(Integer.parseInt(entry.getKey()), values);
        }
        return registers;
    }

    private static RejectedException invalid(String detail) {
        return new RejectedException(Code.CFG_INVALID, "policy: " + detail);
    }
}
