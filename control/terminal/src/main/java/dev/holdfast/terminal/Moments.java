package dev.holdfast.terminal;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Moments and durations on the command line, and words for what is neither. */
final class Moments {
    /** Short forms beside those of ISO 8601, of one unit each. */
    private static final Pattern SHORT = Pattern.compile("([0-9]{1,9})([smhd])");

    private Moments() {}

    static final class OfInstant implements ITypeConverter<Instant> {
        @Override
        public Instant convert(String text) {
            try {
                return OffsetDateTime.parse(text).toInstant();
            } catch (DateTimeException e) {
                throw new TypeConversionException(
                        Units.printable(text) + " is not a moment such as 2026-03-01T22:00:00Z");
            }
        }
    }

    static final class OfDuration implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            Matcher words = SHORT.matcher(text);
            if (words.matches()) {
                long count = Long.parseLong(words.group(1));
                return switch (words.group(2)) {
                    case "s" -> Duration.ofSeconds(count);
                    case "m" -> Duration.ofMinutes(count);
                    case "h" -> Duration.ofHours(count);
                    default -> Duration.ofDays(count);
                };
            }
            try {
                return Duration.parse(text);
            } catch (DateTimeException e) {
                throw new TypeConversionException(
                        Units.printable(text) + " is not a time such as PT4H, P7D, 4h or 90m");
            }
        }
    }
}
