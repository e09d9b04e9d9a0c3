package dev.holdfast.terminal;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Bytes, times and digests in words for people. JSON has them whole. */
public final class Units {
    private static final double MIB = 1 << 20;
    private static final int DIGEST_CHARS = 16;
    /** SHA-256 in hexadecimal. */
    private static final Pattern DIGEST = Pattern.compile("\\b([0-9a-f]{16})[0-9a-f]{48}\\b");

    private static final Pattern MOMENT =
            Pattern.compile("\\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]{1,9})?Z");
    private static final DateTimeFormatter LOCAL = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss", Locale.ROOT);

    private Units() {}

    /** In MiB, with one decimal below 100; less than a tenth of one in bytes or KiB. */
    public static String bytes(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        if (bytes < MIB / 10) {
            return number(bytes / 1024.0) + " KiB";
        }
        return mib(bytes) + " MiB";
    }

    /** The same without its unit, for columns. */
    public static String mib(long bytes) {
        return number(bytes / MIB);
    }

    private static String number(double value) {
        return value < 99.95
                ? String.format(Locale.ROOT, "%.1f", value)
                : String.format(Locale.ROOT, "%,d", Math.round(value));
    }

    /** The beginning of a digest or a slot, enough to tell one from another. */
    public static String digest(String hex) {
        return hex.length() > DIGEST_CHARS ? hex.substring(0, DIGEST_CHARS) : hex;
    }

    /** A moment in the zone of this machine, and how far it is away. */
    public static String time(Instant moment, Instant now) {
        return local(moment) + " (" + distance(moment, now) + ")";
    }

    /** A moment in the zone of this machine. */
    public static String local(Instant moment) {
        return LOCAL.format(moment.atZone(ZoneId.systemDefault()));
    }

    /** A moment as JSON tells it; what is none stays as it is. */
    public static String time(String moment, Instant now) {
        try {
            return time(Instant.parse(moment), now);
        } catch (DateTimeParseException e) {
            return moment;
        }
    }

    /** Such as {@code 3 minutes ago} or {@code in 2 days}. */
    public static String distance(Instant moment, Instant now) {
        Duration away = Duration.between(now, moment);
        if (away.abs().toSeconds() < 1) {
            return "now";
        }
        String words = about(away.abs());
        return away.isNegative() ? words + " ago" : "in " + words;
    }

    /** A duration in its largest unit, rounded down. */
    public static String about(Duration duration) {
        long seconds = duration.toSeconds();
        if (seconds < 120) {
            return count(seconds, "second");
        }
        if (seconds < 2 * 3600) {
            return count(seconds / 60, "minute");
        }
        if (seconds < 2 * 86_400) {
            return count(seconds / 3600, "hour");
        }
        return count(seconds / 86_400, "day");
    }

    private static String count(long count, String unit) {
        return count + " " + unit + (count == 1 ? "" : "s");
    }

    /** A sentence of a daemon as people like to read it: its digests short, its moments in the zone of this machine. */
    public static String plain(String sentence, Instant now) {
        String shortened = DIGEST.matcher(sentence).replaceAll("$1");
        return MOMENT.matcher(shortened).replaceAll(found -> Matcher.quoteReplacement(time(found.group(), now)));
    }

    /** Without what steers a terminal: control characters, and those that turn the direction of writing, become '?'. */
    public static String printable(String text) {
        StringBuilder out = new StringBuilder(text.length());
        text.codePoints().forEach(c -> out.appendCodePoint(isHarmless(c) ? c : '?'));
        return out.toString();
    }

    private static boolean isHarmless(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }
}
