package dev.holdfast.wire;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A CBOR data item of the kinds that Holdfast's messages use: integers of 64 bits, byte and text strings, arrays, maps,
 * booleans, null, tags and 64-bit floats.
 */
public sealed interface Cbor {
    record Int(long value) implements Cbor {}

    record Bytes(Binary value) implements Cbor {}

    record Text(String value) implements Cbor {}

    record Array(List<Cbor> items) implements Cbor {
        public Array {
            items = List.copyOf(items);
        }
    }

    /** Entries keep the order in which they were added or read; {@link CborWriter} sorts by the encoded key. */
    record Dict(Map<Cbor, Cbor> entries) implements Cbor {
        public Dict {
            entries = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(entries));
        }

        public Optional<Cbor> get(String key) {
            return Optional.ofNullable(entries.get(new Text(key)));
        }

        public Optional<Cbor> get(long key) {
            return Optional.ofNullable(entries.get(new Int(key)));
        }
    }

    record Bool(boolean value) implements Cbor {}

    record Null() implements Cbor {}

    record Real(double value) implements Cbor {}

    record Tag(long number, Cbor content) implements Cbor {}

    static Cbor of(long value) {
        return new Int(value);
    }

    static Cbor of(String value) {
        return new Text(value);
    }

    static Cbor of(byte[] value) {
        return new Bytes(Binary.copyOf(value));
    }

    static Cbor of(Binary value) {
        return new Bytes(value);
    }

    static Cbor of(boolean value) {
        return new Bool(value);
    }

    static Cbor array(Cbor... items) {
        return new Array(List.of(items));
    }

    static DictBuilder dict() {
        return new DictBuilder();
    }

    /** Collects the entries of a map; a key may be put once. Not thread-safe. */
    final class DictBuilder {
        private final Map<Cbor, Cbor> entries = new LinkedHashMap<>();

        public DictBuilder put(String key, Cbor value) {
            return put(new Text(key), value);
        }

        public DictBuilder put(long key, Cbor value) {
            return put(new Int(key), value);
        }

        public DictBuilder put(Cbor key, Cbor value) {
            if (entries.putIfAbsent(key, value) != null) {
                throw new IllegalArgumentException("key put twice: " + key);
            }
            return this;
        }

        public Dict build() {
            return new Dict(entries);
        }
    }

    /** Typed reading of a map from outside: each call checks presence, type and bound. */
    record Fields(Dict dict) {
        public static Fields of(Cbor item) throws RejectedException {
            if (item instanceof Dict dict) {
                return new Fields(dict);
            }
            throw new RejectedException(Code.WIRE_FIELD, "a map is expected");
        }

        public String text(String key, int maxChars) throws RejectedException {
            if (required(key) instanceof Text(String value) && value.length() <= maxChars) {
                return value;
            }
            throw wrong(key, "text of at most " + maxChars + " characters");
        }

        public Binary bytes(String key, int minBytes, int maxBytes) throws RejectedException {
            if (required(key) instanceof Bytes(Binary value)
                    && value.length() >= minBytes
                    && value.length() <= maxBytes) {
                return value;
            }
            throw wrong(key, minBytes + " to " + maxBytes + " bytes");
        }

        public long integer(String key, long min, long max) throws RejectedException {
            if (required(key) instanceof Int(long value) && value >= min && value <= max) {
                return value;
            }
            throw wrong(key, "an integer from " + min + " to " + max);
        }

        public boolean bool(String key) throws RejectedException {
            if (required(key) instanceof Bool(boolean value)) {
                return value;
            }
            throw wrong(key, "a boolean");
        }

        public Sha256 sha256(String key) throws RejectedException {
            return new Sha256(bytes(key, Sha256.BYTES, Sha256.BYTES));
        }

        public Fields map(String key) throws RejectedException {
            if (required(key) instanceof Dict inner) {
                return new Fields(inner);
            }
            throw wrong(key, "a map");
        }

        public List<Cbor> array(String key, int maxItems) throws RejectedException {
            if (required(key) instanceof Array(List<Cbor> items) && items.size() <= maxItems) {
                return new ArrayList<>(items);
            }
            throw wrong(key, "an array of at most " + maxItems + " items");
        }

        public boolean has(String key) {
            return dict.get(key).isPresent();
        }

        private Cbor required(String key) throws RejectedException {
            return dict.get(key).orElseThrow(() -> new RejectedException(Code.WIRE_FIELD, key + " is absent"));
        }

        private static RejectedException wrong(String key, String expected) {
            return new RejectedException(Code.WIRE_FIELD, key + " must be " + expected);
        }
    }
}
