package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Cbor;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Typed reading of a claims map, whose keys are integers and texts. */
public record Claim(Cbor.Dict claims) {
    public Cbor required(Object key) throws RejectedException {
        var found = key instanceof Long number ? claims.get(number) : claims.get(String.valueOf(key));
        return found.orElseThrow(() -> wrong("claim " + key + " is absent"));
    }

    String text(Object key) throws RejectedException {
        return text(required(key));
    }

    Binary bytes(long key, int min, int max) throws RejectedException {
        return bytes(required(key), min, max);
    }

    long number(long key) throws RejectedException {
        return number(required(key), Long.MAX_VALUE);
    }

    List<Cbor> array(Object key, int size) throws RejectedException {
        return array(required(key instanceof Integer number ? Long.valueOf(number) : key), size);
    }

    Map<String, String> texts(String key, int max) throws RejectedException {
        Map<Cbor, Cbor> entries = dict(required(key)).entries();
        if (entries.size() > max) {
            throw wrong(key + " has more than " + max + " entries");
        }
        Map<String, String> out = new TreeMap<>();
        for (Map.Entry<Cbor, Cbor> entry : entries.entrySet()) {
            out.put(text(entry.getKey()), text(entry.getValue()));
        }
        return out;
    }

    static String text(Cbor item) throws RejectedException {
        if (item instanceof Cbor.Text(String value) && value.length() <= EvidenceClaims.MAX_TEXT_CHARS) {
            return value;
        }
        throw wrong("text of at most " + EvidenceClaims.MAX_TEXT_CHARS + " characters is expected");
    }

    static Binary bytes(Cbor item, int min, int max) throws RejectedException {
        if (item instanceof Cbor.Bytes(Binary value) && value.length() >= min && value.length() <= max) {
            return value;
        }
        throw wrong(min + " to " + max + " bytes are expected");
    }

    static long number(Cbor item, long max) throws RejectedException {
        if (item instanceof Cbor.Int(long value) && value >= 0 && value <= max) {
            return value;
        }
        throw wrong("an integer from 0 to " + max + " is expected");
    }

    static boolean bool(Cbor item) throws RejectedException {
        if (item instanceof Cbor.Bool(boolean value)) {
            return value;
        }
        throw wrong("a boolean is expected");
    }

    static List<Cbor> array(Cbor item, int size) throws RejectedException {
        if (item instanceof Cbor.Array(List<Cbor> items) && items.size() == size) {
            return items;
        }
        throw wrong("an array of " + size + " is expected");
    }

    public static Cbor.Dict dict(Cbor item) throws RejectedException {
        if (item instanceof Cbor.Dict dict) {
            return dict;
        }
        throw wrong("a map is expected");
    }

    private static RejectedException wrong(String detail) {
        return new RejectedException(Code.ATT_FORMAT, detail);
    }
}
