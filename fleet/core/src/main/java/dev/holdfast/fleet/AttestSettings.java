package dev.holdfast.fleet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;

/**
 * How a fleet looks at the evidence of its devices. Each device may have an interval of its own, {@code schedules/<device>.json}.
 *
 * @param every how often each device's evidence is expected
 * @param asks whether {@code fleet serve} asks for it by itself
 * @param policy what it is judged by, a policy file; where absent, {@code firmware} at least
 * @param keep how long archives are kept
 */
public record AttestSettings(Duration every, boolean asks, Optional<Path> policy, Duration keep) {
    /** A year, and a month in which an auditor comes. */
    public static final AttestSettings DEFAULT =
            new AttestSettings(Duration.ofDays(7), true, Optional.empty(), Duration.ofDays(400));

    private static final String EVERY = "attestEverySeconds";
    private static final String ASKS = "attestAsks";
    private static final String POLICY = "attestPolicy";
    private static final String KEEP = "archiveSeconds";
    private static final int MAX_BYTES = 4096;

    /** {@code CFG-INVALID} where a time is below a second. */
    void require() throws RejectedException {
        require(every);
        if (keep.toSeconds() < 1) {
            throw new RejectedException(Code.CFG_INVALID, "archives cannot be kept for " + keep);
        }
    }

    private static void require(Duration every) throws RejectedException {
        if (every.toSeconds() < 1) {
            throw new RejectedException(Code.CFG_INVALID, "evidence cannot be expected every " + every);
        }
    }

    void writeTo(ObjectNode fleet) {
        if (!every.equals(DEFAULT.every)) {
            fleet.put(EVERY, every.toSeconds());
        }
        if (!asks) {
            fleet.put(ASKS, false);
        }
        policy.ifPresent(file -> fleet.put(POLICY, file.toString()));
        if (!keep.equals(DEFAULT.keep)) {
            fleet.put(KEEP, keep.toSeconds());
        }
    }

    /** @param folder what a relative path begins at */
    static AttestSettings read(JsonNode fleet, Path folder) throws RejectedException {
        String policy = fleet.path(POLICY).asText("");
        AttestSettings read = new AttestSettings(
                seconds(fleet, EVERY, DEFAULT.every),
                fleet.path(ASKS).asBoolean(true),
                policy.isEmpty() ? Optional.empty() : Optional.of(folder.resolve(policy)),
                seconds(fleet, KEEP, DEFAULT.keep));
        read.require();
        return read;
    }

    private static Duration seconds(JsonNode fleet, String key, Duration otherwise) throws RejectedException {
        JsonNode node = fleet.path(key);
        if (node.isMissingNode()) {
            return otherwise;
        }
        if (!node.isIntegralNumber() || !node.canConvertToLong() || node.longValue() < 1) {
            throw new RejectedException(Code.CFG_INVALID, "fleet.json: " + key + " must be 1 or more");
        }
        return Duration.ofSeconds(node.longValue());
    }

    /** How often evidence of this device is expected: its own interval, or that of all. */
    public Duration every(FleetDirectory directory, String device) throws IOException, RejectedException {
        Optional<JsonNode> own = FleetDirectory.readJson(directory.schedule(device), MAX_BYTES);
        return own.isPresent() ? seconds(own.get(), EVERY, every) : every;
    }

    /**
     * Gives a device an interval of its own, or that of all again.
     *
     * @param own empty for that of all
     */
    public static void expect(FleetDirectory directory, String device, Optional<Duration> own, Clock clock)
            throws IOException, RejectedException {
        FleetDirectory.requireName(device);
        if (own.isPresent()) {
            require(own.get());
        }
        directory.exclusively(() -> {
            if (!directory.isEnrolled(device)) {
                throw new RejectedException(Code.ATT_NOT_ENROLLED, device + " is not enrolled");
            }
            ObjectNode said = Json.object();
            own.ifPresent(every -> said.put(EVERY, every.toSeconds()));
            new FleetAudit(directory, clock).append("attest-every", device, said.deepCopy());
            if (own.isEmpty()) {
                FleetDirectory.delete(directory.schedule(device));
            } else {
                Files.createDirectories(directory.schedule(device).getParent());
                FleetDirectory.replace(directory.schedule(device), Json.write(said));
            }
            return own;
        });
    }
}
