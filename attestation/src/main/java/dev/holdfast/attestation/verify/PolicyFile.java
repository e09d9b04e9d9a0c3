package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.AppraisalPolicy.Demand;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.ModelName;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/** A policy as a JSON object: its reader and its writer. Every refusal names the key that does not hold, such as {@code registers.7}. */
final class PolicyFile {
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
            "allowNewer",
            "fleet");

    /** What is asked of one model. */
    static final Set<String> MODEL_KEYS = Set.of("minEpoch", "optional", "grace");

    private static final int FORMAT = 1;
    private static final int MAX_PCR = 23;
    private static final int MAX_ID_CHARS = 256;

    private PolicyFile() {}

    static AppraisalPolicy read(JsonNode file, Sha256 digest) throws RejectedException {
        only(file, "", KEYS);
        if (number(file, "", "format", 0) != FORMAT) {
            throw invalid("format", "must be " + FORMAT);
        }
        long freshness = number(file, "", "freshnessSeconds", -1);
        return new AppraisalPolicy(
                id(file, digest),
                assurance(file),
                register(file),
                flag(file, "", "allowResettableRegister", false),
                freshness < 0 ? Optional.empty() : Optional.of(Duration.ofSeconds(freshness)),
                models(file),
                number(file, "", "minEpoch", 0),
                file.has("agentVersions") ? listed(file.get("agentVersions"), "agentVersions") : Set.of(),
                facts(file),
                registers(file),
                flag(file, "", "requireBootLog", false),
                flag(file, "", "requireImaLog", false),
                flag(file, "", "allowNewer", false));
    }

    static ObjectNode write(AppraisalPolicy policy) {
        ObjectNode file = Json.object()
                .put("format", FORMAT)
                .put("id", policy.id())
                .put("minAssurance", policy.minAssurance().name().toLowerCase(Locale.ROOT))
                .put("register", policy.register().toString());
        put(file, "allowResettableRegister", policy.allowResettableRegister());
        policy.freshness().ifPresent(window -> file.put("freshnessSeconds", window.toSeconds()));
        if (!policy.models().isEmpty()) {
            ObjectNode models = file.putObject("models");
            policy.models().forEach((name, demand) -> {
                ObjectNode one = models.putObject(name);
                demand.minEpoch().ifPresent(epoch -> one.put("minEpoch", epoch));
                put(one, "optional", demand.optional());
                if (!demand.grace()) {
                    one.put("grace", false);
                }
            });
        }
        if (policy.minEpoch() > 0) {
            file.put("minEpoch", policy.minEpoch());
        }
        if (!policy.agentVersions().isEmpty()) {
            new TreeSet<>(policy.agentVersions()).forEach(file.putArray("agentVersions")::add);
        }
        if (!policy.requiredFacts().isEmpty()) {
            new TreeMap<>(policy.requiredFacts()).forEach(file.putObject("facts")::put);
        }
        if (!policy.registers().isEmpty()) {
            ObjectNode registers = file.putObject("registers");
            policy.registers().forEach((pcr, values) -> {
                var list = registers.putArray(pcr.toString());
                values.stream().map(Sha256::hex).sorted().forEach(list::add);
            });
        }
        put(file, "requireBootLog", policy.requireBootLog());
        put(file, "requireImaLog", policy.requireImaLog());
        put(file, "allowNewer", policy.allowNewer());
        return file;
    }

    private static void put(ObjectNode file, String key, boolean set) {
        if (set) {
            file.put(key, true);
        }
    }

    private static String id(JsonNode file, Sha256 digest) throws RejectedException {
        JsonNode id = file.path("id");
        if (id.isMissingNode()) {
            return "sha256:" + digest;
        }
        if (!id.isTextual() || id.textValue().isEmpty() || id.textValue().length() > MAX_ID_CHARS) {
            throw invalid("id", "must be text of 1 to " + MAX_ID_CHARS + " characters");
        }
        return id.textValue();
    }

    private static Assurance assurance(JsonNode file) throws RejectedException {
        String wanted = file.path("minAssurance").asText("");
        return Arrays.stream(Assurance.values())
                .filter(one -> one.name().equalsIgnoreCase(wanted))
                .findFirst()
                .orElseThrow(() -> invalid("minAssurance", "must be hardware, firmware, emulated or software"));
    }

    /** A number is a PCR, a text what {@link TpmRegister#parse} reads. */
    private static TpmRegister register(JsonNode file) throws RejectedException {
        JsonNode node = file.path("register");
        if (node.isMissingNode()) {
            return TpmRegister.DEFAULT;
        }
        String text = node.isTextual() ? node.textValue() : "pcr:" + number(file, "", "register", 0);
        return switch (TpmRegister.parse(text)) {
            case Verdict.Accepted<TpmRegister>(TpmRegister register) -> register;
            case Verdict.Rejected<TpmRegister>(Rejection why) -> throw invalid("register", why.detail());
        };
    }

    private static boolean flag(JsonNode object, String path, String key, boolean absent) throws RejectedException {
        JsonNode node = object.path(key);
        if (!node.isMissingNode() && !node.isBoolean()) {
            throw invalid(path + key, "must be true or false");
        }
        return node.asBoolean(absent);
    }

    private static long number(JsonNode object, String path, String key, long absent) throws RejectedException {
        JsonNode node = object.path(key);
        if (node.isMissingNode()) {
            return absent;
        }
        if (!node.isIntegralNumber() || !node.canConvertToLong() || node.longValue() < 0) {
            throw invalid(path + key, "must be a whole number, 0 or more");
        }
        return node.longValue();
    }

    private static void only(JsonNode object, String path, Set<String> keys) throws RejectedException {
        for (var names = object.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!keys.contains(name)) {
                throw invalid(path + name, "is not a key of a policy; here these are: " + new TreeSet<>(keys));
            }
        }
    }

    /** A list of names, or an object from name to what is asked of that model. */
    private static SortedMap<String, Demand> models(JsonNode file) throws RejectedException {
        JsonNode node = file.path("models");
        SortedMap<String, Demand> models = new TreeMap<>();
        if (node.isObject()) {
            for (Map.Entry<String, JsonNode> entry : node.properties()) {
                models.put(entry.getKey(), demand("models." + entry.getKey(), entry.getValue()));
            }
            if (models.isEmpty()) {
                throw invalid("models", "must not be empty");
            }
        } else if (!node.isMissingNode()) {
            listed(node, "models").forEach(name -> models.put(name, Demand.SERVES));
        }
        for (String name : models.keySet()) {
            if (!ModelName.isName(name)) {
                throw invalid("models." + name, "no model can have this name");
            }
        }
        return models;
    }

    private static Demand demand(String path, JsonNode node) throws RejectedException {
        if (!node.isObject()) {
            throw invalid(path, "must be an object");
        }
        only(node, path + ".", MODEL_KEYS);
        return new Demand(
                node.has("minEpoch") ? OptionalLong.of(number(node, path + ".", "minEpoch", 0)) : OptionalLong.empty(),
                flag(node, path + ".", "optional", false),
                flag(node, path + ".", "grace", true));
    }

    private static Set<String> listed(JsonNode list, String path) throws RejectedException {
        Set<String> texts = new TreeSet<>();
        for (int i = 0; list.isArray() && i < list.size(); i++) {
            if (!list.get(i).isTextual()) {
                throw invalid(path + "[" + i + "]", "must be text");
            }
            texts.add(list.get(i).textValue());
        }
        // An empty list would ask for nothing, where its author meant that nothing will do.
        if (texts.isEmpty()) {
            throw invalid(path, "must be a list of texts, and not empty");
        }
        return texts;
    }

    private static Map<String, String> facts(JsonNode file) throws RejectedException {
        JsonNode node = file.path("facts");
        if (!node.isMissingNode() && !node.isObject()) {
            throw invalid("facts", "must be an object");
        }
        Map<String, String> facts = new TreeMap<>();
        for (Map.Entry<String, JsonNode> fact : node.properties()) {
            if (!fact.getValue().isTextual()) {
                throw invalid("facts." + fact.getKey(), "must be text");
            }
            facts.put(fact.getKey(), fact.getValue().textValue());
        }
        return facts;
    }

    private static SortedMap<Integer, Set<Sha256>> registers(JsonNode file) throws RejectedException {
        JsonNode node = file.path("registers");
        if (!node.isMissingNode() && !node.isObject()) {
            throw invalid("registers", "must be an object");
        }
        SortedMap<Integer, Set<Sha256>> registers = new TreeMap<>();
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            String path = "registers." + entry.getKey();
            if (!entry.getKey().matches("[0-9]|[12][0-9]") || Integer.parseInt(entry.getKey()) > MAX_PCR) {
                throw invalid(path, "no PCR has this number; they go from 0 to " + MAX_PCR);
            }
            Set<Sha256> values = new HashSet<>();
            for (String hex : listed(entry.getValue(), path)) {
                if (!(Sha256.fromHex(hex) instanceof Verdict.Accepted<Sha256>(Sha256 value))) {
                    throw invalid(path, "must be 64 hexadecimal digits, not " + hex);
                }
                values.add(value);
            }
            registers.put(Integer.parseInt(entry.getKey()), values);
        }
        return registers;
    }

    private static RejectedException invalid(String key, String detail) {
        return new RejectedException(Rejection.ofField(Code.CFG_INVALID, key, "policy: " + key + ": " + detail));
    }
}
