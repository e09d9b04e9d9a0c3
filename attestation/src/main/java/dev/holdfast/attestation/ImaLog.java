package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import dev.holdfast.wire.Verdict;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Locale;

/**
 * The kernel's list of measured files, {@code ascii_runtime_measurements} with the template {@code ima-ng}:
 *
 * <pre>
 * 10 &lt;SHA-1 of the template&gt; ima-ng sha256:&lt;digest of the file&gt; &lt;path&gt;
 * </pre>
 *
 * The SHA-256 bank is extended by SHA-256 over the template's fields, each after its 32-bit little-endian length (kernel
 * documentation, IMA templates), so that is computed here from the fields; the SHA-1 in the list is not looked at. A line
 * of zeroes stands for a violation and is extended as ones. Stateless.
 */
public final class ImaLog {
    public static final int PCR = 10;
    private static final int FIELDS = 5;

    private ImaLog() {}

    /** How many lines lead from zero to {@code register}; rejected where none do or a line cannot be read. */
    public static Verdict<Integer> prefix(Binary log, Binary register) {
        return Verdict.of(() -> {
            String[] lines = new String(log.toArray(), StandardCharsets.ISO_8859_1).split("\n");
            Sha256 value = Event.ZERO;
            for (int i = 0; i < lines.length; i++) {
                if (value.value().equals(register)) {
                    return i;
                }
                value = Sha256.of(value.toArray(), extended(lines[i], i));
            }
            if (value.value().equals(register)) {
                return lines.length;
            }
            throw new RejectedException(Code.ATT_PLATFORM, "no prefix of the list of files leads to PCR " + PCR);
        });
    }

    private static byte[] extended(String line, int number) throws RejectedException {
        String[] fields = line.split(" ", FIELDS);
        if (fields.length != FIELDS || !fields[0].equals("10") || !fields[2].equals("ima-ng")) {
            throw malformed(number, "the template ima-ng is expected");
        }
        if (fields[1].matches("0{40}")) {
            byte[] ones = new byte[Sha256.BYTES];
            Arrays.fill(ones, (byte) 0xff);
            return ones;
        }
        int colon = fields[3].indexOf(':');
        if (colon < 1) {
            throw malformed(number, "a digest without its algorithm");
        }
        byte[] digest;
        try {
            digest = HexFormat.of().parseHex(fields[3].substring(colon + 1));
        } catch (IllegalArgumentException e) {
            throw malformed(number, "a digest that is not hexadecimal");
        }
        byte[] algorithm =
                (fields[3].substring(0, colon).toLowerCase(Locale.ROOT) + ":\0").getBytes(StandardCharsets.ISO_8859_1);
        byte[] path = (fields[4] + "\0").getBytes(StandardCharsets.ISO_8859_1);
        MessageDigest template = Sha256.newDigest();
        template.update(length(algorithm.length + digest.length));
        template.update(algorithm);
        template.update(digest);
        template.update(length(path.length));
        template.update(path);
        return template.digest();
    }

    private static byte[] length(int bytes) {
        return ByteBuffer.allocate(Integer.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(bytes)
                .array();
    }

    private static RejectedException malformed(int line, String detail) {
        return new RejectedException(Code.ATT_PLATFORM, "list of measured files, line " + (line + 1) + ": " + detail);
    }
}
