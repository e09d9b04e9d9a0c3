package dev.holdfast.wire;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * OLPC canonical JSON, the form over which TUF signatures are made (TUF 1.0.34 section 4.2). It is not RFC 8785: only
 * backslash and quotation mark are escaped, control characters stay as they are, names are sorted by code point.
 *
 * <p>Deviation: OLPC knows integers only. The health gate's ratios are decimals, so a number with a fraction is written
 * as the shortest plain decimal of its double. Documents without fractions are unaffected.
 */
public final class CanonicalJson {
    /** UTF-8 order is code point order, which the UTF-16 order of {@link String#compareTo} is not. */
    private static final Comparator<String> BY_CODE_POINT =
            (a, b) -> java.util.Arrays.compareUnsigned(utf8(a), utf8(b));

    private CanonicalJson() {}

    /**
     * The canonical bytes of a tree.
     *
     * @throws IllegalArgumentException where the tree holds a number beyond the range of a double
     */
    public static byte[] bytes(JsonNode node) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        append(node, out);
        return out.toByteArray();
    }

    /** SHA-256 of {@link #bytes}: how a signed block, such as a chat template, is named. */
    public static Sha256 digest(JsonNode node) {
        return Sha256.of(bytes(node));
    }

    private static void append(JsonNode node, ByteArrayOutputStream out) {
        switch (node.getNodeType()) {
            case OBJECT -> {
                List<String> names = new ArrayList<>();
                node.fieldNames().forEachRemaining(names::add);
                names.sort(BY_CODE_POINT);
                String separator = "{";
                for (String name : names) {
                    out.writeBytes(utf8(separator));
                    text(name, out);
                    out.write(':');
                    append(node.get(name), out);
                    separator = ",";
                }
                out.writeBytes(utf8(names.isEmpty() ? "{}" : "}"));
            }
            case ARRAY -> {
                String separator = "";
                out.write('[');
                for (JsonNode item : node) {
                    out.writeBytes(utf8(separator));
                    append(item, out);
                    separator = ",";
                }
                out.write(']');
            }
            case STRING -> text(node.textValue(), out);
            case BOOLEAN -> out.writeBytes(utf8(node.booleanValue() ? "true" : "false"));
            case NULL -> out.writeBytes(utf8("null"));
            case NUMBER -> {
                out.writeBytes(utf8(number(node)));
            }
            default -> throw new IllegalArgumentException("no JSON: " + node.getNodeType());
        }
    }

    private static String number(JsonNode node) {
        return node.isIntegralNumber()
                ? node.bigIntegerValue().toString()
                : BigDecimal.valueOf(node.doubleValue()).stripTrailingZeros().toPlainString();
    }

    private static void text(String value, ByteArrayOutputStream out) {
        out.writeBytes(utf8("\"" + value.replace("\\", "\\\\").replace("\"", "\\\"") + "\""));
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
