package dev.holdfast.fleet.settings;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.List;

/** How {@code fleet serve} writes log lines; the words are those of {@code holdfast.toml}. */
public record FleetLog(String format, String level) {
    public static final List<String> FORMATS = List.of("auto", "text", "json", "journal");
    public static final List<String> LEVELS = List.of("error", "warn", "info", "debug");
    public static final FleetLog DEFAULT = new FleetLog("auto", "info");

    private static final String FORMAT = "logFormat";
    private static final String LEVEL = "logLevel";

    /** {@code CFG-INVALID} where one of them is no word of its list. */
    public void require() throws RejectedException {
        require("log-format", format, FORMATS);
        require("log-level", level, LEVELS);
    }

    private static void require(String name, String value, List<String> words) throws RejectedException {
        if (!words.contains(value)) {
            throw new RejectedException(Code.CFG_INVALID, name + " must be " + words(words) + "; it is " + value);
        }
    }

    public static String words(List<String> words) {
        return String.join(", ", words);
    }

    public void writeTo(ObjectNode fleet) {
        if (!equals(DEFAULT)) {
            fleet.put(FORMAT, format).put(LEVEL, level);
        }
    }

    public static FleetLog read(JsonNode fleet) throws RejectedException {
        FleetLog log = new FleetLog(
                fleet.path(FORMAT).asText(DEFAULT.format), fleet.path(LEVEL).asText(DEFAULT.level));
        log.require();
        return log;
    }
}
