package dev.holdfast.attestation;

import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.CborWriter;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * Reads CBOR as people write it (RFC 8949, 8): maps, arrays, whole numbers, texts without escapes, {@code h'00'}, {@code true},
 * {@code false}, and {@code <<item>>} for bytes that hold an item. For the examples of the documentation.
 */
final class Diagnostic {
    private final String text;
    private int at;

    private Diagnostic(String text) {
        this.text = text;
    }

    static Cbor read(String text) {
        Diagnostic reader = new Diagnostic(text);
        Cbor item = reader.item();
        reader.space();
        if (reader.at != text.length()) {
            throw reader.wrong("the end");
        }
        return item;
    }

    private Cbor item() {
        space();
        if (take("{")) {
            return map();
        }
        if (take("[")) {
            return new Cbor.Array(items("]"));
        }
        if (take("<<")) {
            return Cbor.of(CborWriter.write(items(">>").get(0)));
        }
        if (take("h'")) {
            return Cbor.of(HexFormat.of().parseHex(until('\'').replaceAll("\\s", "")));
        }
        if (take("\"")) {
            return Cbor.of(until('"'));
        }
        if (take("true")) {
            return Cbor.of(true);
        }
        if (take("false")) {
            return Cbor.of(false);
        }
        int start = at;
        while (at < text.length() && "-0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        if (start == at) {
            throw wrong("an item");
        }
        return Cbor.of(Long.parseLong(text.substring(start, at)));
    }

    private Cbor map() {
        Cbor.DictBuilder dict = Cbor.dict();
        space();
        while (!take("}")) {
            Cbor key = item();
            require(":");
            dict.put(key, item());
            separator("}");
        }
        return dict.build();
    }

    private List<Cbor> items(String end) {
        List<Cbor> items = new ArrayList<>();
        space();
        while (!take(end)) {
            items.add(item());
            separator(end);
        }
        return items;
    }

    private void separator(String end) {
        space();
        if (!text.startsWith(end, at)) {
            require(",");
            space();
        }
    }

    private String until(char end) {
        int from = at;
        at = text.indexOf(end, from) + 1;
        if (at == 0) {
            throw wrong(String.valueOf(end));
        }
        return text.substring(from, at - 1);
    }

    private boolean take(String token) {
        boolean found = text.startsWith(token, at);
        at += found ? token.length() : 0;
        return found;
    }

    private void require(String token) {
        space();
        if (!take(token)) {
            throw wrong(token);
        }
    }

    private void space() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
            at++;
        }
    }

    private AssertionError wrong(String expected) {
        return new AssertionError(expected + " is expected at " + at + " of " + text);
    }
}
