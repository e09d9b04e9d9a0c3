package dev.holdfast.wire;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;

/**
 * Typed reading of a JSON object from outside: each call checks presence, type and range, and names the field that does
 * not hold. A field of value null counts as absent.
 *
 * @param node the object
 * @param refusal the code of a refusal, such as {@code WIRE-FIELD}
 * @param path what comes before a field's name in a refusal, such as {@code messages[0].}; empty at the top
 */
public record Fields(JsonNode node, Code refusal, String path) {
    /** The last second that RFC 3339 can write: 9999-12-31T23:59:59Z. */
    private static final long LAST_SECOND = 253_402_300_799L;

    public Fields(JsonNode node, Code refusal) {
        this(node, refusal, "");
    }

    /** The fields of {@code node}, refused by {@code WIRE-FIELD}. */
    public static Fields of(JsonNode node) throws RejectedException {
        return of(node, Code.WIRE_FIELD);
    }

    /** The fields of {@code node}, which must be an object. */
    public static Fields of(JsonNode node, Code refusal) throws RejectedException {
        if (!node.isObject()) {
            throw new RejectedException(refusal, "an object is expected");
        }
        return new Fields(node, refusal);
    }

    /** Reads a document of at most {@code maxBytes}, which must be an object. */
    public static Fields read(byte[] utf8, int maxBytes, Code refusal) throws RejectedException {
        return new Fields(Json.readObject(utf8, maxBytes).orThrow(), refusal);
    }

    /** The fields of an object within another, which is at {@code path} there. */
    public static Fields at(String path, JsonNode node) throws RejectedException {
        if (!node.isObject()) {
            throw new RejectedException(Rejection.ofField(Code.WIRE_FIELD, path, path + " must be an object"));
        }
        return new Fields(node, Code.WIRE_FIELD, path + ".");
    }

    /** Refuses every field that is not named here. */
    public void only(Set<String> names) throws RejectedException {
        for (Iterator<String> it = node.fieldNames(); it.hasNext(); ) {
            String name = it.next();
            if (!names.contains(name)) {
                throw new RejectedException(Rejection.ofField(refusal, path + name, "unknown field " + path + name));
            }
        }
    }

    public boolean has(String name) {
        return node.hasNonNull(name);
    }

    /** Text of 1 to {@code maxChars} characters. */
    public String text(String name, int maxChars) throws RejectedException {
        String text = textOrEmpty(name, maxChars);
        if (text.isEmpty()) {
            throw wrong(name, "text of 1 to " + maxChars + " characters");
        }
        return text;
    }

    /** Text of at most {@code maxChars} characters; it must be there, and may be empty. */
    public String textOrEmpty(String name, int maxChars) throws RejectedException {
        JsonNode value = node.path(name);
        if (!value.isTextual() || value.textValue().length() > maxChars) {
            throw wrong(name, "text of at most " + maxChars + " characters");
        }
        return value.textValue();
    }

    /** A whole number from {@code min} to the largest of 64 bits. */
    public long integer(String name, long min) throws RejectedException {
        return integer(name, min, Long.MAX_VALUE);
    }

    public long integer(String name, long min, long max) throws RejectedException {
        JsonNode value = node.path(name);
        if (!value.isIntegralNumber()
                || !value.canConvertToLong()
                || value.longValue() < min
                || value.longValue() > max) {
            throw wrong(
                    name, max == Long.MAX_VALUE ? "an integer from " + min : "an integer from " + min + " to " + max);
        }
        return value.longValue();
    }

    public long integerOr(String name, long min, long max, long absent) throws RejectedException {
        return has(name) ? integer(name, min, max) : absent;
    }

    /** A time in seconds since 1970, until the year 9999. */
    public long epochSeconds(String name) throws RejectedException {
        return integer(name, 0, LAST_SECOND);
    }

    public double numberOr(String name, double min, double max, double absent) throws RejectedException {
        if (!has(name)) {
            return absent;
        }
        JsonNode value = node.path(name);
        if (!value.isNumber() || !(value.doubleValue() >= min && value.doubleValue() <= max)) {
            throw wrong(name, "a number from " + min + " to " + max);
        }
        return value.doubleValue();
    }

    public boolean flagOr(String name, boolean absent) throws RejectedException {
        return has(name) ? flag(name) : absent;
    }

    public boolean flag(String name) throws RejectedException {
        JsonNode value = node.path(name);
        if (!value.isBoolean()) {
            throw wrong(name, "true or false");
        }
        return value.booleanValue();
    }

    /** 64 hexadecimal digits. */
    public Sha256 sha256(String name) throws RejectedException {
        return Sha256.fromHex(text(name, 2 * Sha256.BYTES)).orThrow();
    }

    /** 64 hexadecimal digits. */
    public SlotId slotId(String name) throws RejectedException {
        return new SlotId(sha256(name));
    }

    /** The name of a model or of a version. */
    public String modelName(String name) throws RejectedException {
        String text = text(name, ModelName.MAX_CHARS);
        if (!ModelName.isName(text)) {
            throw wrong(name, "letters, digits, '.', '_', '+' or '-'");
        }
        return text;
    }

    public Fields object(String name) throws RejectedException {
        JsonNode value = node.path(name);
        if (!value.isObject()) {
            throw wrong(name, "an object");
        }
        return new Fields(value, refusal, path + name + ".");
    }

    /** The items of an array, each of which the caller still has to check. */
    public List<JsonNode> array(String name, int maxItems) throws RejectedException {
        JsonNode value = node.path(name);
        if (!value.isArray() || value.size() > maxItems) {
            throw wrong(name, "an array of at most " + maxItems + " items");
        }
        List<JsonNode> items = new ArrayList<>();
        value.forEach(items::add);
        return items;
    }

    /** The refusal of a field that is not what was expected. */
    public RejectedException wrong(String name, String expected) {
        return new RejectedException(Rejection.ofField(refusal, path + name, path + name + " must be " + expected));
    }
}
