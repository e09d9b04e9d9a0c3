package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.DeviceMemory;
import dev.holdfast.attestation.verify.DeviceTime;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.P256;
import dev.holdfast.tee.Quoter;
import dev.holdfast.tee.tpm.ByteChanges;
import dev.holdfast.tee.tpm.TpmRegister;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import java.security.interfaces.ECPublicKey;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Evidence and the attacks on it, over any bridge. The attacker has root: the device signs whatever they like. */
abstract class EvidenceContract extends EvidenceFixture {
    @Test
    void someChangedPayloadsAreAllRefused() throws Exception {
        refusesChangedPayloads(300, 11);
    }

    @Tag("soak")
    @Test
    void manyChangedPayloadsAreAllRefused() throws Exception {
        refusesChangedPayloads(20_000, 12);
    }

    /** Changed below the device's own signature, so that the changes reach quote, registers, the index's certificate and log. */
    private void refusesChangedPayloads(int count, long seed) throws Exception {
        byte[] good = attester.attest(Models.NONCE);
        assertThat(appraise(good).isAffirming()).isTrue();
        Binary payload = Models.accepted(EvidenceVerifier.open(good)).envelope().payload();
        Binary header = Cose.protectedHeader(P256.thumbprint(device.signer()));
        Random random = new Random(seed);
        for (int i = 0; i < count; i++) {
            Binary bad = Binary.copyOf(ByteChanges.change(payload.toArray(), random));
            byte[] signature = bridge.signer().orElseThrow().sign(Cose.toBeSigned(header, bad));
            assertThat(appraise(Cose.encode(header, bad, signature)).status())
                    .as("change %d of seed %d", i, seed)
                    .isEqualTo(Status.CONTRAINDICATED);
        }
    }

    @Test
    void affirmsAPublishedModel() throws Exception {
        Appraisal appraisal = appraise(attester.attest(Models.NONCE));
        assertThat(appraisal.status())
                .as(appraisal.toJson(Instant.EPOCH).toString())
                .isEqualTo(Status.AFFIRMING);
        Appraisal.Claims claims = appraisal.claims().orElseThrow();
        assertThat(claims.models())
                .containsExactly(new Appraisal.Model(
                        "intent",
                        "1.0.0",
                        Models.V1.digest(),
                        Models.V1.slot(),
                        Models.V1.target(),
                        1,
                        1,
                        Models.V1.template(),
                        Models.V1.gate(),
                        Models.V1.tokenizer(),
                        EvidenceClaims.Serving.CONFIRMED,
                        false));
        assertThat(claims.model()).contains(claims.models().get(0));
        assertThat(claims.epochFloors()).as("of the models that the log names").isEqualTo(Map.of("intent", 1L));
        assertThat(claims.assurance()).isEqualTo(assurance());
        assertThat(claims.events()).isEqualTo(2);
    }

    @Test
    void followsSwapsAndRollbacks() throws Exception {
        swap(Models.V2);
        assertThat(appraise(attester.attest(Models.NONCE))
                        .claims()
                        .orElseThrow()
                        .model()
                        .orElseThrow()
                        .version())
                .isEqualTo("2.0.0");
        swap(Models.V1.as(ModelEvent.Kind.ROLLBACK));
        Appraisal appraisal = appraise(attester.attest(Models.NONCE));
        assertThat(appraisal.isAffirming()).isTrue();
        assertThat(appraisal.claims().orElseThrow().model().orElseThrow().version())
                .isEqualTo("1.0.0");
    }

    @Test
    void evidenceDuringSwapsIsAlwaysOfOneMoment() throws Exception {
        AtomicBoolean done = new AtomicBoolean();
        AtomicInteger swaps = new AtomicInteger();
        Thread swapper = Thread.ofPlatform().start(() -> {
            try {
                while (!done.get() && swaps.get() < 2000) {
                    swap(swaps.getAndIncrement() % 2 == 0 ? Models.V2 : Models.V1);
                    LockSupport.parkNanos(3_000_000); // a device swaps seldom; this is a storm already
                }
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
        int affirmed = 0;
        for (int i = 0; i < 60; i++) {
            Appraisal appraisal = appraise(attester.attest(Models.NONCE));
            affirmed += appraisal.isAffirming() ? 1 : 0;
            appraisal.firstFailure().ifPresent(check -> assertThat(check.name()).isIn("model", "log"));
        }
        done.set(true);
        swapper.join();
        System.out.println(affirmed + " of 60 evidences affirmed during " + swaps + " swaps");
        assertThat(affirmed).isGreaterThan(30);
        assertThat(appraise(attester.attest(Models.NONCE)).isAffirming()).isTrue();
    }

    @Test
    void acceptsALogThatGrewAfterTheQuote() throws Exception {
        byte[] evidence = withLog(attester.attest(Models.NONCE), events -> {
            events.add(new Event.Model(Models.V2).content());
            return events;
        });
        assertThat(appraise(evidence).isAffirming()).isTrue();
        assertThat(appraise(evidence).claims().orElseThrow().events()).isEqualTo(2);
    }

    @Test
    void saysNoneWhereNoModelServes() throws Exception {
        log.close();
        bridge.close();
        bridge = reboot();
        log = EventLog.open(temp.resolve("log"), bridge.register().orElseThrow());
        log.agentStarted("holdfast", "0.1.0");
        attester = new Attester(bridge, log, Models.around(Models.as(log)));
        Appraisal appraisal = appraise(attester.attest(Models.NONCE));
        assertThat(appraisal.status())
                .as(appraisal.toJson(Instant.EPOCH).toString())
                .isEqualTo(Status.NONE);
        assertThat(appraisal.claims().orElseThrow().bootCount())
                .isGreaterThan(device.memory().newest().resetCount());
    }

    @Test
    void rejectsAnotherNonce() throws Exception {
        assertRefused(attester.attest(Models.hash("another").value()), Code.ATT_NONCE);
        assertThatThrownBy(() -> attester.attest(Binary.copyOf(new byte[7])))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void rejectsAReplayUnderAFreshNonceEvenWhenSignedAnew() throws Exception {
        EvidenceVerifier.Message old = Models.accepted(
                EvidenceVerifier.open(attester.attest(Models.hash("old").value())));
        TpmEvidence tpm = old.tpm();
        byte[] forged = signed(claims(Models.V1.digest(), false), quoteOf(tpm), tpm.log());
        assertRefused(forged, Code.ATT_QUOTE);
    }

    @Test
    void rejectsADroppedEvent() throws Exception {
        swap(Models.V2);
        assertRefused(withLog(attester.attest(Models.NONCE), e -> e.subList(1, e.size())), Code.ATT_LOG);
    }

    @Test
    void rejectsATruncatedLog() throws Exception {
        swap(Models.V2);
        assertRefused(withLog(attester.attest(Models.NONCE), e -> e.subList(0, e.size() - 1)), Code.ATT_LOG);
        assertRefused(withLog(attester.attest(Models.NONCE), e -> List.of()), Code.ATT_LOG);
    }

    @Test
    void rejectsAReorderedLog() throws Exception {
        swap(Models.V2);
        assertRefused(
                withLog(attester.attest(Models.NONCE), e -> {
                    Collections.swap(e, 1, 2);
                    return e;
                }),
                Code.ATT_LOG);
    }

    @Test
    void rejectsARelabelledEvent() throws Exception {
        assertRefused(
                withLog(attester.attest(Models.NONCE), e -> {
                    e.set(1, new Event.Model(Models.V1.as(ModelEvent.Kind.ROLLBACK)).content());
                    return e;
                }),
                Code.ATT_LOG);
    }

    @Test
    void rejectsAnEditedEvent() throws Exception {
        assertRefused(
                withLog(attester.attest(Models.NONCE), e -> {
                    e.set(1, new Event.Model(Models.V2).content());
                    return e;
                }),
                Code.ATT_LOG);
    }

    @Test
    void rejectsAModelThatTheLogDoesNotName() throws Exception {
        EvidenceClaims claims = claims(Models.V2.digest(), false);
        Quoter.Quote quote = bridge.quoter().orElseThrow().quote(claims.qualifyingData());
        assertRefused(signed(claims, quote, log.contents()), Code.ATT_LOG);
    }

    @Test
    void rejectsClaimsThatTheQuoteDoesNotCover() throws Exception {
        Quoter.Quote quote = bridge.quoter()
                .orElseThrow()
                .quote(claims(Models.V2.digest(), false).qualifyingData());
        assertRefused(signed(claims(Models.V1.digest(), false), quote, log.contents()), Code.ATT_QUOTE);
    }

    @Test
    void rejectsARegisterValueThatTheQuoteDoesNotHash() throws Exception {
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(attester.attest(Models.NONCE)));
        TpmEvidence tpm = message.tpm();
        SortedMap<Integer, Binary> wish = new TreeMap<>(tpm.registers());
        wish.replaceAll((pcr, value) -> Models.hash("wish").value());
        byte[] forged =
                signed(message.claims(), new Quoter.Quote(tpm.attest(), tpm.signature(), wish, tpm.nv()), tpm.log());
        assertRefused(forged, Code.ATT_QUOTE);
    }

    @Test
    void rejectsAnUnknownEventType() throws Exception {
        Binary strange = Binary.copyOf(CborWriter.write(
                Cbor.dict().put("type", Cbor.of("harmless-note")).build()));
        bridge.register().orElseThrow().extend(Event.digest(strange));
        byte[] evidence = attester.attest(Models.NONCE);
        assertRefused(
                withLog(evidence, e -> {
                    e.add(strange);
                    return e;
                }),
                Code.ATT_EVENT);
    }

    @Test
    void rejectsAModelThatNobodyPublished() throws Exception {
        swap(Models.serve("6.6.6", 3));
        assertRefused(attester.attest(Models.NONCE), Code.ATT_REFERENCE);
    }

    /** The file was replaced behind the store's back: what the engine mapped is what gets measured, and it has no name. */
    @Test
    void rejectsAModelThatWasSwappedOnTheDisk() throws Exception {
        ModelEvent swapped = Models.withDigest(Models.V1, Models.hash("other bytes"));
        attester = new Attester(bridge, log, Models.around(() -> List.of(swapped)));
        assertRefused(attester.attest(Models.NONCE), Code.ATT_REFERENCE);
        assertThat(log.serving()).containsEntry("intent", swapped);
    }

    @Test
    void namesWhatServesEvenWhenItSwappedUnmeasured() throws Exception {
        attester = new Attester(bridge, log, Models.around(() -> List.of(Models.V2)));
        Appraisal.Claims claims =
                appraise(attester.attest(Models.NONCE)).claims().orElseThrow();
        assertThat(claims.model().orElseThrow().version()).isEqualTo("2.0.0");
    }

    @Test
    void anAnswerFromBeforeASwapIsNotMeasuredAfterIt() throws Exception {
        attester = new Attester(bridge, log, Models.around(() -> {
            try {
                swap(Models.V2);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
            return List.of(Models.V1);
        }));
        Appraisal.Claims claims =
                appraise(attester.attest(Models.NONCE)).claims().orElseThrow();
        assertThat(claims.model().orElseThrow().version()).isEqualTo("2.0.0");
    }

    @Test
    void aSwapUnderWayIsLeftAlone() throws Exception {
        attester = new Attester(bridge, log, Models.around(() -> List.of(Models.V1)));
        log.beforeServe(Models.V2);
        assertThat(appraise(attester.attest(Models.NONCE)).isAffirming()).isTrue();
        assertThat(log.serving()).containsEntry("intent", Models.V2);
    }

    @Test
    void warnsWhereTheProcessThatServesDoesNotAnswer() throws Exception {
        attester = new Attester(bridge, log, Models.around(() -> {
            throw new java.io.IOException("no answer");
        }));
        Appraisal appraisal = appraise(attester.attest(Models.NONCE));
        assertThat(appraisal.status()).isEqualTo(Status.WARNING);
        assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_SERVING);
        attester = new Attester(bridge, log, Models.around(List::of));
        assertThat(appraise(attester.attest(Models.NONCE)).status()).isEqualTo(Status.NONE);
    }

    @Test
    void rejectsARegisterThatThePolicyDoesNotAskFor() throws Exception {
        byte[] evidence = attester.attest(Models.NONCE);
        AppraisalPolicy other = policy("\"minEpoch\":0").withRegister(new TpmRegister.Pcr(13));
        assertThat(appraise(evidence, other).firstFailure().orElseThrow().code())
                .contains(Code.ATT_QUOTE);
    }

    @Test
    void rejectsWhatThePolicyDoesNotAllow() throws Exception {
        byte[] evidence = attester.attest(Models.NONCE);
        assertThat(appraise(evidence, policy("\"models\":[\"intent\"], \"minEpoch\":1, \"agentVersions\":[\"0.1.0\"]"))
                        .isAffirming())
                .isTrue();
        assertFailure(evidence, policy("\"models\":[\"other\"]"), Code.ATT_REFERENCE);
        assertFailure(evidence, policy("\"minEpoch\":2"), Code.ATT_REFERENCE);
        assertFailure(evidence, policy("\"agentVersions\":[\"9.9.9\"]"), Code.ATT_REFERENCE);
        assertFailure(evidence, policy("\"requireBootLog\":true"), Code.ATT_PLATFORM);
        assertFailure(evidence, policy("\"requireImaLog\":true"), Code.ATT_PLATFORM);
        assertFailure(
                evidence,
                policy("\"registers\":{\"7\":[\"" + Models.hash("secure boot").hex() + "\"]}"),
                Code.ATT_PLATFORM);
    }

    @Test
    void rejectsEvidenceThatIsStaleOrOfUnknownAge() throws Exception {
        byte[] evidence = attester.attest(Models.NONCE);
        AppraisalPolicy policy = policy("\"freshnessSeconds\":30");
        assertThat(appraise(evidence, policy).isAffirming()).isTrue();
        for (Optional<Duration> age : List.of(
                Optional.<Duration>empty(), Optional.of(Duration.ofSeconds(31)), Optional.of(Duration.ofSeconds(-1)))) {
            Appraisal appraisal = EvidenceVerifier.verify(
                    evidence, new EvidenceVerifier.Question(Models.NONCE, age), device, Models.PUBLISHED, policy);
            assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_FRESHNESS);
        }
    }

    @Test
    void rejectsWhatDiffersFromTheSignedMetadata() throws Exception {
        byte[] evidence = attester.attest(Models.NONCE);
        ModelEvent v1 = Models.V1;
        assertThat(withReferences(evidence, Models.published(v1)).isAffirming()).isTrue();
        ReferenceModels.Key key = new ReferenceModels.Key(v1.target(), v1.digest());
        List<ReferenceModels> others = new ArrayList<>(List.of(
                ReferenceModels.of(Map.of()),
                ReferenceModels.of(Map.of(new ReferenceModels.Key("models/x", v1.digest()), Models.reference(v1))),
                ReferenceModels.of(
                        Map.of(new ReferenceModels.Key(v1.target(), Models.hash("x")), Models.reference(v1)))));
        for (ModelEvent other : List.of(
                Models.again(v1, "1.0.1", v1.release(), v1.epoch(), "template", "gate"),
                Models.again(v1, v1.version(), 9, v1.epoch(), "template", "gate"),
                Models.again(v1, v1.version(), v1.release(), 9, "template", "gate"),
                Models.again(v1, v1.version(), v1.release(), v1.epoch(), "x", "gate"),
                Models.again(v1, v1.version(), v1.release(), v1.epoch(), "template", "x"))) {
            others.add(ReferenceModels.of(Map.of(key, Models.reference(other))));
        }
        ReferenceModels.Reference named = new ReferenceModels.Reference("intent", "1.0.0");
        assertThat(withReferences(evidence, ReferenceModels.of(Map.of(key, named)))
                        .isAffirming())
                .isTrue();
        others.add(ReferenceModels.of(Map.of(
                key,
                new ReferenceModels.Reference(
                        "intent",
                        "1.0.0",
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        Set.of(Models.hash("x").value())))));
        for (ReferenceModels other : others) {
            Appraisal appraisal = withReferences(evidence, other);
            assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
            assertThat(appraisal.firstFailure().orElseThrow().name()).isEqualTo("reference");
        }
    }

    @Test
    void aReleaseThatItsPublisherWithdrewIsContraindicatedUnderACodeOfItsOwn() throws Exception {
        Appraisal appraisal = withReferences(attester.attest(Models.NONCE), Models.withdrawn(Models.V1));
        assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(appraisal.firstFailure().orElseThrow().name()).isEqualTo("withdrawn");
        assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_WITHDRAWN);
    }

    private void assertFailure(byte[] evidence, AppraisalPolicy policy, Code code) {
        Appraisal appraisal = appraise(evidence, policy);
        assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(appraisal.firstFailure().orElseThrow().code()).contains(code);
    }

    @Test
    void aResultHasTheShapeOfAnEar() throws Exception {
        var good = appraise(attester.attest(Models.NONCE)).toJson(Instant.ofEpochSecond(1_700_000_000));
        var submodule = good.path("submods").path("holdfast");
        assertThat(submodule.path("ear.status").asText()).isEqualTo("affirming");
        assertThat(submodule
                        .path("ear.trustworthiness-vector")
                        .path("executables")
                        .asInt())
                .isEqualTo(-2);
        assertThat(submodule
                        .path("ear.trustworthiness-vector")
                        .path("file-system")
                        .asInt())
                .isZero();
        assertThat(good.path("iat").asLong()).isEqualTo(1_700_000_000);
        swap(Models.serve("6.6.6", 3));
        var bad = appraise(attester.attest(Models.NONCE)).toJson(Instant.EPOCH);
        submodule = bad.path("submods").path("holdfast");
        assertThat(submodule.path("ear.status").asText()).isEqualTo("contraindicated");
        assertThat(submodule
                        .path("ear.trustworthiness-vector")
                        .path("executables")
                        .asInt())
                .isEqualTo(96);
        assertThat(submodule
                        .path("ear.trustworthiness-vector")
                        .path("instance-identity")
                        .asInt())
                .isEqualTo(assurance().compareTo(Assurance.FIRMWARE) >= 0 ? 2 : 0);
    }

    /** Whoever reads why evidence is refused must not read the sentence that is said when it holds. */
    @Test
    void aFailureSaysWhatWasExpectedAndWhatCameInstead() throws Exception {
        byte[] evidence = attester.attest(Models.NONCE);
        Binary other = Binary.copyOf(new byte[32]);
        Appraisal replayed = EvidenceVerifier.verify(
                evidence,
                new EvidenceVerifier.Question(other, Optional.empty()),
                device,
                Models.PUBLISHED,
                AppraisalPolicy.atLeast(assurance()).withRegister(measured()));
        Appraisal.Check nonce = replayed.firstFailure().orElseThrow();
        assertThat(nonce.code()).contains(Code.ATT_NONCE);
        assertThat(nonce.detail()).isEqualTo("expected " + other.hex() + ", got " + Models.NONCE.hex());

        swap(Models.serve("6.6.6", 3));
        Map<String, String> good = new HashMap<>();
        appraise(evidence).checks().stream()
                .filter(Appraisal.Check::passed)
                .forEach(check -> good.put(check.name(), check.detail()));
        List<Appraisal> failing = List.of(
                replayed,
                appraise(attester.attest(Models.NONCE)),
                appraise(withLog(evidence, log -> log.subList(0, log.size() - 1))),
                appraise(
                        evidence,
                        policy(
                                "\"models\":[\"embed\"], \"minEpoch\":99, \"agentVersions\":[\"9\"], \"freshnessSeconds\":1,"
                                        + " \"facts\":{\"seccomp\":\"on\"}, \"requireBootLog\":true, \"requireImaLog\":true,"
                                        + " \"registers\":{\"14\":[\"" + "00".repeat(32) + "\"]}")));
        for (Appraisal appraisal : failing) {
            assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
            for (Appraisal.Check check : appraisal.checks()) {
                if (!check.passed()) {
                    assertThat(check.detail()).as(check.name()).isNotEqualTo(good.get(check.name()));
                }
            }
        }
    }

    @Test
    void rejectsAPublishedDigestUnderAnotherVersion() throws Exception {
        ModelEvent v1 = Models.V1;
        swap(Models.withDigest(Models.V2, v1.digest()));
        assertRefused(attester.attest(Models.NONCE), Code.ATT_REFERENCE);
    }

    @Test
    void rejectsALogThatTheDeviceKnowsToBeBroken() throws Exception {
        bridge.register().orElseThrow().extend(Models.hash("another program"));
        swap(Models.V2);
        assertThat(log.broken()).isPresent();
        assertRefused(attester.attest(Models.NONCE), Code.ATT_LOG);
    }

    @Test
    void rejectsEvidenceOfAnotherDevice() throws Exception {
        ECPublicKey other = (ECPublicKey) P256.generate().getPublic();
        byte[] evidence = attester.attest(Models.NONCE);
        EnrolledDevice mine = device;
        device = EnrolledDevice.fresh("d", other, mine.attestationKey(), mine.endorsement(), mine.assurance());
        assertRefused(evidence, Code.ATT_SIGNATURE);
        device = EnrolledDevice.fresh("d", mine.signer(), other, mine.endorsement(), mine.assurance());
        assertRefused(evidence, Code.ATT_QUOTE);
    }

    @Test
    void rejectsWeakerAssuranceWhateverTheEvidenceClaims() throws Exception {
        EvidenceClaims claims = claims(Models.V1.digest(), false); // claims HARDWARE
        Quoter.Quote quote = bridge.quoter().orElseThrow().quote(claims.qualifyingData());
        byte[] evidence = signed(claims, quote, log.contents());
        Appraisal appraisal = EvidenceVerifier.verify(
                evidence,
                Models.question(),
                device,
                Models.PUBLISHED,
                AppraisalPolicy.atLeast(Assurance.HARDWARE).withRegister(measured()));
        assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_ASSURANCE);
    }

    @Test
    void rejectsAClockThatGoesBackwards() throws Exception {
        byte[] evidence = attester.attest(Models.NONCE);
        DeviceMemory seen = appraise(evidence).remember(device, Instant.EPOCH).memory();
        assertThat(seen.newest()).isGreaterThanOrEqualTo(DeviceTime.START);
        DeviceTime made = seen.newest();
        for (DeviceTime later : List.of(
                new DeviceTime(made.resetCount(), made.clockMillis() + 60_000),
                new DeviceTime(made.resetCount() + 1, 0))) {
            device = device.with(new DeviceMemory(later, seen.seenAt(), seen.floors()));
            assertRefused(evidence, Code.ATT_CLOCK);
        }
    }

    @Test
    void warnsWhereASandboxFactIsMissing() throws Exception {
        byte[] evidence = attester.attest(Models.NONCE);
        AppraisalPolicy strict =
                AppraisalPolicy.of(assurance(), false, Map.of("landlock", "on")).withRegister(measured());
        assertThat(EvidenceVerifier.verify(evidence, Models.question(), device, Models.PUBLISHED, strict)
                        .status())
                .isEqualTo(Status.WARNING);
        AppraisalPolicy met =
                AppraisalPolicy.of(assurance(), false, Map.of("seccomp", "on")).withRegister(measured());
        assertThat(EvidenceVerifier.verify(evidence, Models.question(), device, Models.PUBLISHED, met)
                        .status())
                .isEqualTo(Status.AFFIRMING);
    }

    @Test
    void rejectsUntaggedTrailingAndForeignCbor() throws Exception {
        byte[] good = attester.attest(Models.NONCE);
        assertRefused(Arrays.copyOfRange(good, 1, good.length), Code.ATT_FORMAT);
        assertRefused(Arrays.copyOf(good, good.length + 1), Code.ATT_FORMAT);
        assertRefused(new byte[0], Code.ATT_FORMAT);
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(good));
        Cbor.Dict payload = (Cbor.Dict)
                Models.accepted(CborReader.read(message.envelope().payload().toArray(), Attester.MAX_EVIDENCE_BYTES));
        Cbor.DictBuilder more = Cbor.dict();
        payload.entries().forEach(more::put);
        assertRefused(signed(more.put("hf-extra", Cbor.of(1)).build()), Code.ATT_FORMAT);
    }
}
