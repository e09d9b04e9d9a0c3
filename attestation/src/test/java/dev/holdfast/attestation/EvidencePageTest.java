package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.attestation.verify.EvidenceVerifier;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The examples of docs/protocol/evidence-and-policy.md are what this module reads and writes. */
class EvidencePageTest {
    private static final Path PAGE = Path.of("../docs/protocol/evidence-and-policy.md");
    private static final int MAX_BYTES = 64 * 1024;

    @TempDir
    Path temp;

    /** The contents of the blocks that are marked by {@code mark}. */
    private static List<String> blocks(String mark) throws IOException {
        Matcher block =
                Pattern.compile("```" + mark + "\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(PAGE));
        List<String> found = new ArrayList<>();
        while (block.find()) {
            found.add(block.group(1).strip());
        }
        assertThat(found).as(mark).isNotEmpty();
        return found;
    }

    private static List<Event> events() throws IOException {
        List<Event> events = new ArrayList<>();
        for (String example : blocks("cbor-diag event")) {
            Binary content = Binary.copyOf(CborWriter.write(Diagnostic.read(example)));
            events.add(Models.accepted(Event.parse(content)));
        }
        return events;
    }

    @Test
    void thereIsAnExampleOfEachTypeOfEvent() throws IOException {
        Set<String> types = new TreeSet<>();
        for (Event event : events()) {
            types.add(
                    switch (event) {
                        case Event.AgentStart _ -> "agent-start";
                        case Event.Model(ModelEvent model) -> model.kind().type();
                    });
        }
        assertThat(types)
                .containsExactly(
                        "agent-start",
                        "model-grace",
                        "model-grace-end",
                        "model-retire",
                        "model-rollback",
                        "model-serve");
    }

    @Test
    void thePageListsTheFieldsOfEachEvent() throws IOException {
        String page = Files.readString(PAGE);
        Event.START_FIELDS.forEach(field -> assertThat(page).as(field).contains("| `" + field + "` |"));
        Event.MODEL_FIELDS.forEach(field -> assertThat(page).as(field).contains("| `" + field + "` |"));
    }

    @Test
    void theClaimsAreOfTheModelsThatTheEventsLeadTo() throws IOException {
        Cbor.Dict claims =
                (Cbor.Dict) Diagnostic.read(blocks("cbor-diag claims").get(0));
        EvidenceClaims read = Models.accepted(Verdict.of(() -> EvidenceClaims.parse(claims)));
        Replay replay = new Replay();
        events().forEach(event -> replay.add(new LoggedEvent(event.content(), LoggedEvent.Cause.AGENT)));
        assertThat(read.models().stream().map(EvidenceClaims.Measured::event))
                .containsExactlyElementsOf(replay.places().values())
                .isNotEmpty();
    }

    @Test
    void thePoliciesCanBeRead() throws IOException {
        List<AppraisalPolicy> policies = new ArrayList<>();
        for (String example : blocks("json policy")) {
            policies.add(Models.accepted(AppraisalPolicy.parse(example.getBytes(StandardCharsets.UTF_8))));
        }
        assertThat(policies)
                .anySatisfy(policy -> assertThat(
                                policy.models().values().stream().anyMatch(AppraisalPolicy.Demand::optional))
                        .isTrue());
    }

    @Test
    void aResultHasTheFieldsOfTheExample() throws Exception {
        JsonNode example = Models.accepted(
                Json.readObject(blocks("json result").get(0).getBytes(StandardCharsets.UTF_8), MAX_BYTES));
        try (TeeBridge bridge = SoftwareBridge.open(temp.resolve("tee"));
                EventLog log =
                        EventLog.open(temp.resolve("log"), bridge.register().orElseThrow())) {
            log.ensureServing(List.of(Models.V1, Models.EMBED));
            EnrolledDevice device = EvidenceFixture.enrol(bridge);
            byte[] evidence = new Attester(bridge, log, Models.around(Models.as(log))).attest(Models.NONCE);
            Appraisal appraisal = EvidenceVerifier.verify(
                    evidence, Models.question(), device, Models.PUBLISHED, AppraisalPolicy.atLeast(Assurance.SOFTWARE));
            JsonNode result = appraisal.toJson(Instant.EPOCH);
            assertThat(fields(example)).isEqualTo(fields(result));
            assertThat(fields(example.path("claims"))).isEqualTo(fields(result.path("claims")));
            assertThat(fields(example.path("claims").path("models").get(0)))
                    .isEqualTo(fields(result.path("claims").path("models").get(0)));
        }
    }

    private static Set<String> fields(JsonNode object) {
        return object.properties().stream().map(entry -> entry.getKey()).collect(Collectors.toSet());
    }
}
