package dev.holdfast.wire;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/** Deterministic CBOR (RFC 8949 section 4.2.1): shortest arguments, definite lengths, keys in bytewise order. */
public final class CborWriter {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private CborWriter() {}

    public static byte[] write(Cbor item) {
        CborWriter writer = new CborWriter();
        writer.item(item);
        return writer.out.toByteArray();
    }

    private void item(Cbor item) {
        switch (item) {
            case Cbor.Int(long value) -> {
                if (value >= 0) {
                    head(0, value);
                } else {
                    head(1, -1 - value);
                }
            }
            case Cbor.Bytes(Binary value) -> {
                head(2, value.length());
                out.writeBytes(value.toArray());
            }
            case Cbor.Text(String value) -> {
                byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
                head(3, utf8.length);
                out.writeBytes(utf8);
            }
            case Cbor.Array(var items) -> {
                head(4, items.size());
                items.forEach(this::item);
            }
            case Cbor.Dict(Map<Cbor, Cbor> entries) -> dict(entries);
            case Cbor.Tag(long number, Cbor content) -> {
                head(6, number);
                item(content);
            }
            case Cbor.Bool(boolean value) -> out.write(value ? 0xf5 : 0xf4);
            case Cbor.Null() -> out.write(0xf6);
            case Cbor.Real(double value) -> {
                out.write(0xfb);
                fixed(Double.doubleToRawLongBits(value), 8);
            }
        }
    }

    private void dict(Map<Cbor, Cbor> entries) {
        TreeMap<byte[], Cbor> sorted = new TreeMap<>(Arrays::compareUnsigned);
        entries.forEach((key, value) -> sorted.put(write(key), value));
        head(5, sorted.size());
        sorted.forEach((key, value) -> {
            out.writeBytes(key);
            item(value);
        });
    }

    private void head(int major, long argument) {
        int type = major << 5;
        if (argument < 24) {
            out.write(type | (int) argument);
        } else if (argument < 1L << 8) {
            out.write(type | 24);
            fixed(argument, 1);
        } else if (argument < 1L << 16) {
            out.write(type | 25);
            fixed(argument, 2);
        } else if (argument < 1L << 32) {
            out.write(type | 26);
            fixed(argument, 4);
        } else {
            out.write(type | 27);
            fixed(argument, 8);
        }
    }

    private void fixed(long value, int bytes) {
        for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
            out.write((int) (value >>> shift));
        }
    }
}
