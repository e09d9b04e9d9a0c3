package dev.holdfast.inference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.Fields;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Rejection;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/**
 * The fields of one kind of object in a request, in four classes. A field of value null is absent, whatever its name. What is in none of
 * the sets was never heard of: it is passed over, and told.
 *
 * @param read implemented; whoever reads them is strict about type and range
 * @param neutral known, and without any effect at the values that the test lets through; others are refused
 * @param refused known and meaningful, but not offered here, or dangerous
 */
record ApiGrammar(Set<String> read, Map<String, Predicate<JsonNode>> neutral, Set<String> refused) {
    static final Predicate<JsonNode> ANY = value -> true;
    static final Predicate<JsonNode> FLAG = JsonNode::isBoolean;
    static final Predicate<JsonNode> FALSE = value -> value.isBoolean() && !value.booleanValue();
    static final Predicate<JsonNode> ONE = value -> value.isNumber() && value.doubleValue() == 1;
    static final Predicate<JsonNode> TEXT = JsonNode::isTextual;
    static final Predicate<JsonNode> EMPTY = value -> (value.isContainerNode() && value.isEmpty())
            || (value.isTextual() && value.textValue().isEmpty());

    private static final int MAX_METADATA = 16;
    /** Notes of the caller's own; they are not kept. */
    static final Predicate<JsonNode> METADATA = value -> value.isObject() && value.size() <= MAX_METADATA;

    static Predicate<JsonNode> word(String... words) {
        return value -> value.isTextual() && Set.of(words).contains(value.textValue());
    }

    /** Sorts the fields of an object into their classes; {@code ignored} hears of what nobody knows. */
    void check(Fields fields, IgnoredFields ignored) throws RejectedException {
        for (Map.Entry<String, JsonNode> field : fields.node().properties()) {
            String name = field.getKey();
            JsonNode value = field.getValue();
            if (value.isNull() || read.contains(name)) {
                continue;
            }
            Predicate<JsonNode> changesNothing = neutral.get(name);
            if (changesNothing == null && !refused.contains(name)) {
                ignored.add(fields.path() + name);
            } else if (changesNothing == null) {
                throw unsupported(fields.path() + name, fields.path() + name + " is not offered");
            } else if (!changesNothing.test(value)) {
                throw unsupported(fields.path() + name, fields.path() + name + " is not offered with this value");
            }
        }
    }

    static RejectedException unsupported(String field, String detail) {
        return new RejectedException(Rejection.ofField(Code.API_UNSUPPORTED, field, detail));
    }
}
