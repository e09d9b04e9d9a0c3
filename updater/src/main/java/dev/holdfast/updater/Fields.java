package dev.holdfast.updater;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Json;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;

/** Typed reading of a JSON object from outside: each call checks presence, type and bound ({@code UPD-FORMAT}). */
record Fields(JsonNode node) {
    static final int MAX_NAME_CHARS = 256;
    /** TUF 1.0.34 section 4.2.1: UTC, seconds, no fraction. */
    private static final DateTimeFormatter EXPIRES = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss'Z'");

    static Fields of(JsonNode node) throws RejectedException {
        if (!node.isObject()) {
            throw new RejectedException(Code.UPD_FORMAT, "an object is expected");
        }
        return new Fields(node);
    }

    static Fields read(byte[] utf8, int maxBytes) throws RejectedException {
        return new Fields(Json.readObject(utf8, maxBytes).orThrow());
    }

    static String formatExpires(Instant at) {
        return EXPIRES.format(LocalDateTime.ofInstant(at, ZoneOffset.UTC));
    }

    boolean has(String key) {
        return node.has(key);
    }

    String text(String key, int maxChars) throws RejectedException {
        JsonNode value = node.get(key);
        if (value == null
                || !value.isTextual()
                || value.textValue().length() > maxChars
                || value.textValue().isEmpty()) {
            throw wrong(key, "text of 1 to " + maxChars + " characters");
        }
        return value.textValue();
    }

    long integer(String key, long min) throws RejectedException {
        JsonNode value = node.get(key);
        if (value == null || !value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < min) {
            throw wrong(key, "an integer from " + min);
        }
        return value.longValue();
    }

    Sha256 sha256(String key) throws RejectedException {
        return Sha256.fromHex(text(key, 2 * Sha256.BYTES)).orThrow();
    }

    Fields object(String key) throws RejectedException {
        JsonNode value = node.get(key);
        if (value == null || !value.isObject()) {
            throw wrong(key, "an object");
        }
        return new Fields(value);
    }

    List<JsonNode> array(String key, int maxItems) throws RejectedException {
        JsonNode value = node.get(key);
        if (value == null || !value.isArray() || value.size() > maxItems) {
            throw wrong(key, "an array of at most " + maxItems + " items");
        }
        List<JsonNode> items = new ArrayList<>();
        value.forEach(items::add);
        return items;
    }

    Instant expires() throws RejectedException {
        try {
            return LocalDateTime.parse(text("expires", 32), EXPIRES).toInstant(ZoneOffset.UTC);
        } catch (DateTimeParseException e) {
            throw wrong("expires", "a UTC time with seconds");
        }
    }

    private static RejectedException wrong(String key, String expected) {
        return new RejectedException(Code.UPD_FORMAT, key + " must be " + expected);
    }
}
