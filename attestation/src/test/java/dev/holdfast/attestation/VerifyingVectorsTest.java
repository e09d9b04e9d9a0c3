package dev.holdfast.attestation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AppraisalPolicy;
import dev.holdfast.attestation.verify.ArchivedCase;
import dev.holdfast.tee.Assurance;
import dev.holdfast.tee.TeeBridge;
import dev.holdfast.tee.tpm.Swtpm;
import dev.holdfast.tee.tpm.Tpm2Bridge;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * What docs/verifying.md says, tried: its vectors are what this module makes and judges, the small verifier in Python that was built from
 * the page judges each of them alike, and its commands do what they say. With {@code -Dholdfast.vectors=write} the vectors are written
 * anew.
 */
class VerifyingVectorsTest extends EvidenceFixture {
    private static final Path PAGE = Path.of("../docs/verifying.md");
    private static final Path FOLDER = Path.of("../samples/verifier");
    private static final Path VECTORS = FOLDER.resolve("vectors.json");
    private static final int MAX_BYTES = 4 << 20;

    /** Reasons that are not about evidence which came, or about references that no case of the page carries. */
    private static final Set<Code> ELSEWHERE = Set.of(
            Code.ATT_NOT_ENROLLED,
            Code.ATT_ENROL,
            Code.ATT_PENDING,
            Code.ATT_CERTIFICATE,
            Code.ATT_TIMEOUT,
            Code.ATT_WITHDRAWN,
            Code.ATT_ARCHIVE);

    private @Nullable Swtpm swtpm;

    @Override
    TeeBridge openBridge() throws Exception {
        swtpm = Swtpm.start(temp);
        return Tpm2Bridge.open(swtpm.address());
    }

    @Override
    TeeBridge reboot() throws Exception {
        Objects.requireNonNull(swtpm).powerCut();
        return Tpm2Bridge.open(Objects.requireNonNull(swtpm).address());
    }

    @Override
    Assurance assurance() {
        return Assurance.EMULATED;
    }

    @AfterEach
    void stop() {
        if (swtpm != null) {
            swtpm.close();
        }
    }

    private static JsonNode vectors() throws IOException {
        return Models.accepted(Json.readObject(Files.readAllBytes(VECTORS), MAX_BYTES))
                .path("vectors");
    }

    /** A vector a line, so that a change of one is seen. */
    private static byte[] lines(ObjectNode file) {
        StringBuilder text = new StringBuilder("{\"format\":1, \"vectors\":[");
        String separator = "\n";
        for (JsonNode vector : file.path("vectors")) {
            text.append(separator).append(new String(Json.write(vector), StandardCharsets.UTF_8));
            separator = ",\n";
        }
        return text.append("\n]}\n").toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void assertJudged(JsonNode vectors) {
        for (JsonNode vector : vectors) {
            String name = vector.path("name").asText();
            Appraisal appraisal = Models.accepted(ArchivedCase.read(vector.path("case")))
                    .appraise()
                    .appraisal();
            assertThat(appraisal.status().name().toLowerCase(Locale.ROOT))
                    .as(name + ": " + appraisal.firstFailure())
                    .isEqualTo(vector.path("status").asText());
            assertThat(appraisal
                            .firstFailure()
                            .flatMap(Appraisal.Check::code)
                            .map(Code::id)
                            .orElse(""))
                    .as(name)
                    .isEqualTo(vector.path("code").asText());
        }
    }

    @Test
    void theVectorsAreJudgedAsTheySayAndSoAreFreshOnes() throws Exception {
        ObjectNode fresh = new VerifyingVectors(this).make();
        assertJudged(fresh.path("vectors"));
        if ("write".equals(System.getProperty("holdfast.vectors"))) {
            Files.write(VECTORS, lines(fresh));
        }
        JsonNode committed = vectors();
        assertJudged(committed);
        assertThat(committed.findValuesAsText("name"))
                .as("written anew by -Dholdfast.vectors=write")
                .isEqualTo(fresh.path("vectors").findValuesAsText("name"));
        python(Files.write(temp.resolve("fresh.json"), lines(fresh)));
    }

    @Test
    void theVerifierInPythonAgreesOnEveryVector() throws Exception {
        python(VECTORS);
        ObjectNode changed = Models.accepted(Json.readObject(Files.readAllBytes(VECTORS), MAX_BYTES))
                .deepCopy();
        ((ObjectNode) changed.path("vectors").path(0)).put("status", "warning");
        Path wrong = Files.write(temp.resolve("wrong.json"), Json.write(changed));
        assertThat(Swtpm.run(
                        temp.resolve("python.log"),
                        interpreter(),
                        FOLDER.resolve("verify.py").toString(),
                        wrong.toString()))
                .as("and says where it does not")
                .isEqualTo(1);
    }

    private void python(Path vectors) throws Exception {
        Path said = temp.resolve("python.log");
        int status = Swtpm.run(said, interpreter(), FOLDER.resolve("verify.py").toString(), vectors.toString());
        assertThat(status).as(Files.readString(said)).isZero();
    }

    /** One that has both modules; on Debian the packages are the system's own Python's. */
    private String interpreter() throws Exception {
        for (String python : List.of("python3", "/usr/bin/python3")) {
            try {
                if (Swtpm.run(temp.resolve("modules.log"), python, "-c", "import cbor2, cryptography") == 0) {
                    return python;
                }
            } catch (IOException e) {
                continue;
            }
        }
        String line = "SKIPPED: no Python with its modules (apt install python3-cryptography python3-cbor2)";
        System.out.println(line);
        if ("true".equals(System.getenv("CI"))) {
            fail(line);
        }
        return abort(line);
    }

    @Test
    void thereIsAVectorForEachReason() throws Exception {
        Set<String> reasons = new TreeSet<>(vectors().findValuesAsText("code"));
        for (Code code : Code.values()) {
            if (code.id().startsWith("ATT-") && !ELSEWHERE.contains(code)) {
                assertThat(reasons).contains(code.id());
            }
        }
        assertThat(vectors().findValuesAsText("status")).contains("affirming", "warning", "contraindicated", "none");
    }

    private static List<String> blocks(String mark) throws IOException {
        Matcher block =
                Pattern.compile("```" + mark + "\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(PAGE));
        List<String> found = block.results().map(one -> one.group(1)).toList();
        assertThat(found).as(mark).isNotEmpty();
        return found;
    }

    @Test
    void thePageHasAPolicyForEachPosture() throws IOException {
        List<AppraisalPolicy> policies = blocks("json policy").stream()
                .map(text -> Models.accepted(AppraisalPolicy.parse(text.getBytes(StandardCharsets.UTF_8))))
                .toList();
        assertThat(policies.stream().map(AppraisalPolicy::id)).containsExactly("lab", "fleet", "regulated");
        assertThat(policies.stream().map(AppraisalPolicy::minAssurance))
                .containsExactly(Assurance.SOFTWARE, Assurance.FIRMWARE, Assurance.HARDWARE);
        assertThat(policies.get(2).registers().keySet()).contains(0, 2, 4, 7);
    }

    @Test
    void theGrammarNamesEveryClaimAndEveryFieldOfAnEvent() throws IOException {
        String grammar = String.join("\n", blocks("cddl"));
        Stream.of(
                        "hf-models",
                        "hf-epoch-floors",
                        "hf-assurance",
                        "hf-register",
                        "hf-platform",
                        "hf-sandbox",
                        "hf-log-broken")
                .forEach(claim -> assertThat(grammar).contains("\"" + claim + "\" =>"));
        Stream.of("10", "256", "265", "266", "267", "270", "271", "273")
                .forEach(claim -> assertThat(grammar).containsPattern("(?m)^ +(\\? )?" + claim + " =>"));
        Event.MODEL_FIELDS.forEach(field -> assertThat(grammar).contains("\"" + field + "\" =>"));
        Stream.of(ModelEvent.Kind.values()).forEach(kind -> assertThat(grammar).contains("\"" + kind.type() + "\""));
        Stream.of(EvidenceClaims.Serving.values())
                .forEach(state -> assertThat(grammar).contains("\"" + state.name() + "\""));
    }

    /** As somebody types them who has the evidence, the nonce that they sent, and the fleet's record of the device. */
    @Test
    void theLineForTpm2ToolsAcceptsTheQuoteAndNoOther() throws Exception {
        Swtpm.require("tpm2_checkquote");
        byte[] evidence = attester.attest(Models.NONCE);
        Files.write(temp.resolve("cam-7.cbor"), evidence);
        Files.write(temp.resolve("cam-7.json"), Json.write(device.toJson()));
        Models.accepted(TpmQuoteFiles.write(
                temp.resolve("tpm"), evidence, bridge.quoter().orElseThrow().attestationKey()));
        // What the device says of itself is not needed, and is not believed.
        Files.writeString(temp.resolve("tpm/ak.pem"), "of somebody else\n");
        Files.writeString(temp.resolve("tpm/qualifying.hex"), "00\n");
        String script = "set -euo pipefail\nexport PATH=" + temp.resolve("bin") + ":$PATH\ncd " + temp + "\nNONCE="
                + Models.NONCE.hex() + "\n" + blocks("sh checkquote").get(0);
        Files.createDirectories(temp.resolve("bin"));
        Files.writeString(temp.resolve("bin/python3"), "#!/bin/sh\nexec " + resolved(interpreter()) + " \"$@\"\n")
                .toFile()
                .setExecutable(true);
        Path said = temp.resolve("checkquote.log");
        assertThat(Swtpm.run(said, "bash", "-c", script))
                .as(Files.readString(said))
                .isZero();
        String other = script.replace(Models.NONCE.hex(), Models.hash("another").hex());
        assertThat(Swtpm.run(said, "bash", "-c", other)).isNotZero();
        device = EvidenceFixture.enrol(bridge);
        Files.write(
                temp.resolve("cam-7.json"),
                Json.write(device.toJson()
                        .put("attestationKey", device.toJson().path("signer").asText())));
        assertThat(Swtpm.run(said, "bash", "-c", script))
                .as("by another key than the enrolled one")
                .isNotZero();
    }

    private String resolved(String python) throws Exception {
        Path where = temp.resolve("where.log");
        assertThat(Swtpm.run(where, python, "-c", "import sys; print(sys.executable)"))
                .isZero();
        return Files.readString(where).strip();
    }
}
