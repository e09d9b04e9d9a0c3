package dev.holdfast.trust.release;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Verdict;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * When and at what cost an order may be carried out, as the Director signed it: the {@code rollout} object of the order. An
 * order without one may be carried out at once.
 *
 * @param id names the rollout; devices of one rollout spread over {@code spread} by it
 * @param start when the first device may begin
 * @param spread over how long the devices begin
 * @param window when a model may be swapped; the download may go on outside of it
 * @param byteBudget most payload bytes for this order; the device's own budget counts too
 */
public record Rollout(String id, Instant start, Duration spread, Optional<Window> window, long byteBudget) {
    private static final Duration MAX_SPREAD = Duration.ofDays(30);
    private static final int DAY_MINUTES = 24 * 60;

    /** At once, with no budget of its own. */
    public static final Rollout NONE = new Rollout("", Instant.EPOCH, Duration.ZERO, Optional.empty(), Long.MAX_VALUE);

    /** Where an order carries it. */
    public static final String FIELD = "rollout";

    public Rollout {
        if (spread.isNegative() || spread.compareTo(MAX_SPREAD) > 0 || byteBudget < 0) {
            throw new IllegalArgumentException("spread or byteBudget is out of range");
        }
    }

    /**
     * A span of each day in UTC; it may reach over midnight.
     *
     * @param fromMinute minute of the day at which it opens
     * @param minutes how long it stays open
     */
    public record Window(int fromMinute, int minutes) {
        public Window {
            if (fromMinute < 0 || fromMinute >= DAY_MINUTES || minutes < 1 || minutes > DAY_MINUTES) {
                throw new IllegalArgumentException("a window begins within a day and lasts a day at most");
            }
        }

        /** {@code now} where it is open, else when it opens next. */
        public Instant opens(Instant now) {
            long day = Math.floorDiv(now.getEpochSecond(), 60L * DAY_MINUTES);
            for (long begun = day - 1; ; begun++) {
                Instant from = Instant.ofEpochSecond(60 * (begun * DAY_MINUTES + fromMinute));
                if (now.isBefore(from.plusSeconds(60L * minutes))) {
                    return now.isBefore(from) ? from : now;
                }
            }
        }
    }

    /** The object, as {@link #of} reads it. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object().put("id", id).put("start", start.getEpochSecond());
        json.put("spreadSeconds", spread.toSeconds());
        window.ifPresent(
                w -> json.putObject("window").put("fromMinute", w.fromMinute).put("minutes", w.minutes));
        if (byteBudget != Long.MAX_VALUE) {
            json.put("byteBudget", byteBudget);
        }
        return json;
    }

    /** Reads the object; {@code UPD-FORMAT} where it does not hold. */
    public static Verdict<Rollout> fromJson(JsonNode json) {
        return Verdict.of(() -> of(Fields.of(json, Code.UPD_FORMAT)));
    }

    /** Reads the object; {@code UPD-FORMAT} where it does not hold. What it does not know, it ignores. */
    public static Rollout of(Fields fields) throws RejectedException {
        try {
            Duration spread = fields.has("spreadSeconds")
                    ? Duration.ofSeconds(fields.integer("spreadSeconds", 0))
                    : Duration.ZERO;
            Optional<Window> window = Optional.empty();
            if (fields.has("window")) {
                Fields span = fields.object("window");
                window = Optional.of(new Window(
                        Math.toIntExact(span.integer("fromMinute", 0)), Math.toIntExact(span.integer("minutes", 1))));
            }
            return new Rollout(
                    fields.text("id", 64),
                    Instant.ofEpochSecond(fields.has("start") ? fields.integer("start", 0) : 0),
                    spread,
                    window,
                    fields.has("byteBudget") ? fields.integer("byteBudget", 1) : Long.MAX_VALUE);
        } catch (IllegalArgumentException | ArithmeticException | java.time.DateTimeException e) {
            throw new RejectedException(Code.UPD_FORMAT, "rollout: " + e.getMessage());
        }
    }

    /** When this device may begin: the start and HMAC-SHA-256(device, rollout id) modulo the spread, in whole seconds. */
    public Instant begins(String device) {
        long seconds = spread.toSeconds();
        return seconds == 0 ? start : start.plusSeconds(Long.remainderUnsigned(hash(device), seconds));
    }

    private long hash(String device) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(device.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            return ByteBuffer.wrap(mac.doFinal(id.getBytes(StandardCharsets.UTF_8)))
                    .getLong();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK has HMAC-SHA-256", e);
        }
    }

    /** {@code now} where a swap may begin, else when it may. */
    public Instant swaps(Instant now) {
        return window.map(w -> w.opens(now)).orElse(now);
    }

    /** What to wait for next: the device's turn, then the window. */
    public Instant next(String device, Instant now) {
        Instant begins = begins(device);
        return begins.isAfter(now) ? begins : swaps(now);
    }

    @Override
    public String toString() {
        return id
                + window.map(w -> " from " + clock(w.fromMinute) + " for " + w.minutes + " min")
                        .orElse("");
    }

    private static String clock(int minute) {
        return Instant.ofEpochSecond(60L * minute).atZone(ZoneOffset.UTC).toLocalTime() + " UTC";
    }
}
