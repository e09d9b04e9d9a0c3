package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.attestation.verify.ReferenceModels;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborReader;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Code;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Evidence of a device with two models, and what an attacker with root does to the set. */
class ModelSetEvidenceTest extends EvidenceFixture {
    private @Nullable Swtpm swtpm;

    private Swtpm swtpm() {
        return Objects.requireNonNull(swtpm);
    }

    @Override
    TeeBridge openBridge() throws Exception {
        swtpm = Swtpm.start(temp);
        return Tpm2Bridge.open(swtpm().address());
    }

    @Override
    TeeBridge reboot() throws Exception {
        swtpm().powerCut();
        return Tpm2Bridge.open(swtpm().address());
    }

    @Override
    Assurance assurance() {
        return Assurance.EMULATED;
    }

    @BeforeEach
    void serveAnother() throws Exception {
        swap(Models.EMBED);
    }

    @AfterEach
    void stop() {
        if (swtpm != null) {
            swtpm.close();
        }
    }

    private void serving(ModelEvent... models) throws Exception {
        attester = new Attester(bridge, log, Models.around(() -> List.of(models)));
    }

    private Appraisal.Claims claimed() throws Exception {
        Appraisal appraisal = appraise(attester.attest(Models.NONCE));
        assertThat(appraisal.status()).as(appraisal.checks().toString()).isEqualTo(Status.AFFIRMING);
        return appraisal.claims().orElseThrow();
    }

    private static List<String> named(Appraisal.Claims claims) {
        return claims.models().stream()
                .map(model -> model.name() + " " + model.version() + " " + model.state())
                .toList();
    }

    private static List<String> failed(Appraisal appraisal) {
        return appraisal.checks().stream()
                .filter(check -> !check.passed())
                .map(Appraisal.Check::name)
                .toList();
    }

    /** What the log names, all of it confirmed. */
    private List<Measured> logged() {
        List<Measured> models = new ArrayList<>();
        log.serving().values().forEach(event -> models.add(new Measured(event, Serving.CONFIRMED)));
        return models;
    }

    /** Claims of the attacker's own, with a genuine quote over them and the genuine log. */
    private byte[] claiming(List<Measured> models) throws Exception {
        EvidenceClaims claims = claims(models, false);
        return signed(claims, bridge.quoter().orElseThrow().quote(claims.qualifyingData()), log.contents());
    }

    /** The same where the claims cannot be written by our own code: one claim is changed, then all of it quoted and signed. */
    private byte[] claiming(String key, UnaryOperator<Cbor> change) throws Exception {
        Cbor.DictBuilder changed = Cbor.dict();
        claims(logged(), false)
                .entries()
                .build()
                .entries()
                .forEach((name, value) -> changed.put(name, name.equals(Cbor.of(key)) ? change.apply(value) : value));
        Binary qualifying = EvidenceClaims.qualifyingData(Models.NONCE, changed.build());
        TpmEvidence tpm = TpmEvidence.of(
                bridge.quoter().orElseThrow().quote(qualifying), log.contents(), Optional.empty(), Optional.empty());
        return signed(changed.put(EvidenceClaims.SUBMODS, tpm.encode()).build());
    }

    private static Cbor withField(Cbor models, int model, int field, Cbor value) {
        List<Cbor> all = new ArrayList<>(((Cbor.Array) models).items());
        List<Cbor> one = new ArrayList<>(((Cbor.Array) all.get(model)).items());
        one.set(field, value);
        all.set(model, new Cbor.Array(one));
        return new Cbor.Array(all);
    }

    @Test
    void namesEveryModelThatServes() throws Exception {
        Appraisal.Claims claims = claimed();
        assertThat(named(claims)).containsExactly("embed 1.0.0 CONFIRMED", "intent 1.0.0 CONFIRMED");
        assertThat(claims.models().get(0).slot()).isEqualTo(Models.EMBED.slot());
        assertThat(claims.epochFloors()).isEqualTo(Map.of("intent", 1L));
        assertThat(claims.model()).as("there are two").isEmpty();
    }

    @Test
    void aChangeOfOneModelLeavesTheOther() throws Exception {
        swap(Models.V2);
        assertThat(named(claimed())).containsExactly("embed 1.0.0 CONFIRMED", "intent 2.0.0 CONFIRMED");
        swap(Models.EMBED_2);
        swap(Models.V1.as(ModelEvent.Kind.ROLLBACK));
        assertThat(named(claimed())).containsExactly("embed 2.0.0 CONFIRMED", "intent 1.0.0 CONFIRMED");
        log.retired("embed");
        assertThat(named(claimed())).containsExactly("intent 1.0.0 CONFIRMED");
        assertThat(claimed().model().orElseThrow().version()).isEqualTo("1.0.0");
    }

    @Test
    void aSwapUnderWayIsToldOfItsModelAlone() throws Exception {
        serving(Models.V1, Models.EMBED);
        log.beforeServe(Models.V2);
        assertThat(named(claimed())).containsExactly("embed 1.0.0 CONFIRMED", "intent 2.0.0 CHANGING");
    }

    @Test
    void aModelThatDoesNotAnswerIsAbsentAndNotInService() throws Exception {
        serving(Models.V1);
        Appraisal.Claims claims = claimed();
        assertThat(named(claims)).containsExactly("embed 1.0.0 ABSENT", "intent 1.0.0 CONFIRMED");
        assertThat(claims.model().orElseThrow().name()).isEqualTo("intent");
        serving();
        assertThat(appraise(attester.attest(Models.NONCE)).status()).isEqualTo(Status.NONE);
    }

    @Test
    void aProcessThatNamesAModelTwiceHasNotAnswered() throws Exception {
        serving(Models.V1, Models.V2, Models.EMBED);
        Appraisal appraisal = appraise(attester.attest(Models.NONCE));
        assertThat(appraisal.status()).isEqualTo(Status.WARNING);
        assertThat(named(appraisal.claims().orElseThrow()))
                .containsExactly("embed 1.0.0 UNKNOWN", "intent 1.0.0 UNKNOWN");
        assertThat(log.serving()).containsEntry("intent", Models.V1);
    }

    @Test
    void theResultListsAllModelsAndNamesTheOnlyOneAsBefore() throws Exception {
        JsonNode two =
                appraise(attester.attest(Models.NONCE)).toJson(Instant.EPOCH).path("claims");
        assertThat(two.path("models")).hasSize(2);
        assertThat(two.has("model")).isFalse();
        assertThat(two.path("epochFloors").path("intent").asLong()).isEqualTo(1);
        log.retired("embed");
        JsonNode one =
                appraise(attester.attest(Models.NONCE)).toJson(Instant.EPOCH).path("claims");
        assertThat(one.path("model")).isEqualTo(one.path("models").get(0));
        assertThat(one.path("model").path("slot").asText())
                .isEqualTo(Models.V1.slot().hex());
        assertThat(one.path("model").path("state").asText()).isEqualTo("confirmed");
    }

    @Test
    void rejectsClaimsWithoutAModelThatTheLogNames() throws Exception {
        for (int dropped = 0; dropped < 2; dropped++) {
            List<Measured> models = logged();
            models.remove(dropped);
            assertRefused(claiming(models), Code.ATT_LOG);
        }
        assertRefused(claiming(List.of()), Code.ATT_LOG);
    }

    @Test
    void rejectsClaimsOfAModelThatTheLogRetired() throws Exception {
        List<Measured> before = logged();
        log.retired("embed");
        assertRefused(claiming(before), Code.ATT_LOG);
        assertThat(appraise(claiming(logged())).isAffirming()).isTrue();
    }

    @Test
    void rejectsClaimsThatAModelIsRetired() throws Exception {
        assertRefused(
                claiming("hf-models", models -> withField(models, 0, 6, Cbor.of("model-retire"))), Code.ATT_FORMAT);
    }

    /** Root retires a model in the log and lets it serve on: before evidence it is measured again. */
    @Test
    void aModelThatServesOnAfterItWasRetiredIsNamedAgain() throws Exception {
        serving(Models.V1, Models.EMBED);
        log.retired("embed");
        assertThat(named(claimed())).containsExactly("embed 1.0.0 CONFIRMED", "intent 1.0.0 CONFIRMED");
    }

    @Test
    void rejectsARetirementThatWasTakenOutOfTheLogOrPutIn() throws Exception {
        log.retired("embed");
        byte[] retired = attester.attest(Models.NONCE);
        assertRefused(withLog(retired, events -> events.subList(0, events.size() - 1)), Code.ATT_LOG);
        swap(Models.EMBED);
        assertRefused(
                withLog(attester.attest(Models.NONCE), events -> {
                    events.set(events.size() - 1, new Event.Model(Models.EMBED.as(ModelEvent.Kind.RETIRE)).content());
                    return events;
                }),
                Code.ATT_LOG);
    }

    @Test
    void rejectsModelsThatChangedTheirBytes() throws Exception {
        assertRefused(
                claiming(List.of(
                        new Measured(Models.withDigest(Models.EMBED, Models.V1.digest()), Serving.CONFIRMED),
                        new Measured(Models.withDigest(Models.V1, Models.EMBED.digest()), Serving.CONFIRMED))),
                Code.ATT_LOG);
    }

    @Test
    void rejectsStatesThatTheQuoteDoesNotCover() throws Exception {
        serving(Models.V1);
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(attester.attest(Models.NONCE)));
        List<Measured> genuine = message.claims().models();
        List<Measured> swapped = List.of(
                new Measured(genuine.get(0).event(), genuine.get(1).state()),
                new Measured(genuine.get(1).event(), genuine.get(0).state()));
        assertThat(swapped).isNotEqualTo(genuine);
        assertRefused(
                signed(
                        claims(swapped, false),
                        quoteOf(message.tpm()),
                        message.tpm().log()),
                Code.ATT_QUOTE);
    }

    @Test
    void rejectsStatesThatNoDeviceWrites() throws Exception {
        assertRefused(claiming("hf-models", models -> withField(models, 1, 8, Cbor.of("UNKNOWN"))), Code.ATT_FORMAT);
        assertRefused(claiming("hf-models", models -> withField(models, 1, 8, Cbor.of("NONE"))), Code.ATT_FORMAT);
    }

    @Test
    void rejectsAModelThatIsClaimedTwice() throws Exception {
        List<Measured> twice = logged();
        twice.add(0, twice.get(0));
        assertRefused(claiming(twice), Code.ATT_FORMAT);
    }

    @Test
    void rejectsModelsInAnotherOrder() throws Exception {
        List<Measured> turned = logged();
        Collections.reverse(turned);
        assertRefused(claiming(turned), Code.ATT_FORMAT);
    }

    @Test
    void rejectsMoreModelsThanALogNames() throws Exception {
        List<Measured> many = IntStream.range(0, EventLog.MAX_NAMED + 1)
                .mapToObj(i -> new Measured(Models.serve("model-" + (100 + i), "1.0.0", 1), Serving.CONFIRMED))
                .toList();
        assertRefused(claiming(many), Code.ATT_FORMAT);
    }

    @Test
    void rejectsTheSlotOfAnotherRelease() throws Exception {
        assertRefused(
                claiming(
                        "hf-models",
                        models -> withField(
                                models, 1, 0, Cbor.of(Models.V2.slot().value().value()))),
                Code.ATT_FORMAT);
    }

    @Test
    void rejectsAnEventWithTheSlotOfAnotherRelease() throws Exception {
        Cbor.Dict good = (Cbor.Dict) Models.accepted(
                CborReader.read(new Event.Model(Models.V2).content().toArray(), Event.MAX_BYTES));
        Cbor.DictBuilder changed = Cbor.dict();
        good.entries()
                .forEach((key, value) -> changed.put(
                        key,
                        key.equals(Cbor.of("slot"))
                                ? Cbor.of(Models.V1.slot().value().value())
                                : value));
        Binary event = Binary.copyOf(CborWriter.write(changed.build()));
        assertThat(Event.parse(event).isAccepted()).isFalse();
        bridge.register().orElseThrow().extend(Event.digest(event));
        assertRefused(
                withLog(attester.attest(Models.NONCE), events -> {
                    events.add(event);
                    return events;
                }),
                Code.ATT_EVENT);
    }

    @Test
    void rejectsFloorsThatTheQuoteDoesNotCoverOrThatBelongToNoModel() throws Exception {
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(attester.attest(Models.NONCE)));
        assertThat(message.claims().epochFloors()).isNotEmpty();
        EvidenceClaims lower = claims(message.claims().models(), false);
        assertRefused(signed(lower, quoteOf(message.tpm()), message.tpm().log()), Code.ATT_QUOTE);
        assertRefused(
                claiming(
                        "hf-epoch-floors",
                        floors -> Cbor.dict().put("retired", Cbor.of(7)).build()),
                Code.ATT_FORMAT);
        assertRefused(
                claiming(
                        "hf-epoch-floors",
                        floors -> Cbor.dict().put("intent", Cbor.of(-1)).build()),
                Code.ATT_FORMAT);
    }

    @Test
    void anUnlistedModelThatServesFails() throws Exception {
        Appraisal appraisal = appraise(attester.attest(Models.NONCE), policy("\"models\":[\"intent\"]"));
        assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(failed(appraisal)).containsExactly("allowed-model");
        assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_REFERENCE);
    }

    /** It says of itself that it does not answer, and the log still names it. */
    @Test
    void anUnlistedModelThatDoesNotAnswerIsTold() throws Exception {
        serving(Models.V1);
        Appraisal appraisal = appraise(attester.attest(Models.NONCE), policy("\"models\":[\"intent\"]"));
        assertThat(appraisal.status()).isEqualTo(Status.WARNING);
        assertThat(failed(appraisal)).containsExactly("unlisted-model");
        assertThat(executables(appraisal)).isEqualTo(33);
    }

    private static int executables(Appraisal appraisal) {
        return appraisal
                .toJson(Instant.EPOCH)
                .path("submods")
                .path("holdfast")
                .path("ear.trustworthiness-vector")
                .path("executables")
                .asInt();
    }

    @Test
    void aListedModelThatIsMissingIsToldUnlessItIsOptional() throws Exception {
        byte[] both = attester.attest(Models.NONCE);
        AppraisalPolicy asked = policy("\"models\":[\"intent\",\"embed\"]");
        AppraisalPolicy lenient = policy("\"models\":{\"intent\":{},\"embed\":{\"optional\":true}}");
        assertThat(appraise(both, asked).isAffirming()).isTrue();
        assertThat(appraise(both, lenient).isAffirming()).isTrue();
        serving(Models.V1);
        byte[] absent = attester.attest(Models.NONCE);
        log.retired("embed");
        byte[] gone = attester.attest(Models.NONCE);
        for (byte[] evidence : List.of(absent, gone)) {
            Appraisal appraisal = appraise(evidence, asked);
            assertThat(appraisal.status()).isEqualTo(Status.WARNING);
            assertThat(failed(appraisal)).containsExactly("missing-model");
            assertThat(appraise(evidence, lenient).isAffirming()).isTrue();
        }
    }

    @Test
    void eachModelHasAnEpochOfItsOwn() throws Exception {
        swap(Models.V2);
        byte[] evidence = attester.attest(Models.NONCE);
        assertThat(appraise(evidence, policy("\"minEpoch\":1")).isAffirming()).isTrue();
        Appraisal all = appraise(evidence, policy("\"minEpoch\":2"));
        assertThat(failed(all)).as("embed is at 1").containsExactly("epoch");
        assertThat(appraise(evidence, policy("\"minEpoch\":2, \"models\":{\"intent\":{},\"embed\":{\"minEpoch\":1}}"))
                        .isAffirming())
                .isTrue();
        assertThat(failed(appraise(evidence, policy("\"models\":{\"intent\":{\"minEpoch\":3},\"embed\":{}}"))))
                .containsExactly("epoch");
    }

    @Test
    void oneModelThatNobodyPublishedFailsTheWhole() throws Exception {
        swap(Models.serve("embed", "6.6.6", 1));
        Appraisal appraisal = appraise(attester.attest(Models.NONCE));
        assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(failed(appraisal)).containsExactly("reference");
        assertThat(appraisal.firstFailure().orElseThrow().detail()).contains("embed 6.6.6");
    }

    /** The same bytes are published again, with a mended template, another gate and a raised epoch. */
    @Test
    void bothReleasesOfTheSameBytesAreGood() throws Exception {
        for (ModelEvent mended : List.of(
                Models.again(Models.V1, "1.0.1", 2, 1, "mended template", "gate"),
                Models.again(Models.V1, "1.0.2", 3, 1, "template", "stricter gate"),
                Models.again(Models.V1, "1.0.3", 4, 2, "template", "gate"))) {
            assertThat(mended.slot()).isNotEqualTo(Models.V1.slot());
            ReferenceModels both = Models.published(Models.V1, mended, Models.EMBED);
            swap(Models.V1);
            byte[] older = attester.attest(Models.NONCE);
            swap(mended);
            byte[] newer = attester.attest(Models.NONCE);
            assertThat(withReferences(older, both).isAffirming()).isTrue();
            assertThat(withReferences(newer, both).isAffirming()).isTrue();
            assertThat(withReferences(newer, both)
                            .claims()
                            .orElseThrow()
                            .models()
                            .get(1)
                            .slot())
                    .isEqualTo(mended.slot());
            assertThat(failed(withReferences(newer, Models.published(Models.V1, Models.EMBED))))
                    .containsExactly("reference");
        }
    }

    /** The newer release's template under the older release's name is neither. */
    @Test
    void rejectsTheTemplateOfOneReleaseUnderTheTargetOfAnother() throws Exception {
        ModelEvent mended = Models.again(Models.V1, "1.0.1", 2, 1, "mended template", "gate");
        ModelEvent mixed = Models.again(Models.V1, "1.0.0", 1, 1, "mended template", "gate");
        swap(mixed);
        Appraisal appraisal =
                withReferences(attester.attest(Models.NONCE), Models.published(Models.V1, mended, Models.EMBED));
        assertThat(failed(appraisal)).containsExactly("reference");
    }
}
