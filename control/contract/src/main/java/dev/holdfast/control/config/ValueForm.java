package dev.holdfast.control.config;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * What values a key takes, in words and as a reader.
 *
 * @param type TOML's type: {@code text}, {@code integer} or {@code boolean}
 * @param unit what an integer counts; empty where nothing
 * @param range which values of the type are taken, for a person; empty where all
 * @param <T> what a value means
 */
public record ValueForm<T>(String type, String unit, String range, Reader<T> reader) {
    /** sun_path of struct sockaddr_un, unix(7), less its terminating zero. */
    private static final int MAX_SOCKET_PATH_BYTES = 107;

    private static final int MAX_PORT = 65_535;
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,63}");
    private static final Pattern BROKER = Pattern.compile(
            "(?i:mqtt|mqtts|tcp|ssl)://(?:\\[[0-9A-Fa-f:.]+]|[A-Za-z0-9._-]+)(?::(?<port>[0-9]{1,5}))?/?");

    /** Reads one value, or says what it must be: {@code CFG-INVALID} without the key's name. */
    @FunctionalInterface
    public interface Reader<T> {
        /** @param home the folder that relative paths count from */
        T read(JsonNode value, Path home) throws RejectedException;
    }

    /** What is taken, in one phrase: {@code integer, 1 to 86400 seconds}. */
    public String words() {
        String values = (range + " " + unit).strip();
        return values.isEmpty() ? type : type + ", " + values;
    }

    /** A value that somebody could write, for a person. */
    String example() {
        return type.equals("text") ? "\"...\" (" + range + ")" : words();
    }

    T read(JsonNode value, Path home) throws RejectedException {
        return reader.read(value, home);
    }

    private static ValueForm<String> text(String range, Pattern taken) {
        return new ValueForm<>("text", "", range, (value, _) -> {
            String text = text(value, range);
            if (!taken.matcher(text).matches()) {
                throw mustBe(range, value);
            }
            return text;
        });
    }

    /** The name of a fleet or a device, one level of a topic of MQTT. */
    static ValueForm<String> name() {
        return text("1 to 64 letters, digits, '_' or '-', the first a letter or digit; no dots", NAME);
    }

    /** Text of a form of its own. */
    static ValueForm<String> matching(String range, String pattern) {
        return text(range, Pattern.compile(pattern));
    }

    /** One of these words, in either case; read in lower case. */
    static ValueForm<String> choice(List<String> words) {
        String range = "\"" + String.join("\", \"", words) + "\"";
        return new ValueForm<>("text", "", range, (value, _) -> {
            String word = text(value, "one of " + range).toLowerCase(Locale.ROOT);
            if (!words.contains(word)) {
                throw mustBe("one of " + range, value);
            }
            return word;
        });
    }

    static ValueForm<String> broker() {
        String range = "mqtt://HOST[:PORT], or mqtts://HOST[:PORT] for TLS";
        return new ValueForm<>("text", "", range, (value, _) -> {
            String text = text(value, range).strip();
            var form = BROKER.matcher(text);
            String port = form.matches() ? form.group("port") : "0";
            if (port != null && (Integer.parseInt(port) < 1 || Integer.parseInt(port) > MAX_PORT)) {
                throw mustBe(range + ", without user, path or query", value);
            }
            return text;
        });
    }

    static ValueForm<Path> path() {
        return new ValueForm<>("text", "", "a path", (value, home) -> path(value, home));
    }

    /** One path, or a list of them. */
    static ValueForm<List<Path>> paths() {
        return new ValueForm<>("text", "", "a path, or a list of paths", (value, home) -> {
            if (!value.isArray()) {
                return List.of(path(value, home));
            }
            List<Path> paths = new ArrayList<>();
            for (JsonNode each : value) {
                paths.add(path(each, home));
            }
            return paths;
        });
    }

    /** A path that the kernel takes for a Unix socket. */
    static ValueForm<Path> socket() {
        String range = "a path of at most " + MAX_SOCKET_PATH_BYTES + " bytes";
        return new ValueForm<>("text", "", range, (value, home) -> {
            Path path = path(value, home);
            if (path.toString().getBytes(StandardCharsets.UTF_8).length > MAX_SOCKET_PATH_BYTES) {
                throw mustBe(range, value);
            }
            return path;
        });
    }

    /** Both ends are taken. */
    static ValueForm<Long> integer(String unit, long min, long max) {
        String range = max == Long.MAX_VALUE ? "at least " + min : min + " to " + max;
        return new ValueForm<>("integer", unit, range, (value, _) -> {
            if (!value.isIntegralNumber()
                    || !value.canConvertToLong()
                    || value.longValue() < min
                    || value.longValue() > max) {
                throw mustBe("an integer" + (max == Long.MAX_VALUE ? " of " : " from ") + range, value);
            }
            return value.longValue();
        });
    }

    static ValueForm<Duration> seconds(long min, long max) {
        ValueForm<Long> integer = integer("seconds", min, max);
        return new ValueForm<>(
                "integer", "seconds", integer.range, (value, home) -> Duration.ofSeconds(integer.read(value, home)));
    }

    static ValueForm<Boolean> flag() {
        return new ValueForm<>("boolean", "", "", (value, _) -> {
            if (!value.isBoolean()) {
                throw mustBe("true or false", value);
            }
            return value.booleanValue();
        });
    }

    private static String text(JsonNode value, String range) throws RejectedException {
        if (!value.isTextual() || value.textValue().isEmpty()) {
            throw mustBe("text, " + range, value);
        }
        return value.textValue();
    }

    private static Path path(JsonNode value, Path home) throws RejectedException {
        try {
            return home.resolve(text(value, "a path"));
        } catch (InvalidPathException e) {
            throw mustBe("a path", value);
        }
    }

    private static RejectedException mustBe(String range, JsonNode value) {
        return new RejectedException(Code.CFG_INVALID, "must be " + range + "; it is " + ConfigKey.toml(value));
    }
}
