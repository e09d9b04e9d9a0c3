package dev.holdfast.trust.schema;

import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;

/** The field {@code expires} of metadata: UTC, seconds, no fraction (TUF 1.0.34 section 4.2.1). */
public final class Expiry {
    public static final String FIELD = "expires";
    private static final int MAX_CHARS = 32;
    private static final DateTimeFormatter FORMAT = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss'Z'");

    private Expiry() {}

    public static String format(Instant at) {
        return FORMAT.format(LocalDateTime.ofInstant(at, ZoneOffset.UTC));
    }

    public static Instant read(Fields signed) throws RejectedException {
        try {
            return LocalDateTime.parse(signed.text(FIELD, MAX_CHARS), FORMAT).toInstant(ZoneOffset.UTC);
        } catch (DateTimeParseException e) {
            throw signed.wrong(FIELD, "a UTC time with seconds");
        }
    }
}
