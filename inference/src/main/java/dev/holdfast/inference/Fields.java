package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.util.Iterator;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Takes typed fields out of a JSON object; a field of another type or out of range is refused by name. */
record Fields(JsonNode node) {

    private static RejectedException wrong(String name, String expected) {
        return new RejectedException(Code.WIRE_FIELD, name + " must be " + expected);
    }

    /** Refuses every field that is not named here. */
    void only(Set<String> names) throws RejectedException {
        for (Iterator<String> it = node.fieldNames(); it.hasNext(); ) {
            String name = it.next();
            if (!names.contains(name)) {
                throw new RejectedException(Code.WIRE_FIELD, "unknown field " + name);
            }
        }
    }

    boolean has(String name) {
        return node.hasNonNull(name);
    }

    String text(String name, int maxChars) throws RejectedException {
        JsonNode value = node.path(name);
        if (!value.isTextual() || value.textValue().length() > maxChars) {
            throw wrong(name, "a text of at most " + maxChars + " characters");
        }
        return value.textValue();
    }

    long whole(String name, long min, long max, @Nullable Long absent) throws RejectedException {
        JsonNode value = node.path(name);
        if (absent != null && (value.isMissingNode() || value.isNull())) {
            return absent;
        }
        if (!value.isIntegralNumber()
                || !value.canConvertToLong()
                || value.longValue() < min
                || value.longValue() > max) {
            throw wrong(name, "a whole number from " + min + " to " + max);
        }
        return value.longValue();
    }

    double real(String name, double min, double max, double absent) throws RejectedException {
        JsonNode value = node.path(name);
        if (value.isMissingNode() || value.isNull()) {
            return absent;
        }
        if (!value.isNumber() || !(value.doubleValue() >= min && value.doubleValue() <= max)) {
            throw wrong(name, "a number from " + min + " to " + max);
        }
        return value.doubleValue();
    }

    boolean flag(String name, boolean absent) throws RejectedException {
        JsonNode value = node.path(name);
        if (value.isMissingNode() || value.isNull()) {
            return absent;
        }
        if (!value.isBoolean()) {
            throw wrong(name, "true or false");
        }
        return value.booleanValue();
    }

    Sha256 digest(String name) throws RejectedException {
        return Sha256.fromHex(text(name, 2 * Sha256.BYTES)).orThrow();
    }

    JsonNode object(String name) throws RejectedException {
        JsonNode value = node.path(name);
        if (!value.isObject()) {
            throw wrong(name, "an object");
        }
        return value;
    }
}
