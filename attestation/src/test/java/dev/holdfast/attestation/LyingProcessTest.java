package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.holdfast.attestation.EvidenceClaims.Measured;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.Appraisal.Status;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.VmReporter;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What a verifier says of a device whose inference process says something else at each evidence. */
class LyingProcessTest extends EvidenceFixture {
    private static final int LIES = 2_000;
    /** A message of the link. */
    private static final int MAX_MESSAGE_BYTES = 128 * 1024;

    private List<ModelEvent> serving = List.of(Models.V1);

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

    private Appraisal ask(ModelEvent... now) throws Exception {
        serving = List.of(now);
        byte[] evidence = new Attester(bridge, log, Models.around(() -> serving)).attest(Models.NONCE);
        assertThat(evidence).hasSizeLessThan(MAX_MESSAGE_BYTES);
        return appraise(evidence);
    }

    private void lie(IntFunction<ModelEvent> liar) throws Exception {
        assertThat(ask(Models.V1).isAffirming()).isTrue();
        for (int i = 0; i < LIES; i++) {
            assertThat(ask(liar.apply(i)).status()).isIn(Status.WARNING, Status.CONTRAINDICATED);
        }
    }

    private static void assertTold(Appraisal appraisal) {
        assertThat(appraisal.status()).isEqualTo(Status.CONTRAINDICATED);
        assertThat(appraisal.firstFailure().orElseThrow().code()).contains(Code.ATT_LOG);
        assertThat(appraisal.firstFailure().orElseThrow().detail()).contains("does not name what serves as intent");
    }

    @Test
    void neverAffirmsAProcessWithEverNewTokenizers() throws Exception {
        lie(i -> Models.withTokenizer(Models.V1, Optional.of(Models.hash("tokenizer " + i))));
        assertTold(ask(Models.V1));
        swap(Models.V2);
        assertThat(ask(Models.V2).isAffirming()).isTrue();
        assertTold(ask(Models.V1));
    }

    @Test
    void neverAffirmsAProcessWithEverNewBytes() throws Exception {
        lie(i -> Models.withDigest(Models.V1, Models.hash("bytes " + i)));
        assertTold(ask(Models.V1));
        swap(Models.V1);
        assertThat(ask(Models.V1).isAffirming()).isTrue();
    }

    @Test
    void affirmsAnHonestProcessAfterALieWhileTheRationLasts() throws Exception {
        assertThat(ask(Models.withDigest(Models.V1, Models.hash("other bytes"))).status())
                .isEqualTo(Status.CONTRAINDICATED);
        assertThat(ask(Models.V1).isAffirming()).isTrue();
        Appraisal other = ask(Models.withTokenizer(Models.V1, Optional.of(Models.hash("another"))));
        assertThat(other.status()).isEqualTo(Status.WARNING);
        assertThat(other.firstFailure().orElseThrow().code()).contains(Code.ATT_SERVING);
        assertThat(ask(Models.V1).status()).as("which of the two is true?").isEqualTo(Status.WARNING);
        assertThat(ask(Models.V1).isAffirming()).isTrue();
    }

    /** Everything that evidence carries, each as long as it may be. */
    @Test
    void theLongestLogFitsTheLongestEvidence() throws Exception {
        EventQuota quota = new EventQuota();
        log.contents().forEach(content -> quota.add(new LoggedEvent(content, LoggedEvent.Cause.AGENT)));
        List<ModelEvent> models = IntStream.range(0, EventLog.MAX_NAMED - 1)
                .mapToObj(i -> Models.largest(Integer.toString(100 + i)))
                .toList();
        for (int i = 0; ; i++) {
            ModelEvent model = models.get(i % models.size());
            ModelEvent next = i / models.size() % 2 == 0 ? model : model.as(ModelEvent.Kind.SERVE);
            LoggedEvent event = LoggedEvent.of(next, LoggedEvent.Cause.AGENT);
            if (quota.refusal(event).isPresent()) {
                break;
            }
            quota.add(event);
            swap(next);
        }
        Path securityfs = temp.resolve("securityfs");
        Files.createDirectories(securityfs.resolve("tpm0"));
        Files.createDirectories(securityfs.resolve("ima"));
        Files.write(securityfs.resolve("tpm0/binary_bios_measurements"), new byte[PlatformLogs.MAX_BOOT_BYTES]);
        Files.write(securityfs.resolve("ima/binary_runtime_measurements"), new byte[PlatformLogs.MAX_IMA_BYTES]);
        Map<String, String> facts = IntStream.range(0, EvidenceClaims.MAX_FACTS)
                .boxed()
                .collect(Collectors.toMap(
                        i -> (char) ('a' + i) + "\u20ac".repeat(EvidenceClaims.MAX_TEXT_CHARS - 1),
                        i -> "\u20ac".repeat(EvidenceClaims.MAX_TEXT_CHARS)));
        TreeMap<String, Long> floors = new TreeMap<>();
        log.serving().keySet().forEach(model -> floors.put(model, Long.MAX_VALUE));
        Attester.Surroundings around = new Attester.Surroundings(
                "\u20ac".repeat(EvidenceClaims.MAX_TEXT_CHARS),
                "\u20ac".repeat(EvidenceClaims.MAX_TEXT_CHARS),
                () -> facts,
                Models.as(log),
                () -> floors,
                PlatformLogs.in(securityfs),
                Optional.of(new LargestReports()));
        byte[] evidence = new Attester(bridge, log, around).attest(Models.NONCE);
        assertThat(evidence.length)
                .as("more than 90 of 100, and all of it read")
                .isBetween(Attester.MAX_EVIDENCE_BYTES * 9 / 10, Attester.MAX_EVIDENCE_BYTES);
        EvidenceVerifier.Message message = Models.accepted(EvidenceVerifier.open(evidence));
        assertThat(message.tpm().log()).isEqualTo(log.contents());
        assertThat(message.claims().models().stream().map(Measured::event))
                .hasSize(EventLog.MAX_NAMED)
                .containsExactlyElementsOf(log.serving().values());
        assertThat(message.vm()).isPresent();
        assertThat(message.tpm().bootLog()).isPresent();
    }

    private static final class LargestReports implements VmReporter {
        @Override
        public String provider() {
            return "p".repeat(MAX_PROVIDER_CHARS);
        }

        @Override
        public Report report(Binary reportData) {
            return new Report(
                    provider(),
                    Binary.copyOf(new byte[MAX_REPORT_BYTES]),
                    Binary.copyOf(new byte[MAX_AUXILIARY_BYTES]));
        }

        @Override
        public void close() {}
    }
}
