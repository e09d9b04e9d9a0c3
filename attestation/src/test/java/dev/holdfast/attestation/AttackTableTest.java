package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every attack on attestation, and the tests that carry it out. A row whose test is gone, renamed, or left to the long runs
 * alone fails.
 */
class AttackTableTest {
    /**
     * A row.
     *
     * @param tests class and method, {@code Class#method}; classes of other packages by their whole names
     */
    private record Attack(String name, List<String> tests) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static final String RESPONSES = "dev.holdfast.tee.tpm.TpmResponseFuzzTest#";
    private static final String HOSTILE = "dev.holdfast.tee.tpm.HostileTpmTest#";

    private static Attack attack(String name, String... tests) {
        return new Attack(name, List.of(tests));
    }

    static Stream<Attack> attacks() {
        return Stream.of(
                attack("an event is dropped from the log", "TpmEvidenceTest#rejectsADroppedEvent"),
                attack("events change places", "TpmEvidenceTest#rejectsAReorderedLog"),
                attack(
                        "an event gets another type",
                        "TpmEvidenceTest#rejectsARelabelledEvent",
                        "TpmEvidenceTest#rejectsAnUnknownEventType"),
                attack("an event gets another content", "TpmEvidenceTest#rejectsAnEditedEvent"),
                attack(
                        "the log is cut off",
                        "TpmEvidenceTest#rejectsATruncatedLog",
                        "TpmEvidenceTest#rejectsALogThatTheDeviceKnowsToBeBroken"),
                attack(
                        "evidence for another nonce",
                        "TpmEvidenceTest#rejectsAnotherNonce",
                        "TpmEvidenceTest#rejectsAReplayUnderAFreshNonceEvenWhenSignedAnew",
                        "TpmEvidenceTest#rejectsEvidenceThatIsStaleOrOfUnknownAge"),
                attack(
                        "claims or register values that the quote does not cover",
                        "TpmEvidenceTest#rejectsClaimsThatTheQuoteDoesNotCover",
                        "TpmEvidenceTest#rejectsARegisterValueThatTheQuoteDoesNotHash"),
                attack(
                        "another TPM's quote",
                        "TpmEvidenceTest#rejectsTheQuoteOfAnotherTpm",
                        "TpmEvidenceTest#rejectsEvidenceOfAnotherDevice"),
                attack(
                        "software evidence claims hardware",
                        "SoftwareEvidenceTest#rejectsWeakerAssuranceWhateverTheEvidenceClaims",
                        "TpmEvidenceTest#rejectsWeakerAssuranceWhateverTheEvidenceClaims",
                        "EnrolmentTest#softwareKeysThatClaimATpmAreRefused",
                        "EnrolmentTest#aTpmThatClaimsHardwareIsGrantedEmulatedWhereNobodyVouchesForIt",
                        "dev.holdfast.attestation.verify.EndorsementChainTest#anEmulatorsCertificateNeverGrantsHardware"),
                attack(
                        "the register is reset",
                        "TpmEvidenceTest#theModelsRegisterCannotBeReset",
                        "TpmEvidenceTest#rejectsARegisterThatSoftwareCanReset",
                        "TpmEvidenceTest#rejectsALogFromBeforeTheTpmWasReset"),
                attack(
                        "the NV index that is the register is removed and defined again",
                        "NvRegisterEvidenceTest#anIndexThatIsRemovedAndDefinedAgainTakesNothingUntilTheTpmIsReset",
                        "NvRegisterEvidenceTest#anIndexWithAnotherPolicyIsRefusedByDeviceAndVerifier",
                        "NvRegisterEvidenceTest#rejectsAnIndexWhoseGuardIsOpen"),
                attack(
                        "a certificate of the NV index from elsewhere",
                        "NvRegisterEvidenceTest#rejectsAQuoteWithoutTheRegistersCertificate",
                        "NvRegisterEvidenceTest#rejectsTheRegistersCertificateOfAnEarlierMoment",
                        "NvRegisterEvidenceTest#rejectsAChangedCertificateOfTheRegister",
                        "NvRegisterEvidenceTest#isNoPcrAndAPcrIsNoIndex"),
                attack("the TPM's clock goes back", "TpmEvidenceTest#rejectsAClockThatGoesBackwards"),
                attack(
                        "the model is swapped on the disk",
                        "TpmEvidenceTest#rejectsAModelThatWasSwappedOnTheDisk",
                        "TpmEvidenceTest#namesWhatServesEvenWhenItSwappedUnmeasured",
                        "TpmEvidenceTest#rejectsAModelThatNobodyPublished"),
                attack(
                        "a model under the name of another",
                        "TpmEvidenceTest#rejectsAPublishedDigestUnderAnotherVersion",
                        "TpmEvidenceTest#rejectsAModelThatTheLogDoesNotName"),
                attack(
                        "a model is dropped from the claims",
                        "ModelSetEvidenceTest#rejectsClaimsWithoutAModelThatTheLogNames"),
                attack(
                        "states of models are swapped",
                        "ModelSetEvidenceTest#rejectsStatesThatTheQuoteDoesNotCover",
                        "ModelSetEvidenceTest#rejectsStatesThatNoDeviceWrites"),
                attack(
                        "models change their bytes, their templates or their slots with one another",
                        "ModelSetEvidenceTest#rejectsModelsThatChangedTheirBytes",
                        "ModelSetEvidenceTest#rejectsTheTemplateOfOneReleaseUnderTheTargetOfAnother",
                        "ModelSetEvidenceTest#rejectsTheSlotOfAnotherRelease",
                        "ModelSetEvidenceTest#rejectsAnEventWithTheSlotOfAnotherRelease"),
                attack(
                        "a model is named twice",
                        "ModelSetEvidenceTest#rejectsAModelThatIsClaimedTwice",
                        "ModelSetEvidenceTest#rejectsModelsInAnotherOrder",
                        "ModelSetEvidenceTest#aProcessThatNamesAModelTwiceHasNotAnswered"),
                attack(
                        "a model that serves is retired",
                        "ModelSetEvidenceTest#aModelThatServesOnAfterItWasRetiredIsNamedAgain",
                        "ModelSetEvidenceTest#rejectsARetirementThatWasTakenOutOfTheLogOrPutIn",
                        "ModelSetEvidenceTest#rejectsClaimsThatAModelIsRetired"),
                attack(
                        "claims of a model that the log retired",
                        "ModelSetEvidenceTest#rejectsClaimsOfAModelThatTheLogRetired"),
                attack(
                        "a model that nobody allowed serves beside others",
                        "ModelSetEvidenceTest#anUnlistedModelThatServesFails",
                        "ModelSetEvidenceTest#oneModelThatNobodyPublishedFailsTheWhole"),
                attack(
                        "an inference process claims ever other models",
                        "EventLogModelsTest#theModelsThatTheLogNamesAreBounded",
                        "ModelSetEvidenceTest#rejectsMoreModelsThanALogNames"),
                attack(
                        "floors of the security epoch are changed",
                        "ModelSetEvidenceTest#rejectsFloorsThatTheQuoteDoesNotCoverOrThatBelongToNoModel"),
                attack(
                        "an enrolment is replayed",
                        "EnrolmentTest#refusesAProofThatIsReplayedOrForAnotherChallenge",
                        "EnrolmentTest#refusesACertificateFromAnotherRequest",
                        "EnrolmentTest#anotherTpmCannotOpenTheCredential"),
                attack(
                        "an attestation key with other attributes",
                        "EnrolmentTest#refusesAnAttestationKeyWithAnyAttributeChanged",
                        "EnrolmentTest#refusesKeysWithTheWrongAttributes"),
                attack(
                        "a forged certificate of the endorsement key",
                        "dev.holdfast.attestation.verify.EndorsementChainTest#anotherAuthorityOfTheSameNameIsRefused",
                        "dev.holdfast.attestation.verify.EndorsementChainTest#aCertificateForAnotherKeyIsRefused"),
                attack(
                        "fuzzed evidence",
                        "EvidenceFuzzTest#someMutatedEvidencesAreAllRefused",
                        "EvidenceFuzzTest#evidence",
                        "EvidenceFuzzTest#event",
                        "EvidenceFuzzTest#bootLog"),
                attack(
                        "fuzzed enrolment",
                        "EnrolmentTest#mutatedMessagesAreRefusedAndNeverThrow",
                        "EvidenceFuzzTest#enrolment",
                        "dev.holdfast.attestation.verify.EndorsementChainTest#mutatedCertificatesNeverThrowAndNeverVouchForSomethingElse"),
                attack(
                        "an interposer with an endorsement key of their own",
                        "dev.holdfast.tee.tpm.TpmSecretsTest#aKeyInThePlaceOfTheEndorsementKeyIsRefusedWhereItIsPinned"),
                attack(
                        "fuzzed responses of the TPM",
                        RESPONSES + "someChangedResponsesEndTyped",
                        RESPONSES + "structures",
                        HOSTILE + "spoiledResponsesEndInTeeExceptionsOnly",
                        HOSTILE + "aTpmThatNeverAnswersCostsOneDeadline"));
    }

    @ParameterizedTest
    @MethodSource("attacks")
    void isCarriedOutByATest(Attack attack) throws Exception {
        assertThat(attack.tests()).isNotEmpty();
        for (String test : attack.tests()) {
            Method method = method(test);
            boolean runs = method.isAnnotationPresent(Test.class) || method.isAnnotationPresent(FuzzTest.class);
            assertThat(runs).as(test + " is a test").isTrue();
            assertThat(method.isAnnotationPresent(Tag.class))
                    .as(test + " runs every time")
                    .isFalse();
        }
    }

    @Test
    void isPrinted() {
        attacks().forEach(attack -> System.out.println(attack + ": " + String.join(", ", attack.tests())));
        System.out.println(attacks().count() + " attacks, "
                + attacks()
                        .flatMap(attack -> attack.tests().stream())
                        .distinct()
                        .count() + " tests");
        assertThat(attacks().map(Attack::name)).doesNotHaveDuplicates();
    }

    private static Method method(String test) throws ClassNotFoundException {
        String[] parts = test.split("#");
        String name = parts[0].contains(".") ? parts[0] : AttackTableTest.class.getPackageName() + "." + parts[0];
        for (Class<?> at = Class.forName(name); at != Object.class; at = at.getSuperclass()) {
            List<Method> found = Arrays.stream(at.getDeclaredMethods())
                    .filter(one -> one.getName().equals(parts[1]))
                    .toList();
            if (!found.isEmpty()) {
                return found.get(0);
            }
        }
        throw new AssertionError("there is no " + test);
    }
}
