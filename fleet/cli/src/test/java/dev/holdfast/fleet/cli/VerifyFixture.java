package dev.holdfast.fleet.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.attestation.Attester;
import dev.holdfast.attestation.DeviceEnrolment;
import dev.holdfast.attestation.EventLog;
import dev.holdfast.attestation.ModelEvent;
import dev.holdfast.attestation.PlatformLogs;
import dev.holdfast.attestation.verify.EnrolmentAuthority;
import dev.holdfast.attestation.verify.EnrolmentPolicy;
import dev.holdfast.fleet.FleetDirectory;
import dev.holdfast.fleet.FleetRepository;
import dev.holdfast.fleet.SampleRelease;
import dev.holdfast.tee.software.SoftwareBridge;
import dev.holdfast.trust.release.AuthorityId;
import dev.holdfast.trust.release.ModelTarget;
import dev.holdfast.trust.schema.KeyKind;
import dev.holdfast.trust.schema.RootDocument;
import dev.holdfast.wire.Binary;
import dev.holdfast.wire.CanonicalJson;
import dev.holdfast.wire.Json;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A fleet with releases, and a device that is enrolled with a software TEE and makes evidence of what it runs. */
abstract class VerifyFixture {
    static final String NONCE = "00112233445566778899aabbccddeeff";

    @TempDir
    Path dir;

    FleetDirectory directory;
    FleetRepository repository;
    SoftwareBridge bridge;
    String output = "";
    String errors = "";

    @BeforeEach
    void enrol() throws Exception {
        directory = new FleetDirectory(dir.resolve("fleet"));
        repository = new FleetRepository(directory, Clock.systemUTC());
        repository.init(new FleetDirectory.Config("test", "tcp://127.0.0.1:1883"));
        bridge = SoftwareBridge.open(dir.resolve("tee"));
        DeviceEnrolment mine = new DeviceEnrolment(bridge, "cam-7");
        EnrolmentAuthority.Attempt attempt = EnrolmentAuthority.begin(
                        mine.request(), EnrolmentPolicy.DEFAULT.withSoftware(), Clock.systemUTC())
                .orThrow();
        byte[] proof = mine.prove(attempt.challenge()).orThrow();
        Files.write(
                directory.device("cam-7"),
                Json.write(attempt.complete(proof).orThrow().toJson()));
    }

    @AfterEach
    void close() {
        bridge.close();
    }

    /** Releases of one model have the same bytes, whatever else was signed of them. */
    ModelTarget publish(String model, String version, JsonNode template, Optional<Long> epoch) throws Exception {
        byte[] bytes = new byte[10_000];
        Arrays.fill(bytes, (byte) model.length());
        SampleRelease.sign(repository, model, version, bytes, template, epoch);
        return repository.release(model, version).model();
    }

    ModelEvent serves(ModelTarget model) throws Exception {
        String authority = RootDocument.parse(
                        Files.readAllBytes(directory.root().resolve("metadata/1.root.json")))
                .role("targets")
                .keys()
                .entrySet()
                .stream()
                .filter(key -> key.getValue().kind() == KeyKind.ECDSA_P256)
                .map(Map.Entry::getKey)
                .findFirst()
                .orElseThrow();
        return new ModelEvent(
                ModelEvent.Kind.SERVE,
                model.model(),
                model.version(),
                model.file().sha256(),
                AuthorityId.of(authority),
                model.file().path(),
                model.release(),
                model.epoch(),
                CanonicalJson.digest(model.template()),
                CanonicalJson.digest(model.gate()),
                Optional.empty());
    }

    /** Evidence of a device that runs these. */
    Path evidence(ModelTarget... models) throws Exception {
        return evidence(Map.of(), models);
    }

    Path evidence(Map<String, Long> floors, ModelTarget... models) throws Exception {
        List<ModelEvent> events = new ArrayList<>();
        for (ModelTarget model : models) {
            events.add(serves(model));
        }
        try (EventLog log = EventLog.open(dir.resolve("log"), bridge.register().orElseThrow())) {
            Attester.Surroundings around = new Attester.Surroundings(
                    "holdfast", "0.1.0", Map::of, () -> events, () -> new TreeMap<>(floors), PlatformLogs.none());
            return Files.write(
                    dir.resolve("evidence.cbor"),
                    new Attester(bridge, log, around)
                            .attest(Binary.fromHex(NONCE).orThrow()));
        }
    }

    int verify(Path evidence, String... more) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> all = new ArrayList<>(List.of(
                "verify",
                evidence.toString(),
                "--nonce",
                NONCE,
                "--dir",
                directory.root().toString()));
        if (!List.of(more).contains("--min-assurance")) {
            all.addAll(List.of("--min-assurance", "software"));
        }
        all.addAll(List.of(more));
        int status =
                FleetCommand.run(new PrintWriter(out, true), new PrintWriter(err, true), all.toArray(new String[0]));
        output = out.toString();
        errors = err.toString();
        return status;
    }

    JsonNode json() throws Exception {
        return Json.readObject(output.getBytes(StandardCharsets.UTF_8), 1 << 20).orThrow();
    }
}
