package dev.holdfast.attestation.verify;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.time.Duration;
import java.util.Collections;
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
 * @param allowNewer whether claims and events that are not known are a warning where the agent is newer than this verifier
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
        boolean requireImaLog,
        boolean allowNewer) {
    /**
     * What is asked of one model.
     *
     * @param minEpoch its lowest security epoch, in place of the one for all
     * @param optional whether it may be missing
     * @param grace whether older releases of it may answer to their pinned names while their grace lasts
     */
    public record Demand(OptionalLong minEpoch, boolean optional, boolean grace) {
        /** That it serves. */
        static final Demand SERVES = new Demand(OptionalLong.empty(), false, true);
    }

    public static final int MAX_JSON_BYTES = 64 * 1024;

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
                requireImaLog,
                allowNewer);
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
                requireImaLog,
                allowNewer);
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
                requireImaLog,
                allowNewer);
    }

    /**
     * Reads a policy file: one JSON object, described in docs/protocol. A key that is not known is refused, so that a
     * misspelt demand is never passed over. {@code CFG-INVALID}, with the key that does not hold.
     */
    public static Verdict<AppraisalPolicy> parse(byte[] utf8) {
        return Verdict.of(
                () -> PolicyFile.read(Json.readObject(utf8, MAX_JSON_BYTES).orThrow(), Sha256.of(utf8)));
    }

    /** The whole policy as a policy file, which {@link #parse} reads as an equal one; what it does not ask for is not in it. */
    public ObjectNode toJson() {
        return PolicyFile.write(this);
    }

    /** SHA-256 of the canonical form of {@link #toJson}: one and the same however the file was laid out. */
    public Sha256 digest() {
        return CanonicalJson.digest(toJson());
    }
}
