package dev.holdfast.attestation;

import dev.holdfast.wire.Binary;
import dev.holdfast.wire.Code;
import dev.holdfast.wire.RejectedException;
import dev.holdfast.wire.Sha256;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Optional;

/**
 * The text form of the kernel's list of measured files, {@code ascii_runtime_measurements}, which earlier agents carried. The
 * kernel writes paths into it as they are, so one with a line feed makes it unreadable; {@link ImaLog} has no such fault.
 * Template {@code ima-ng}:
 *
 * <pre>
 * 10 &lt;SHA-1 of the template&gt; ima-ng sha256:&lt;digest of the file&gt; &lt;path&gt;
 * </pre>
 *
 * The SHA-256 bank is extended by SHA-256 over the template's fields, each after its 32-bit little-endian length (kernel
 * documentation, IMA templates), so that is computed here from the fields; the SHA-1 in the list is not looked at. A line
 * of zeroes stands for a violation and is extended as ones. Stateless.
 */
final class ImaTextLog {
    private static final int FIELDS = 5;

    private ImaTextLog() {}

    /** Whether these bytes are of this form: its lines begin with the number 10, the binary form with a number of 4 bytes. */
    static boolean is(Binary log) {
        return log.length() > 0 && log.toArray()[0] == '1';
    }

    /** What each line extends. */
    static ImaLog.Extends of(byte[] log) {
        String[] lines = new String(log, StandardCharsets.ISO_8859_1).split("\n");
        return new ImaLog.Extends() {
            private int next;

            @Override
            public boolean hasNext() {
                return next < lines.length;
            }

            @Override
            public Optional<byte[]> next() throws RejectedException {
                return Optional.of(extended(lines[next], next++));
            }
        };
    }

    private static byte[] extended(String line, int number) throws RejectedException {
        String[] fields = line.split(" ", FIELDS);
        if (fields.length != FIELDS || !fields[0].equals("10") || !fields[2].equals("ima-ng")) {
            throw malformed(number, "the template ima-ng is expected");
        }
        if (fields[1].matches("0{40}")) {
            return ImaLog.ones();
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
