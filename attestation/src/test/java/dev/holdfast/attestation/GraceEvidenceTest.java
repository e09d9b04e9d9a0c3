package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Code;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Evidence of a device on which an older release answers to its pinned name, and what an attacker with root says of it. */
class GraceEvidenceTest extends EvidenceFixture {
    private static final ModelEvent V1_GRACE = Models.V1.as(ModelEvent.Kind.GRACE);

    @Override
    TeeBridge openBridge() throws Exception {
        return SoftwareBridge.open(temp.resolve("tee"));
    }

    @Override
    TeeBridge reboot() throws Exception {
        return SoftwareBridge.open(temp.resolve("tee"), "the next boot");
    }

    @Override
    Assurance assurance() {
        return Assurance.SOFTWARE;
    }

    @BeforeEach
    void anOlderReleaseStays() throws Exception {
        log.graced(Models.V1);
        swap(Models.V2);
        serving(Models.V2, V1_GRACE);
    }

    private void serving(ModelEvent... models) throws Exception {
        attester = new Attester(bridge, log, Models.around(() -> List.of(models)));
    }

    private byte[] evidence() throws Exception {
        return attester.attest(Models.NONCE);
    }

    private static List<String> named(Appraisal appraisal) {
        return appraisal.claims().orElseThrow().models().stream()
                .map(model -> model.version() + (model.grace() ? " in its grace " : " ") + model.state())
                .toList();
    }

    private byte[] claiming(List<Measured> models, Map<String, Long> floors) throws Exception {
        EvidenceClaims bare = claims(models, false);
        EvidenceClaims claims = new EvidenceClaims(
                bare.nonce(),
                bare.signerThumbprint(),
                bare.bootCount(),
                bare.agentName(),
                bare.agentVersion(),
                bare.assurance(),
                bare.register(),
                bare.resettable(),
                models,
                new TreeMap<>(floors),
                Optional.empty(),
                Map.of(),
                Map.of());
        return signed(claims, bridge.quoter().orElseThrow().quote(claims.qualifyingData()), log.contents());
    }

    private List<Measured> logged(Serving older) {
        return new ArrayList<>(List.of(new Measured(Models.V2, Serving.CONFIRMED), new Measured(V1_GRACE, older)));
    }

    @Test
    void namesTheOlderReleaseBesideTheOneInService() throws Exception {
        Appraisal appraisal = appraise(evidence());
        assertThat(appraisal.status()).as(appraisal.checks().toString()).isEqualTo(Status.AFFIRMING);
        assertThat(named(appraisal)).containsExactly("2.0.0 CONFIRMED", "1.0.0 in its grace CONFIRMED");
        assertThat(appraisal.claims().orElseThrow().model().orElseThrow().version())
                .as("the one in service")
                .isEqualTo("2.0.0");
        JsonNode models = appraisal.toJson(Instant.EPOCH).at("/claims/models");
        assertThat(models.path(0).has("grace")).isFalse();
        assertThat(models.path(1).path("grace").asBoolean()).isTrue();
    }

    @Test
    void oneThatIsNotLoadedIsAbsent() throws Exception {
        serving(Models.V2);
        Appraisal appraisal = appraise(evidence());
        assertThat(appraisal.status()).isEqualTo(Status.AFFIRMING);
        assertThat(named(appraisal)).containsExactly("2.0.0 CONFIRMED", "1.0.0 in its grace ABSENT");
    }

    @Test
    void itsEndIsTold() throws Exception {
        log.graceEnded(Models.V1.slot());
        serving(Models.V2);
        assertThat(named(appraise(evidence()))).containsExactly("2.0.0 CONFIRMED");
    }

    @Test
    void aReleaseThatWasNotPublishedIsRefusedInItsGraceToo() throws Exception {
        Appraisal appraisal = withReferences(evidence(), Models.published(Models.V2));
        assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(appraisal.firstFailure().orElseThrow().name()).isEqualTo("reference");
    }

    @Test
    void aPolicyJudgesItLikeTheOneInServiceAndMayWantNone() throws Exception {
        byte[] evidence = evidence();
        assertThat(appraise(evidence, policy("\"models\":[\"intent\"]")).isAffirming())
                .isTrue();
        assertThat(appraise(evidence, policy("\"models\":{\"intent\":{\"grace\":true}}"))
                        .isAffirming())
                .isTrue();
        Appraisal none = appraise(evidence, policy("\"models\":{\"intent\":{\"grace\":false}}"));
        assertThat(none.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(none.firstFailure().orElseThrow().name()).isEqualTo("grace");
        Appraisal epoch = appraise(evidence, policy("\"minEpoch\":2"));
        assertThat(epoch.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(epoch.firstFailure().orElseThrow().detail()).contains("epoch 1");
        serving(Models.V2);
        assertThat(appraise(evidence(), policy("\"models\":{\"intent\":{\"grace\":false}}"))
                        .isAffirming())
                .as("one that does not answer")
                .isTrue();
    }

    @Test
    void aModelIsNotMissingWhereOnlyAnOlderReleaseOfItAnswers() throws Exception {
        log.retired("intent");
        log.graced(Models.V1);
        serving(V1_GRACE);
        Appraisal appraisal = appraise(evidence(), policy("\"models\":[\"intent\"]"));
        assertThat(appraisal.checks())
                .filteredOn(check -> !check.passed())
                .extracting(Appraisal.Check::name)
                .containsExactly("missing-model");
    }

    @Test
    void rejectsOneThatServesBelowTheFloorThatTheDeviceShows() throws Exception {
        assertThat(appraise(claiming(logged(Serving.CONFIRMED), Map.of("intent", 1L)))
                        .isAffirming())
                .isTrue();
        assertRefused(claiming(logged(Serving.CONFIRMED), Map.of("intent", 2L)), Code.ATT_FLOOR);
        assertThat(appraise(claiming(logged(Serving.ABSENT), Map.of("intent", 2L)))
                        .isAffirming())
                .as("one that does not answer")
                .isTrue();
    }

    @Test
    void rejectsClaimsWithoutItOrOfOneThatIsOver() throws Exception {
        assertRefused(claiming(logged(Serving.CONFIRMED).subList(0, 1), Map.of()), Code.ATT_LOG);
        log.graceEnded(Models.V1.slot());
        assertRefused(claiming(logged(Serving.CONFIRMED), Map.of()), Code.ATT_LOG);
    }

    @Test
    void rejectsItsClaimInAnotherPlaceOrTwice() throws Exception {
        List<Measured> turned = logged(Serving.CONFIRMED).reversed();
        assertRefused(claiming(turned, Map.of()), Code.ATT_FORMAT);
        List<Measured> twice = logged(Serving.CONFIRMED);
        twice.add(twice.getLast());
        assertRefused(claiming(twice, Map.of()), Code.ATT_FORMAT);
    }

    @Test
    void rejectsAnEndThatWasTakenOutOfTheLogOrPutIn() throws Exception {
        byte[] graced = evidence();
        assertRefused(
                withLog(graced, events -> {
                    events.add(events.size() - 1, new Event.Model(Models.V1.as(ModelEvent.Kind.GRACE_END)).content());
                    return events;
                }),
                Code.ATT_LOG);
        log.graceEnded(Models.V1.slot());
        serving(Models.V2);
        assertRefused(withLog(evidence(), events -> events.subList(0, events.size() - 1)), Code.ATT_LOG);
    }
}
