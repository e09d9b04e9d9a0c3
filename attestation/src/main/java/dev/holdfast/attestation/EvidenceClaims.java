package dev.holdfast.attestation;

import dev.holdfast.tee.Assurance;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The EAT claims of evidence, without the {@code tpm} submodule.
 *
 * <table>
 * <caption>Claims (RFC 9711 unless said otherwise)</caption>
 * <tr><td>10</td><td>eat_nonce</td></tr>
 * <tr><td>256</td><td>ueid: type 1, then the device signer's thumbprint (RFC 9679)</td></tr>
 * <tr><td>265</td><td>eat_profile: {@value #PROFILE}</td></tr>
 * <tr><td>267</td><td>bootcount: the TEE's reset count</td></tr>
 * <tr><td>270, 271</td><td>swname and swversion of the agent</td></tr>
 * <tr><td>273</td><td>measurements: each model that the log names as a measured component (RFC 10013), in the order of their
 * names, and right after it each of its releases in their grace, in the order of their slots; absent without one</td></tr>
 * <tr><td>hf-assurance</td><td>what the device says of its TEE; a verifier goes by the enrolment instead</td></tr>
 * <tr><td>hf-register</td><td>[index, resettable]</td></tr>
 * <tr><td>hf-models</td><td>for each measurement [slot, release, epoch, template digest, gate digest, target, event type,
 * tokenizer digest, state], the last a {@link Serving}; absent without one</td></tr>
 * <tr><td>hf-epoch-floors</td><td>of the models that are measured: name to the security epoch below which this device installs
 * nothing under it; a name without one is not in it</td></tr>
 * <tr><td>hf-platform</td><td>what became of {@code boot-log} and {@code ima-log}: carried, absent, too-long; {@code
 * vm-report}, where the agent is told to ask for one: the provider's name, or failed</td></tr>
 * <tr><td>hf-log-broken</td><td>text, present when the device knows that its log does not lead to its register, or does not
 * name what serves or the agent that runs</td></tr>
 * <tr><td>hf-sandbox</td><td>a map of short texts</td></tr>
 * </table>
 *
 * @param unknown claims that this profile does not have: of a newer agent, or of whoever made them up
 */
public record EvidenceClaims(
        Binary nonce,
        Sha256 signerThumbprint,
        long bootCount,
        String agentName,
        String agentVersion,
        Assurance assurance,
        int register,
        boolean resettable,
        List<Measured> models,
        SortedMap<String, Long> epochFloors,
        Optional<String> logBroken,
        Map<String, String> platform,
        Map<String, String> sandbox,
        Map<Cbor, Cbor> unknown) {
    /** What the attester knows of a model from the process that answers requests. */
    public enum Serving {
        /** The process was asked, and serves the slot that the log names. */
        CONFIRMED,
        /** A swap of this model is under way: the log names what is about to serve. */
        CHANGING,
        /** The process was asked, and does not serve this model as the log names it. */
        ABSENT,
        /** The process did not answer, or said another tokenizer of the same release than before. */
        UNKNOWN
    }

    /**
     * A model that the log names, or a release in its grace.
     *
     * @param event the last event of the model or release
     * @param state whether it is known to answer requests
     */
    public record Measured(ModelEvent event, Serving state) {
        /** Whether it answers to its pinned name alone, beside what serves. */
        public boolean isInGrace() {
            return event.kind().isOfGrace();
        }
    }

    public static final String PROFILE = "tag:holdfast.dev,2026:evidence-2";
    static final int MAX_FACTS = 16;
    /** Claims of an agent that is newer than this verifier. */
    static final int MAX_UNKNOWN = 16;

    private static final int MAX_UNKNOWN_CHARS = 64;
    static final int MAX_TEXT_CHARS = 256;
    public static final long SUBMODS = 266;

    private static final String LABEL = "holdfast-attest-1";
    private static final long NONCE = 10;
    private static final long UEID = 256;
    private static final long EAT_PROFILE = 265;
    private static final long BOOTCOUNT = 267;
    private static final long SWNAME = 270;
    private static final long SWVERSION = 271;
    private static final long MEASUREMENTS = 273;
    private static final String MODELS = "hf-models";
    private static final List<Cbor> KNOWN = Stream.concat(
                    Stream.of(NONCE, UEID, EAT_PROFILE, BOOTCOUNT, SWNAME, SWVERSION, MEASUREMENTS)
                            .map(Cbor::of),
                    Stream.of(
                                    MODELS,
                                    "hf-assurance",
                                    "hf-register",
                                    "hf-epoch-floors",
                                    "hf-platform",
                                    "hf-sandbox",
                                    "hf-log-broken")
                            .map(Cbor::of))
            .toList();
    /** UEID type RAND (RFC 9711, 4.2.1.1): bytes without further structure. */
    private static final byte UEID_RAND = 1;

    /** With the claims of this profile alone. */
    public EvidenceClaims(
            Binary nonce,
            Sha256 signerThumbprint,
            long bootCount,
            String agentName,
            String agentVersion,
            Assurance assurance,
            int register,
            boolean resettable,
            List<Measured> models,
            SortedMap<String, Long> epochFloors,
            Optional<String> logBroken,
            Map<String, String> platform,
            Map<String, String> sandbox) {
        this(
                nonce,
                signerThumbprint,
                bootCount,
                agentName,
                agentVersion,
                assurance,
                register,
                resettable,
                models,
                epochFloors,
                logBroken,
                platform,
                sandbox,
                Map.of());
    }

    public EvidenceClaims {
        unknown = Map.copyOf(unknown);
        models = List.copyOf(models);
        epochFloors = java.util.Collections.unmodifiableSortedMap(new TreeMap<>(epochFloors));
        sandbox = java.util.Collections.unmodifiableMap(new TreeMap<>(sandbox));
        platform = java.util.Collections.unmodifiableMap(new TreeMap<>(platform));
        if (platform.size() > MAX_FACTS
                || sandbox.size() > MAX_FACTS
                || sandbox.entrySet().stream()
                        .anyMatch(
                                e -> Math.max(e.getKey().length(), e.getValue().length()) > MAX_TEXT_CHARS)) {
            throw new IllegalArgumentException(
                    "at most " + MAX_FACTS + " sandbox facts of " + MAX_TEXT_CHARS + " characters");
        }
    }

    /** What the quote must carry: SHA-256 of a label, the nonce, and the hash of these claims. */
    public Binary qualifyingData() {
        return qualifyingData(nonce, toCbor());
    }

    static Binary qualifyingData(Binary nonce, Cbor claims) {
        return Sha256.of(
                        LABEL.getBytes(StandardCharsets.US_ASCII),
                        nonce.toArray(),
                        Sha256.of(CborWriter.write(claims)).toArray())
                .value();
    }

    Cbor.DictBuilder entries() {
        byte[] ueid = new byte[1 + Sha256.BYTES];
        ueid[0] = UEID_RAND;
        System.arraycopy(signerThumbprint.toArray(), 0, ueid, 1, Sha256.BYTES);
        Cbor.DictBuilder claims = Cbor.dict()
                .put(NONCE, Cbor.of(nonce))
                .put(UEID, Cbor.of(ueid))
                .put(EAT_PROFILE, Cbor.of(PROFILE))
                .put(BOOTCOUNT, Cbor.of(bootCount))
                .put(SWNAME, Cbor.of(agentName))
                .put(SWVERSION, Cbor.array(Cbor.of(agentVersion)))
                .put("hf-assurance", Cbor.of(assurance.name()))
                .put("hf-register", Cbor.array(Cbor.of(register), Cbor.of(resettable)))
                .put("hf-epoch-floors", numbers(epochFloors))
                .put("hf-platform", texts(platform))
                .put("hf-sandbox", texts(sandbox));
        logBroken.ifPresent(why -> claims.put("hf-log-broken", Cbor.of(why)));
        if (!models.isEmpty()) {
            claims.put(
                    MEASUREMENTS,
                    new Cbor.Array(models.stream().map(ModelClaims::measurement).toList()));
            claims.put(
                    MODELS,
                    new Cbor.Array(models.stream().map(ModelClaims::release).toList()));
        }
        unknown.forEach(claims::put);
        return claims;
    }

    /** The names of claims that this profile does not have, sorted; what to make of them is for the appraisal to say. */
    public List<String> unknownNames() {
        return unknown.keySet().stream()
                .map(key -> key instanceof Cbor.Text(String text)
                        ? text
                        : key instanceof Cbor.Int(long number) ? "" + number : "?")
                .sorted()
                .toList();
    }

    private static Map<Cbor, Cbor> unknown(Map<Cbor, Cbor> given) throws RejectedException {
        Map<Cbor, Cbor> unknown = new HashMap<>(given);
        KNOWN.forEach(unknown.keySet()::remove);
        for (Cbor key : unknown.keySet()) {
            boolean named = key instanceof Cbor.Int
                    || (key instanceof Cbor.Text(String text) && text.length() <= MAX_UNKNOWN_CHARS);
            if (!named || unknown.size() > MAX_UNKNOWN) {
                throw malformed("claims that this profile does not have");
            }
        }
        return unknown;
    }

    private static Cbor numbers(Map<String, Long> floors) {
        Cbor.DictBuilder dict = Cbor.dict();
        floors.forEach((key, value) -> dict.put(key, Cbor.of(value)));
        return dict.build();
    }

    private static Cbor texts(Map<String, String> facts) {
        Cbor.DictBuilder dict = Cbor.dict();
        facts.forEach((key, value) -> dict.put(key, Cbor.of(value)));
        return dict.build();
    }

    Cbor toCbor() {
        return entries().build();
    }

    /** Reads the claims map; the {@code tpm} submodule is left to the caller. */
    public static EvidenceClaims parse(Cbor.Dict claims) throws RejectedException {
        Claim read = new Claim(claims);
        Binary ueid = read.bytes(UEID, 1 + Sha256.BYTES, 1 + Sha256.BYTES);
        if (ueid.toArray()[0] != UEID_RAND || !read.text(EAT_PROFILE).equals(PROFILE)) {
            throw malformed("another profile or ueid type");
        }
        List<Cbor> register = read.array("hf-register", 2);
        List<Cbor> version = read.array(SWVERSION, 1);
        Map<Cbor, Cbor> given = new HashMap<>(claims.entries());
        given.remove(new Cbor.Int(SUBMODS));
        EvidenceClaims parsed = new EvidenceClaims(
                read.bytes(NONCE, Attester.MIN_NONCE_BYTES, Attester.MAX_NONCE_BYTES),
                new Sha256(Binary.copyOf(ueid.toArray(), 1, Sha256.BYTES)),
                read.number(BOOTCOUNT),
                read.text(SWNAME),
                Claim.text(version.get(0)),
                constant(Assurance.values(), read.text("hf-assurance")),
                (int) Claim.number(register.get(0), Integer.MAX_VALUE),
                Claim.bool(register.get(1)),
                claims.get(MODELS).isPresent()
                        ? ModelClaims.parse(read.required(MEASUREMENTS), read.required(MODELS))
                        : List.of(),
                floors(read),
                claims.get("hf-log-broken").isPresent() ? Optional.of(read.text("hf-log-broken")) : Optional.empty(),
                read.texts("hf-platform", MAX_FACTS),
                read.texts("hf-sandbox", MAX_FACTS),
                unknown(given));
        if (!parsed.models.stream()
                .map(each -> each.event().model())
                .toList()
                .containsAll(parsed.epochFloors.keySet())) {
            throw malformed("a floor of a model that is not measured");
        }
        // The one rule for everything that is not named above: what we would not have written is refused.
        // The encoding is deterministic, so equal trees are equal bytes.
        if (!parsed.entries().build().entries().equals(given)) {
            throw malformed("claims that this profile does not have");
        }
        return parsed;
    }

    private static SortedMap<String, Long> floors(Claim read) throws RejectedException {
        Map<Cbor, Cbor> entries = Claim.dict(read.required("hf-epoch-floors")).entries();
        if (entries.size() > EventLog.MAX_NAMED) {
            throw malformed("hf-epoch-floors has more than " + EventLog.MAX_NAMED + " entries");
        }
        SortedMap<String, Long> floors = new TreeMap<>();
        for (Map.Entry<Cbor, Cbor> entry : entries.entrySet()) {
            floors.put(Claim.text(entry.getKey()), Claim.number(entry.getValue(), Long.MAX_VALUE));
        }
        return floors;
    }

    static <E extends Enum<E>> E constant(E[] values, String name) throws RejectedException {
        return Arrays.stream(values)
                .filter(value -> value.name().equals(name))
                .findFirst()
                .orElseThrow(() -> malformed(name + " is not known here"));
    }

    static RejectedException malformed(String detail) {
        return new RejectedException(Code.ATT_FORMAT, detail);
    }
}
