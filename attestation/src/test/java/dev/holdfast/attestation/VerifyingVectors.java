package dev.holdfast.attestation;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.ArchivedCase;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.attestation.verify.DeviceMemory;
import dev.holdfast.attestation.verify.DeviceTime;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.EvidenceVerifier.Asked;
import dev.holdfast.attestation.verify.SeenReferences;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.Quoter;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Cases with evidence of a real TPM's making, each with the verdict that somebody wrote down beside it: good ones, and one at least for
 * each reason to refuse or to warn. Made on a device that an attacker owns.
 */
final class VerifyingVectors {
    private static final String POLICY =
            "\"minAssurance\":\"firmware\", \"models\":{\"intent\":{}, \"embed\":{\"optional\":true}},"
                    + " \"minEpoch\":1, \"freshnessSeconds\":60";

    private final EvidenceFixture on;
    private static final String NEWER = "9.0.0";

    /** Events behind those of the log that the device keeps. */
    private final List<Binary> more = new ArrayList<>();

    private final ArrayNode list = Json.object().putArray("vectors");

    VerifyingVectors(EvidenceFixture on) {
        this.on = on;
    }

    /** What a case differs in from one that affirms. */
    private record Case(
            byte[] evidence, String policy, EnrolledDevice device, Optional<Duration> age, Asked asked, Binary nonce) {
        Case policy(String other) {
            return new Case(evidence, other, device, age, asked, nonce);
        }

        Case device(EnrolledDevice other) {
            return new Case(evidence, policy, other, age, asked, nonce);
        }

        Case age(Optional<Duration> other) {
            return new Case(evidence, policy, device, other, asked, nonce);
        }

        Case asked(Asked other) {
            return new Case(evidence, policy, device, age, other, nonce);
        }

        Case nonce(Binary other) {
            return new Case(evidence, policy, device, age, asked, other);
        }
    }

    private EnrolledDevice device(Assurance assurance) {
        EnrolledDevice known = on.device;
        return EnrolledDevice.fresh(
                known.deviceId(), known.signer(), known.attestationKey(), known.endorsement(), assurance);
    }

    private Case of(byte[] evidence) {
        return new Case(
                evidence,
                POLICY,
                device(Assurance.HARDWARE),
                Optional.of(Duration.ofMillis(20)),
                new Asked.After(DeviceTime.START),
                Models.NONCE);
    }

    private void add(String name, String status, String code, Case one) {
        AppraisalPolicy policy = Models.accepted(AppraisalPolicy.parse(
                ("{\"format\":1, \"id\":\"vector\", " + one.policy + "}").getBytes(StandardCharsets.UTF_8)));
        var question = new EvidenceVerifier.Question(one.nonce, one.age, one.asked);
        SeenReferences references = new SeenReferences(Models.PUBLISHED);
        Appraisal appraisal = EvidenceVerifier.verify(one.evidence, question, one.device, references, policy);
        AttestationResult result = new AttestationResult(
                appraisal, one.device.deviceId(), one.nonce, Sha256.of(one.evidence), Instant.EPOCH);
        ObjectNode vector =
                list.addObject().put("name", name).put("status", status).put("code", code);
        vector.set(
                "case",
                ArchivedCase.of(one.evidence, question, one.device, references, result)
                        .toJson());
    }

    private byte[] attest(ServingModels serving) throws Exception {
        return new Attester(on.bridge, on.log, Models.around(serving)).attest(Models.NONCE);
    }

    /** Claims of the device's own, under a quote of its own. */
    private byte[] claiming(EvidenceClaims claims) throws Exception {
        return on.signed(claims, on.bridge.quoter().orElseThrow().quote(claims.qualifyingData()), on.log.contents());
    }

    private EvidenceClaims with(
            EvidenceClaims bare, long bootCount, Map<String, Long> floors, Optional<String> broken) {
        return new EvidenceClaims(
                bare.nonce(),
                bare.signerThumbprint(),
                bootCount,
                bare.agentName(),
                bare.agentVersion(),
                bare.assurance(),
                bare.register(),
                bare.resettable(),
                bare.models(),
                new TreeMap<>(floors),
                broken,
                bare.platform(),
                bare.sandbox());
    }

    ObjectNode make() throws Exception {
        byte[] good = attest(Models.as(on.log));
        affirming(good);
        envelope(good);
        quote(good);
        record(good);
        policies(good);
        logs(good);
        sets();
        newer();
        strangeEvents();
        ObjectNode file = Json.object().put("format", 1);
        file.set("vectors", list);
        return file;
    }

    private void affirming(byte[] good) throws Exception {
        add("a released model serves", "affirming", "", of(good));
        add("the log is longer than what was quoted", "affirming", "", of(on.withLog(good, events -> {
            events.add(new Event.Model(Models.V2).content());
            return events;
        })));
        add(
                "a file is its TEE, and the policy wants no more",
                "affirming",
                "",
                of(good).device(device(Assurance.SOFTWARE)).policy("\"minAssurance\":\"software\""));
    }

    private void envelope(byte[] good) throws Exception {
        add("cut off", "contraindicated", "ATT-FORMAT", of(Arrays.copyOf(good, good.length - 1)));
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(good));
        Cbor.Dict claims = (Cbor.Dict)
                Models.accepted(CborReader.read(message.envelope().payload().toArray(), Attester.MAX_EVIDENCE_BYTES));
        Map<Cbor, Cbor> more = new LinkedHashMap<>(claims.entries());
        more.put(Cbor.of("hf-promise"), Cbor.of("all is well"));
        add(
                "a claim that the profile does not have",
                "contraindicated",
                "ATT-FORMAT",
                of(on.signed(new Cbor.Dict(more))));
        Map<Cbor, Cbor> other = new LinkedHashMap<>(claims.entries());
        other.put(Cbor.of(265), Cbor.of("tag:holdfast.dev,2026:evidence-9"));
        add("another profile", "contraindicated", "ATT-FORMAT", of(on.signed(new Cbor.Dict(other))));
        byte[] flipped = good.clone();
        flipped[flipped.length - 1] ^= 1;
        add("a bit of the signature is another", "contraindicated", "ATT-SIGNATURE", of(flipped));
        EnrolledDevice mine = device(Assurance.HARDWARE);
        add(
                "by the key of another device",
                "contraindicated",
                "ATT-SIGNATURE",
                of(good).device(EnrolledDevice.fresh(
                        mine.deviceId(),
                        mine.attestationKey(),
                        mine.attestationKey(),
                        mine.endorsement(),
                        mine.assurance())));
        add(
                "for another nonce",
                "contraindicated",
                "ATT-NONCE",
                of(good).nonce(Models.hash("another nonce").value()));
        add("came too late", "contraindicated", "ATT-FRESHNESS", of(good).age(Optional.of(Duration.ofSeconds(61))));
        add("nobody knows how old it is", "contraindicated", "ATT-FRESHNESS", of(good).age(Optional.empty()));
    }

    private void quote(byte[] good) throws Exception {
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(good));
        TpmEvidence tpm = message.tpm();
        EnrolledDevice mine = device(Assurance.HARDWARE);
        add(
                "a quote by another attestation key",
                "contraindicated",
                "ATT-QUOTE",
                of(good).device(EnrolledDevice.fresh(
                        mine.deviceId(), mine.signer(), mine.signer(), mine.endorsement(), mine.assurance())));
        EvidenceClaims lie = on.claims(Models.V2.digest(), false);
        add(
                "claims that the quote does not cover",
                "contraindicated",
                "ATT-QUOTE",
                of(on.signed(lie, EvidenceFixture.quoteOf(tpm), tpm.log())));
        TreeMap<Integer, Binary> wish = new TreeMap<>(tpm.registers());
        wish.replaceAll((pcr, value) -> Models.hash("wish").value());
        add(
                "a register's value that the quote does not hash",
                "contraindicated",
                "ATT-QUOTE",
                of(on.signed(
                        message.claims(), new Quoter.Quote(tpm.attest(), tpm.signature(), wish, tpm.nv()), tpm.log())));
        add(
                "measured into another register than the policy asks for",
                "contraindicated",
                "ATT-QUOTE",
                of(good).policy(POLICY + ", \"register\":15"));
        byte[] resettable = claiming(on.claims(Models.V1.digest(), true));
        add("a register that software can reset", "contraindicated", "ATT-ASSURANCE", of(resettable));
        add(
                "the same where the policy allows it",
                "warning",
                "ATT-ASSURANCE",
                of(resettable).policy(POLICY + ", \"allowResettableRegister\":true"));
    }

    /** What the fleet knows of the device. */
    private void record(byte[] good) throws Exception {
        EnrolledDevice mine = device(Assurance.HARDWARE);
        add(
                "enrolment granted less than the policy asks for",
                "contraindicated",
                "ATT-ASSURANCE",
                of(good).device(device(Assurance.EMULATED)));
        DeviceMemory later = new DeviceMemory(new DeviceTime(1L << 30, 0), Optional.empty(), new TreeMap<>());
        add(
                "older than what had been seen when it was asked for",
                "contraindicated",
                "ATT-CLOCK",
                of(good).device(mine.with(later)).asked(new Asked.After(later.newest())));
        add(
                "older than what was seen, and nobody knows when it was asked for",
                "warning",
                "ATT-CLOCK",
                of(good).device(mine.with(later)).asked(new Asked.Unknown()));
        EvidenceClaims bare = on.claims(Models.V1.digest(), false);
        add(
                "a boot count that is not the quote's",
                "contraindicated",
                "ATT-CLOCK",
                of(claiming(with(bare, bare.bootCount() + 1, Map.of(), Optional.empty()))));
        TreeMap<String, DeviceMemory.Floor> floors = new TreeMap<>();
        floors.put("intent", new DeviceMemory.Floor(7, DeviceTime.START));
        EnrolledDevice strict = mine.with(new DeviceMemory(DeviceTime.START, Optional.empty(), floors));
        add("a floor of the security epoch that fell", "contraindicated", "ATT-FLOOR", of(good).device(strict));
        add(
                "an epoch below the floor that was seen",
                "contraindicated",
                "ATT-FLOOR",
                of(claiming(with(bare, bare.bootCount(), Map.of("intent", 7L), Optional.empty())))
                        .device(strict));
    }

    private void policies(byte[] good) {
        add(
                "a model that the policy does not allow",
                "contraindicated",
                "ATT-REFERENCE",
                of(good).policy("\"minAssurance\":\"firmware\", \"models\":[\"embed\"]"));
        add(
                "a security epoch that the policy calls too low",
                "contraindicated",
                "ATT-REFERENCE",
                of(good).policy("\"minAssurance\":\"firmware\", \"models\":{\"intent\":{\"minEpoch\":9}}"));
        add(
                "a version of the agent that the policy does not allow",
                "contraindicated",
                "ATT-REFERENCE",
                of(good).policy(POLICY + ", \"agentVersions\":[\"9.9.9\"]"));
        add(
                "the agent says less of its sandbox than the policy asks for",
                "warning",
                "ATT-ASSURANCE",
                of(good).policy(POLICY + ", \"facts\":{\"seccomp\":\"filter\"}"));
        add(
                "a model is missing",
                "warning",
                "ATT-SERVING",
                of(good).policy("\"minAssurance\":\"firmware\", \"models\":[\"intent\", \"ner\"]"));
        add(
                "a register does not hold what the policy asks for",
                "contraindicated",
                "ATT-PLATFORM",
                of(good).policy(POLICY + ", \"registers\":{\"14\":[\"" + "ab".repeat(32) + "\"]}"));
        add(
                "a register that the policy asks for is not quoted",
                "contraindicated",
                "ATT-PLATFORM",
                of(good).policy(POLICY + ", \"registers\":{\"7\":[\"" + "ab".repeat(32) + "\"]}"));
        add(
                "the boot log is missing",
                "contraindicated",
                "ATT-PLATFORM",
                of(good).policy(POLICY + ", \"requireBootLog\":true"));
        add(
                "the list of measured files is missing",
                "contraindicated",
                "ATT-PLATFORM",
                of(good).policy(POLICY + ", \"requireImaLog\":true"));
    }

    private void logs(byte[] good) throws Exception {
        add(
                "an event was dropped from the log",
                "contraindicated",
                "ATT-LOG",
                of(on.withLog(good, events -> events.subList(1, events.size()))));
        add(
                "the log was cut off",
                "contraindicated",
                "ATT-LOG",
                of(on.withLog(good, events -> events.subList(0, events.size() - 1))));
        add("an event has another content", "contraindicated", "ATT-LOG", of(on.withLog(good, events -> {
            events.set(events.size() - 1, new Event.Model(Models.V2).content());
            return events;
        })));
        EvidenceClaims bare = on.claims(Models.V1.digest(), false);
        add(
                "the device says that its log is broken",
                "contraindicated",
                "ATT-LOG",
                of(claiming(with(bare, bare.bootCount(), Map.of(), Optional.of("an extend went astray")))));
        add(
                "claims of another release than the log leads to",
                "contraindicated",
                "ATT-LOG",
                of(claiming(on.claims(List.of(new Measured(Models.V2, Serving.CONFIRMED)), false))));
        add("no model answers requests", "none", "", of(attest(List::of)).policy("\"minAssurance\":\"firmware\""));
        add("the process that answers requests did not answer", "warning", "ATT-SERVING", of(attest(() -> {
            throw new IOException("no answer");
        })));
    }

    private void sets() throws Exception {
        on.swap(Models.EMBED);
        add("two models", "affirming", "", of(attest(Models.as(on.log))));
        add(
                "a model that the policy does not list does not answer, and the log names it",
                "warning",
                "ATT-REFERENCE",
                of(attest(() -> List.of(Models.V1))).policy("\"minAssurance\":\"firmware\", \"models\":[\"intent\"]"));
        on.log.graced(Models.V1);
        on.swap(Models.V2);
        ModelEvent graced = Models.V1.as(ModelEvent.Kind.GRACE);
        byte[] grace = attest(() -> List.of(Models.V2, graced, Models.EMBED));
        add("an older release in its grace", "affirming", "", of(grace));
        add(
                "the same where the policy allows none",
                "contraindicated",
                "ATT-REFERENCE",
                of(grace)
                        .policy(
                                "\"minAssurance\":\"firmware\", \"models\":{\"intent\":{\"grace\":false}, \"embed\":{}}"));
        on.log.retired("embed");
        add("one of two models was retired", "affirming", "", of(attest(() -> List.of(Models.V2, graced))));
        on.swap(Models.V1.as(ModelEvent.Kind.ROLLBACK));
        add(
                "back at the release before",
                "affirming",
                "",
                of(attest(() -> List.of(Models.V1.as(ModelEvent.Kind.ROLLBACK), graced))));
        on.swap(Models.again(Models.V1, "1.0.0", 1, 1, "another template", "gate"));
        add(
                "a chat template that nobody signed for this release",
                "contraindicated",
                "ATT-REFERENCE",
                of(attest(Models.as(on.log))));
        on.swap(Models.serve("6.6.6", 3));
        add("a model that nobody published", "contraindicated", "ATT-REFERENCE", of(attest(Models.as(on.log))));
    }

    private EvidenceClaims newer(Map<Cbor, Cbor> unknown) throws Exception {
        EvidenceClaims bare = on.claims(
                on.log.serving().values().stream()
                        .map(event -> new Measured(event, Serving.CONFIRMED))
                        .toList(),
                false);
        return new EvidenceClaims(
                bare.nonce(),
                bare.signerThumbprint(),
                bare.bootCount(),
                bare.agentName(),
                NEWER,
                bare.assurance(),
                bare.register(),
                bare.resettable(),
                bare.models(),
                bare.epochFloors(),
                bare.logBroken(),
                bare.platform(),
                bare.sandbox(),
                unknown);
    }

    /** What this agent logs by itself, under the quote. */
    private byte[] logging(EvidenceClaims claims) throws Exception {
        List<Binary> log = new ArrayList<>(on.log.contents());
        log.addAll(more);
        return on.signed(claims, on.bridge.quoter().orElseThrow().quote(claims.qualifyingData()), log);
    }

    private void extend(Binary content) throws Exception {
        on.bridge.register().orElseThrow().extend(Event.digest(content));
        more.add(content);
    }

    /** An agent that is newer than the verifier, and one that says so. */
    private void newer() throws Exception {
        String allowed = "\"minAssurance\":\"firmware\", \"allowNewer\":true";
        on.log.retired("intent");
        on.swap(Models.V2);
        Map<Cbor, Cbor> promise = Map.of(Cbor.of("hf-promise"), Cbor.of("all is well"));
        add(
                "a claim of an agent that says that it is newer, and the log does not",
                "contraindicated",
                "ATT-EVENT",
                of(logging(newer(promise))).policy(allowed));
        extend(new Event.AgentStart("holdfast", NEWER).content());
        add(
                "a newer agent with nothing new to say",
                "affirming",
                "",
                of(logging(newer(Map.of()))).policy(allowed));
        add(
                "a claim of a newer agent where the policy allows one",
                "warning",
                "ATT-FORMAT",
                of(logging(newer(promise))).policy(allowed));
        add(
                "the same where it does not",
                "contraindicated",
                "ATT-FORMAT",
                of(logging(newer(promise))).policy("\"minAssurance\":\"firmware\""));
        EvidenceClaims same = newer(promise);
        EvidenceClaims older = new EvidenceClaims(
                same.nonce(),
                same.signerThumbprint(),
                same.bootCount(),
                same.agentName(),
                "0.0.9",
                same.assurance(),
                same.register(),
                same.resettable(),
                same.models(),
                same.epochFloors(),
                same.logBroken(),
                same.platform(),
                same.sandbox(),
                promise);
        add(
                "a claim that the profile does not have of an agent that is not newer",
                "contraindicated",
                "ATT-FORMAT",
                of(logging(older)).policy(allowed));
        extend(Binary.copyOf(CborWriter.write(Cbor.dict()
                .put("type", Cbor.of("model-note"))
                .put("model", Cbor.of("intent"))
                .build())));
        add(
                "an event of a newer agent where the policy allows one",
                "warning",
                "ATT-EVENT",
                of(logging(newer(Map.of()))).policy(allowed));
        add(
                "the same event where it does not",
                "contraindicated",
                "ATT-EVENT",
                of(logging(newer(Map.of()))).policy("\"minAssurance\":\"firmware\""));
        extend(Binary.copyOf(CborWriter.write(Cbor.dict()
                .put("type", Cbor.of("agent-start"))
                .put("name", Cbor.of("holdfast"))
                .put("version", Cbor.of(NEWER))
                .put("mood", Cbor.of("good"))
                .build())));
        add(
                "a field of an event of a newer agent where the policy allows one",
                "warning",
                "ATT-EVENT",
                of(logging(newer(Map.of()))).policy(allowed));
    }

    /** The last ones, since the log holds these events from then on. */
    private void strangeEvents() throws Exception {
        List<Binary> strange = new ArrayList<>(more);
        int own = strange.size();
        strange.add(Binary.copyOf(CborWriter.write(
                Cbor.dict().put("type", Cbor.of("harmless-note")).build())));
        on.bridge.register().orElseThrow().extend(Event.digest(strange.get(own)));
        EvidenceClaims claims = on.claims(
                on.log.serving().values().stream()
                        .map(event -> new Measured(event, Serving.CONFIRMED))
                        .toList(),
                false);
        byte[] evidence =
                on.signed(claims, on.bridge.quoter().orElseThrow().quote(claims.qualifyingData()), on.log.contents());
        add(
                "an event of a type that the verifier does not know",
                "contraindicated",
                "ATT-EVENT",
                of(on.withLog(evidence, events -> {
                    events.addAll(strange);
                    return events;
                })));
    }
}
