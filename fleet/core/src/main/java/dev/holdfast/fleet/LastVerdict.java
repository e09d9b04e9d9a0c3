package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.EvidenceClaims.Serving;
import dev.holdfast.attestation.verify.Appraisal;
import dev.holdfast.attestation.verify.AttestationResult;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What the fleet's last look at a device came to, {@code verdicts/<device>.json}.
 *
 * @param at when it was appraised
 * @param status such as {@code affirming}
 * @param code why it does not affirm
 * @param affirmedAt the last time that it did; absent before the first
 * @param reported what the device said that it serves when it was asked, as a digest; absent where nobody compared
 * @param asked when the question was sent
 * @param serving what serves by the evidence, by name of the model; empty where the evidence is not authentic
 */
public record LastVerdict(
        Instant at,
        String status,
        Optional<String> code,
        Optional<Instant> affirmedAt,
        Optional<String> reported,
        Optional<Instant> asked,
        SortedMap<String, Proved> serving) {
    /** A release that the evidence names. */
    public record Proved(String version, Sha256 digest) {}

    public LastVerdict {
        serving = Collections.unmodifiableSortedMap(new TreeMap<>(serving));
    }

    private static final String AFFIRMING = "affirming";
    private static final int MAX_BYTES = 16 * 1024;
    private static final int MAX_CHARS = 64;

    /** Keeps a verdict, unless a later one is known. @param reported see there */
    public static void keep(
            FleetDirectory directory, AttestationResult result, Optional<String> reported, Optional<Instant> asked)
            throws IOException, RejectedException {
        String device = result.device();
        directory.exclusively(() -> {
            Optional<LastVerdict> before = read(directory, device);
            LastVerdict last = of(
                    result,
                    before.flatMap(LastVerdict::affirmedAt),
                    reported.or(() -> before.flatMap(LastVerdict::reported)),
                    asked);
            if (before.isEmpty()
                    || !before.get().at.isAfter(last.at)
                    || before.get().at.isAfter(Instant.now())) {
                Files.createDirectories(file(directory, device).getParent());
                FleetDirectory.replace(file(directory, device), Json.write(last.toJson()));
            }
            return last;
        });
    }

    private static LastVerdict of(
            AttestationResult result,
            Optional<Instant> affirmedBefore,
            Optional<String> reported,
            Optional<Instant> asked) {
        Appraisal appraisal = result.appraisal();
        SortedMap<String, Proved> serving = new TreeMap<>();
        appraisal.claims().map(Appraisal.Claims::models).orElse(List.of()).stream()
                .filter(model -> !model.grace() && model.state() != Serving.ABSENT)
                .forEach(model -> serving.put(model.name(), new Proved(model.version(), model.digest())));
        return new LastVerdict(
                result.at(),
                appraisal.status().name().toLowerCase(Locale.ROOT),
                appraisal.firstFailure().flatMap(Appraisal.Check::code).map(Code::id),
                appraisal.isAffirming() ? Optional.of(result.at()) : affirmedBefore,
                reported,
                asked,
                serving);
    }

    /** Empty where the device was never appraised. */
    public static Optional<LastVerdict> read(FleetDirectory directory, String device)
            throws IOException, RejectedException {
        Path file = file(directory, device);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        Fields fields = Fields.read(Files.readAllBytes(file), MAX_BYTES, Code.WIRE_FIELD);
        return Optional.of(new LastVerdict(
                time(fields, "at"),
                fields.text("status", MAX_CHARS),
                fields.has("code") ? Optional.of(fields.text("code", MAX_CHARS)) : Optional.empty(),
                fields.has("affirmedAt") ? Optional.of(time(fields, "affirmedAt")) : Optional.empty(),
                fields.has("reported") ? Optional.of(fields.text("reported", MAX_CHARS)) : Optional.empty(),
                fields.has("asked") ? Optional.of(time(fields, "asked")) : Optional.empty(),
                fields.has("serving") ? serving(fields.object("serving")) : new TreeMap<>()));
    }

    private static SortedMap<String, Proved> serving(Fields models) throws RejectedException {
        SortedMap<String, Proved> serving = new TreeMap<>();
        for (Iterator<String> names = models.node().fieldNames(); names.hasNext(); ) {
            String name = names.next();
            Fields model = models.object(name);
            serving.put(name, new Proved(model.modelName("version"), model.sha256("digest")));
        }
        return serving;
    }

    static void forget(FleetDirectory directory, String device) throws IOException {
        FleetDirectory.delete(file(directory, device));
    }

    private static Path file(FleetDirectory directory, String device) {
        return directory.verdict(device);
    }

    private static Instant time(Fields fields, String name) throws RejectedException {
        try {
            return Instant.parse(fields.text(name, MAX_CHARS));
        } catch (DateTimeException e) {
            throw fields.wrong(name, "a time such as 2026-11-25T12:00:00Z");
        }
    }

    public boolean isAffirming() {
        return status.equals(AFFIRMING);
    }

    /** When the next one is due. */
    public Instant expectedBy(Duration every) {
        return at.plus(every);
    }

    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("at", at.toString()).put("status", status);
        code.ifPresent(known -> json.put("code", known));
        affirmedAt.ifPresent(time -> json.put("affirmedAt", time.toString()));
        reported.ifPresent(digest -> json.put("reported", digest));
        asked.ifPresent(time -> json.put("asked", time.toString()));
        ObjectNode models = json.putObject("serving");
        serving.forEach((name, model) ->
                models.putObject(name).put("version", model.version).put("digest", model.digest.hex()));
        return json;
    }
}
