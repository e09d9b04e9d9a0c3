package dev.holdfast.wire;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Makes bad documents from good ones, as an attacker would: some bytes, or one value, are others. */
public final class JsonChanges {
    /** What is where a value was. */
    private static final String[] VALUES = {
        "null",
        "true",
        "-1",
        "0",
        "9223372036854775808",
        "1e999",
        "0.5",
        "\"\"",
        "\"\\u0000\"",
        "[]",
        "{}",
        "[[[[]]]]",
        "{\"a\":{\"a\":1}}"
    };

    private JsonChanges() {}

    /** Bytes changed, or a value of the JSON replaced by another kind of value. */
    public static byte[] changed(byte[] good, Random random) {
        if (random.nextBoolean()) {
            byte[] bad = good.clone();
            for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
                bad[random.nextInt(bad.length)] =
                        (byte) (random.nextBoolean() ? random.nextInt() : random.nextInt(32, 127));
            }
            return bad;
        }
        String text = new String(good, StandardCharsets.UTF_8);
        List<Integer> colons = new ArrayList<>();
        for (int at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
            colons.add(at + 1);
        }
        int from = colons.get(random.nextInt(colons.size()));
        int to = from;
        while (to < text.length() && ",}]".indexOf(text.charAt(to)) < 0) {
            to++;
        }
        String value = VALUES[random.nextInt(VALUES.length)];
        return (text.substring(0, from) + value + text.substring(to)).getBytes(StandardCharsets.UTF_8);
    }
}
