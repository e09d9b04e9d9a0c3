package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.attestation.verify.EnrolledDevice;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Instant;
import java.util.Optional;

/**
 * That a device may enrol once with other keys, {@code replacements/<device>.json}.
 *
 * @param endorsement the endorsement key that the new keys must be in one TPM with, as {@link EnrolledDevice} names it; empty: any
 * @param until the end of it
 */
public record Replacement(Optional<Sha256> endorsement, Instant until) {
    private static final int MAX_BYTES = 4096;

    static Optional<Replacement> read(FleetDirectory directory, String device) throws IOException, RejectedException {
        Optional<JsonNode> found = FleetDirectory.readJson(directory.replacement(device), MAX_BYTES);
        if (found.isEmpty()) {
            return Optional.empty();
        }
        Fields file = Fields.of(found.get(), Code.CFG_INVALID);
        return Optional.of(new Replacement(
                file.has("endorsement") ? Optional.of(file.sha256("endorsement")) : Optional.empty(),
                Instant.ofEpochSecond(file.integer("until", 0))));
    }

    void write(FleetDirectory directory, String device) throws IOException {
        Files.createDirectories(directory.replacement(device).toAbsolutePath().getParent());
        FleetDirectory.replace(directory.replacement(device), Json.write(toJson()));
    }

    /** The file's object; {@code until} in seconds since 1970. */
    ObjectNode toJson() {
        ObjectNode json = Json.object().put("until", until.getEpochSecond());
        endorsement.ifPresent(key -> json.put("endorsement", key.hex()));
        return json;
    }

    boolean lets(EnrolledDevice fresh, Instant now) {
        return now.isBefore(until)
                && endorsement.map(fresh.endorsement()::equals).orElse(true);
    }
}
